// How late the event loop is: the wait of a call before anything of it is looked at, which no count of calls in flight
// shows. Measured only while calls come in, so that an idle server sleeps.
import { monotonicMs } from "../../base/clock.ts";
import { startTimer, type Timer } from "../../base/timers.ts";

const PERIOD_MS = 20;

/** The least of so many samples counts: one long turn (a collection of garbage, a large page) is no standing queue. */
const SAMPLES = 3;

/** So many periods without a call end the measuring. */
const QUIET_PERIODS = 25;

export class LoopDelay {
  #samples: number[] = [];
  #timer: Timer | null = null;
  #isTouched = false;
  #quietPeriods = 0;
  #standingMs = 0;

  /** The standing delay in milliseconds: every turn of the last ones was at least this late. */
  get delayMs(): number {
    return this.#standingMs;
  }

  /** A call has come. */
  touch(): void {
    this.#isTouched = true;
    if (this.#timer === null) this.#arm();
  }

  /** Takes a sample: how late a timer was. The timer calls it. */
  sample(lateMs: number): void {
    this.#samples.push(lateMs);
    if (this.#samples.length > SAMPLES) this.#samples.shift();
    this.#standingMs = this.#samples.length < SAMPLES ? 0 : Math.max(0, Math.min(...this.#samples));
  }

  #arm(): void {
    const dueMs = monotonicMs() + PERIOD_MS;
    this.#timer = startTimer(PERIOD_MS, () => this.#tick(monotonicMs() - dueMs), { unref: true });
  }

  #tick(lateMs: number): void {
    this.sample(lateMs);
    this.#quietPeriods = this.#isTouched ? 0 : this.#quietPeriods + 1;
    this.#isTouched = false;
    if (this.#quietPeriods < QUIET_PERIODS) {
      this.#arm();
      return;
    }
    this.#timer = null;
    this.#samples = [];
    this.#standingMs = 0;
  }
}
