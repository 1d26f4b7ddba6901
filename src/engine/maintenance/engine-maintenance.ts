// What goes on by itself beside the calls: timers, leases, children of closed parents, retention. Each part is a file; this
// one starts them, stops them, and passes on what commits changed.
import type { Instant } from "../../base/clock.ts";
import { MICROS_PER_MS } from "../../base/clock.ts";
import type { Logger } from "../../base/logger.ts";
import type { Command, CommandOutcome } from "../commands.ts";
import { nextTimer, type OperationRecord } from "../operation.ts";
import type { SessionDirectory } from "../session-directory.ts";
import type { PendingWork, Store } from "../store.ts";
import { ChildSweeper } from "./child-sweeper.ts";
import { RetentionPruner } from "./retention-pruner.ts";
import { SessionKeeper } from "./session-keeper.ts";
import { TimerKeeper } from "./timer-keeper.ts";

/** Operations in one commit: it holds the writer for some milliseconds. */
const BATCH = 500;

/** Sessions that end in one commit, each with all that it holds. */
const SESSION_BATCH = 20;

/**
 * After a time in which nobody could watch, watch deadlines up to this far ahead start anew: a client that polls lost part
 * of its time, and may need a while to come back.
 */
const WATCH_AHEAD_MS = 300_000;

/** Bounds the restart where more operations have a watch time below WATCH_AHEAD_MS than fit in a batch. */
const WATCH_BATCHES_MAX = 200;

/**
 * Another node that has been up this long could accept watchers, and has seen to the watch deadlines itself when it came.
 * Longer than a node takes from its first session to its first tick.
 */
const OTHER_NODE_MIN_MS = 15_000;

interface MaintenanceOptions {
  store: Store;
  logger: Logger;
  submit(command: Command): Promise<CommandOutcome>;
  sessions: Pick<SessionDirectory, "endExpired" | "someMayBeOver" | "workMayBeReady">;
  /** This process among those that share the store; undefined where it has the store for itself. */
  node: string | undefined;
}

export class EngineMaintenance {
  readonly leases: Pick<SessionKeeper, "leaseBegun">;
  readonly #options: MaintenanceOptions;
  readonly #timers: TimerKeeper;
  readonly #leases: SessionKeeper;
  readonly #sweeper: ChildSweeper;
  readonly #pruner: RetentionPruner;

  constructor(options: MaintenanceOptions) {
    const { store, logger, sessions, node } = options;
    const { clock } = store;
    const isShared = node !== undefined;
    const pendingWork = async (): Promise<PendingWork> => {
      const pending = await store.pendingWork();
      // What a node that is gone left untold; its own closed parents each node sweeps at once.
      if (isShared && pending.hasUnsweptChildren) this.#sweeper.wake();
      return pending;
    };
    this.#options = options;
    this.#timers = new TimerKeeper({
      clock,
      isShared,
      pendingWork,
      logger,
      tickDue: () => this.#settle({ type: "tickDue", limit: BATCH }),
      restartWatch: () => this.#restartWatch(),
      startDue: () => sessions.workMayBeReady(null),
    });
    this.#leases = new SessionKeeper({
      clock,
      isShared,
      logger,
      pendingWork,
      someMayBeOver: () => sessions.someMayBeOver,
      expire: () => this.#settle({ type: "expireSessions", limit: SESSION_BATCH }),
      expired: () => sessions.endExpired(),
    });
    this.leases = this.#leases;
    this.#sweeper = new ChildSweeper({
      logger,
      pendingWork,
      sweep: () => this.#settle({ type: "sweepChildren", limit: BATCH }),
    });
    this.#pruner = new RetentionPruner({ store, logger });
  }

  start(): void {
    this.#timers.start();
    this.#leases.start();
    this.#sweeper.start();
    this.#pruner.start();
  }

  /** Resolves when nothing of it is under way. */
  async stop(): Promise<void> {
    this.#timers.stop();
    this.#leases.stop();
    this.#sweeper.stop();
    await this.#pruner.stop();
  }

  /** Runs with each commit, for each operation that it changed. */
  changed(record: OperationRecord, text: string): void {
    this.#timers.note(nextTimer(record));
    this.#sweeper.changed(record, text);
  }

  /** An operation has ended, on another node. */
  endedElsewhere(text: string): void {
    this.#sweeper.forget(text);
  }

  /** A pending operation may start at this instant. */
  startsAt(instant: Instant): void {
    this.#timers.noteStart(instant);
  }

  /** Those that come first are served first, so that what the bound leaves out has the most time left. */
  async #restartWatch(): Promise<void> {
    if (await this.#wasServedElsewhere()) return;
    const before = this.#options.store.clock.now() + WATCH_AHEAD_MS * MICROS_PER_MS;
    for (let batch = 0; batch < WATCH_BATCHES_MAX; batch++) {
      if ((await this.#settle({ type: "restartWatch", before, limit: BATCH })) < BATCH) return;
    }
  }

  /** True if another node could accept watchers while this one could not. Each has a session of its own, which beats. */
  async #wasServedElsewhere(): Promise<boolean> {
    const { store, node } = this.#options;
    if (node === undefined) return false;
    const now = store.clock.now();
    return (await store.listSessions()).some((session) => {
      const { kind, openTime, heartbeatTime, leaseMs } = session;
      const isUp = heartbeatTime + leaseMs * MICROS_PER_MS > now;
      const wasUp = openTime + OTHER_NODE_MIN_MS * MICROS_PER_MS <= now;
      return kind === "embedded" && session.node !== node && isUp && wasUp;
    });
  }

  async #settle(command: Command): Promise<number> {
    const outcome = await this.#options.submit(command);
    return outcome.type === "settled" ? outcome.count : 0;
  }
}
