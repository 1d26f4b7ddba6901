// The clock of a store: monotonic time from an anchor that is kept in the database as long as the machine's boot lasts.
//
// Why not the wall clock: a step of +1 h would end every attempt's timeout and every retention early, a step of -1 h
// would stretch them, and instants would go back. Within one boot neither can happen; across boots the wall clock is
// all there is, and it is never taken earlier than what is stored.
import { readFileSync } from "node:fs";
import type { DatabaseSync } from "node:sqlite";
import {
  anchoredClock,
  type Clock,
  type ClockAnchor,
  type Instant,
  MICROS_PER_SECOND,
  monotonicNs,
  wallClockInstant,
} from "../../base/clock.ts";
import { getRow, prepareRows } from "./database.ts";
import { sqliteFailure } from "./sqlite-failure.ts";

/** What makes a store's clock in each of its threads. */
export type ClockSource =
  | { kind: "anchored"; anchor: ClockAnchor }
  | { kind: "shared"; buffer: SharedArrayBuffer };

/** A clock that stands still until it is set, seen by all threads: for tests. */
export class SharedClock implements Clock {
  readonly buffer: SharedArrayBuffer;
  readonly #cell: BigInt64Array;

  constructor(start: Instant | SharedArrayBuffer) {
    this.buffer = typeof start === "number" ? new SharedArrayBuffer(8) : start;
    this.#cell = new BigInt64Array(this.buffer);
    if (typeof start === "number") this.set(start);
  }

  now(): Instant {
    return Number(Atomics.load(this.#cell, 0));
  }

  set(now: Instant): void {
    Atomics.store(this.#cell, 0, BigInt(now));
  }

  advance(milliseconds: number): void {
    this.set(this.now() + milliseconds * 1000);
  }
}

/** The clock of a source. */
export function clockOf(source: ClockSource): Clock {
  return source.kind === "anchored" ? anchoredClock(source.anchor) : new SharedClock(source.buffer);
}

/** This boot's clocks at one moment, in microseconds. */
export interface BootClocks {
  /** `""` where the system has no boot id: then nothing outlasts the process. */
  bootId: string;
  /** Time since the boot, suspends included. */
  boottime: number;
  /** The monotonic clock, suspends left out. */
  monotonic: number;
}

/** Reads the boot's clocks; Linux only. */
export function readBootClocks(): BootClocks {
  const monotonic = Number(monotonicNs() / 1000n);
  try {
    const bootId = readFileSync("/proc/sys/kernel/random/boot_id", "latin1").trim();
    const uptime = Number.parseFloat(readFileSync("/proc/uptime", "latin1"));
    return { bootId, boottime: Math.round(uptime * MICROS_PER_SECOND), monotonic };
  } catch {
    return { bootId: "", boottime: 0, monotonic };
  }
}

/** What the database holds of the clock. */
export interface StoredClock extends BootClocks {
  wall: Instant;
  lastInstant: Instant;
}

/** /proc/uptime counts in 10 ms; more than this apart, two clocks did not count the same time. */
const TOLERANCE = MICROS_PER_SECOND;

/**
 * True if the stored anchor still counts: the same boot, and both of its clocks went on. A container's uptime may
 * start anew within one boot of its host: it then falls behind the monotonic clock, which real boot time never does.
 */
export function isSameBoot(stored: StoredClock, boot: BootClocks): boolean {
  const elapsed = boot.boottime - stored.boottime;
  return (
    boot.bootId !== "" &&
    boot.bootId === stored.bootId &&
    elapsed >= 0 &&
    elapsed >= boot.monotonic - stored.monotonic - TOLERANCE
  );
}

/** The instant now: counted from the stored anchor within its boot, else the wall clock; never before the last instant stored. */
export function instantNow(stored: StoredClock, boot: BootClocks, wall: Instant): Instant {
  const now = isSameBoot(stored, boot) ? stored.wall + (boot.boottime - stored.boottime) : wall;
  return Math.max(now, stored.lastInstant + 1);
}

/** What the database holds of the clock. */
export function readStoredClock(database: DatabaseSync): StoredClock {
  // A heartbeat writes no more than its own row.
  const last = "max(last_instant, coalesce((SELECT max(heartbeat_time) FROM sessions), 0))";
  const sql = `SELECT ${last}, boot_id, anchor_wall, anchor_boottime, anchor_monotonic FROM meta`;
  const row = getRow<[number, string, number, number, number]>(prepareRows(database, sql));
  const [lastInstant, bootId, wall, boottime, monotonic] = row ?? [0, "", 0, 0, 0];
  return { lastInstant, bootId, wall, boottime, monotonic };
}

/** Makes the anchor of this process's clock; for the first process of a boot, keeps it for those that follow. */
export function anchorClock(database: DatabaseSync): ClockAnchor {
  const stored = readStoredClock(database);
  const boot = readBootClocks();
  const anchor = { wall: instantNow(stored, boot, wallClockInstant()), monotonicNs: monotonicNs() };
  if (!isSameBoot(stored, boot)) storeAnchor(database, anchor.wall, boot);
  return anchor;
}

function storeAnchor(database: DatabaseSync, wall: Instant, boot: BootClocks): void {
  const sql = "UPDATE meta SET boot_id = ?, anchor_wall = ?, anchor_boottime = ?, anchor_monotonic = ?";
  try {
    database.prepare(sql).run(boot.bootId, wall, boot.boottime, boot.monotonic);
  } catch (error) {
    // A full disk is no reason not to open; the next process then takes the wall clock.
    if (sqliteFailure(error) !== "full") throw error;
  }
}
