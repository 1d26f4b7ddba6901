// The times of a stop: when the grace ends, and when the work counts as stuck. Both only ever move earlier (G3).
import { monotonicMs } from "../base/clock.ts";
import { startTimer, type Timer } from "../base/timers.ts";

/** Calls once at a time that can be brought forward, never put off. */
class EarliestTimer {
  readonly #callback: () => void;
  #dueMs = Number.POSITIVE_INFINITY;
  #timer: Timer | undefined;
  #isOver = false;

  constructor(callback: () => void) {
    this.#callback = callback;
  }

  within(delayMs: number): void {
    const dueMs = monotonicMs() + delayMs;
    if (this.#isOver || dueMs >= this.#dueMs) return;
    this.#dueMs = dueMs;
    this.#timer?.cancel();
    this.#timer = startTimer(delayMs, () => {
      this.#isOver = true;
      this.#callback();
    });
  }

  cancel(): void {
    this.#isOver = true;
    this.#timer?.cancel();
  }
}

/** The stop of one attempt. */
export class StopLadder {
  readonly #grace: EarliestTimer;
  readonly #stuck: EarliestTimer;

  constructor(steps: { escalate(): void; stuck(): void }) {
    this.#grace = new EarliestTimer(steps.escalate);
    this.#stuck = new EarliestTimer(steps.stuck);
  }

  /** The grace ends in `graceMs` at the latest; without an end of the work in `stuckMs`, it is stuck. */
  climb(graceMs: number, stuckMs: number): void {
    this.#grace.within(graceMs);
    this.#stuck.within(stuckMs);
  }

  /** The work has stopped. */
  cancel(): void {
    this.#grace.cancel();
    this.#stuck.cancel();
  }
}
