// The clock of a database, as this process knows it: counted on its own monotonic clock between looks at the database's.
// All nodes of a database so agree to within a round trip, whatever their own wall clocks say.
import { type Clock, type Instant, monotonicNs } from "../../base/clock.ts";
import type { Statement } from "./queryable.ts";

/** The database's time, never before the newest instant that any node has committed (a failover to a slow clock). */
export const readClock: Statement = {
  name: "read_clock",
  text: `SELECT greatest((extract(epoch FROM clock_timestamp()) * 1000000)::bigint,
    (SELECT last_instant FROM meta WHERE id = 1))`,
};

/** Looks that are kept; the one with the shortest round trip counts. */
const SAMPLES = 16;
/** A clock that is off by more than this was set, and did not drift. */
const STEP_US = 500_000;

interface Sample {
  /** Instant minus monotonic microseconds. */
  offset: number;
  roundTripUs: number;
}

export class PostgresClock implements Clock {
  /** How far apart the clocks of two nodes may be, in microseconds. */
  readonly toleranceUs = 2000;
  #samples: Sample[] = [];
  #offset = 0;
  #last: Instant = 0;

  /** What the database said, and when (monotonic) it was asked and answered. */
  sampled(instant: Instant, sentNs: bigint, receivedNs: bigint): void {
    const [sent, received] = [toUs(sentNs), toUs(receivedNs)];
    const sample = { offset: instant - (sent + received) / 2, roundTripUs: received - sent };
    // A clock that was set forward is followed. One that was set back is not: this process's own goes on, and so no
    // deadline waits until the database's has caught up.
    const best = this.#samples.length > 0 ? this.#offset : sample.offset;
    if (sample.offset - best > STEP_US + sample.roundTripUs) this.#samples = [];
    else if (best - sample.offset > STEP_US + sample.roundTripUs) return;
    this.#samples.push(sample);
    if (this.#samples.length > SAMPLES) this.#samples.shift();
    const shortest = this.#samples.reduce((a, b) => (b.roundTripUs <= a.roundTripUs ? b : a));
    this.#offset = shortest.offset;
  }

  now(): Instant {
    const now = Math.floor(toUs(monotonicNs()) + this.#offset);
    if (now > this.#last) this.#last = now;
    return this.#last;
  }
}

function toUs(ns: bigint): number {
  return Number(ns / 1000n);
}
