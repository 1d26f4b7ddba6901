// Time. Every instant in Belay comes from a Clock, so that tests can hold it still and a wall-clock step cannot
// move a deadline. Nothing else reads Date.now or process.hrtime.

/** Microseconds since the Unix epoch; exact in a double until the year 2255. */
export type Instant = number;

export const MICROS_PER_MS = 1000;
export const MICROS_PER_SECOND = 1_000_000;

/** Milliseconds from `now` until an instant; 0 once it has passed. */
export function remainingMs(until: Instant, now: Instant): number {
  return Math.max(0, (until - now) / MICROS_PER_MS);
}

/** A source of instants that never goes back. */
export interface Clock {
  now(): Instant;
}

/** Where wall time and the monotonic clock met; shared by all threads of a process. */
export interface ClockAnchor {
  /** The instant at the anchor. */
  wall: Instant;
  /** process.hrtime.bigint() at the anchor: one clock for all threads and processes of a machine. */
  monotonicNs: bigint;
}

/** The wall clock, as an instant. Use it only to make an anchor. */
export function wallClockInstant(): Instant {
  return Date.now() * MICROS_PER_MS;
}

/** The monotonic clock, in nanoseconds. */
export function monotonicNs(): bigint {
  return process.hrtime.bigint();
}

/** The monotonic clock, in milliseconds with a fraction; for measuring durations only. */
export function monotonicMs(): number {
  return performance.now();
}

/** A clock that counts monotonic time from an anchor: a step of the wall clock does not touch it. */
export function anchoredClock(anchor: ClockAnchor): Clock {
  let last = anchor.wall;
  return {
    now(): Instant {
      const elapsedUs = Number((process.hrtime.bigint() - anchor.monotonicNs) / 1000n);
      last = Math.max(last, anchor.wall + elapsedUs);
      return last;
    },
  };
}

/** A clock anchored at this moment's wall time. */
export function systemClock(): Clock {
  return anchoredClock({ wall: wallClockInstant(), monotonicNs: process.hrtime.bigint() });
}
