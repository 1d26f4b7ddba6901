// Merges progress: at most one report in flight, at least 100 ms apart, the last value wins.
import { monotonicMs } from "../base/clock.ts";
import { startTimer, type Timer } from "../base/timers.ts";

/** The least time between two progress reports of one attempt. */
export const PROGRESS_EVERY_MS = 100;

export interface ProgressValue {
  percent: number;
  message: string;
}

/** The progress of one attempt. */
export class ProgressMerger {
  readonly #send: (progress: ProgressValue) => Promise<unknown>;
  #latest: ProgressValue | undefined;
  #isInFlight = false;
  #timer: Timer | undefined;
  #lastSentMs = Number.NEGATIVE_INFINITY;

  /** `send` must not reject. */
  constructor(send: (progress: ProgressValue) => Promise<unknown>) {
    this.#send = send;
  }

  push(progress: ProgressValue): void {
    this.#latest = progress;
    this.#schedule();
  }

  /** The attempt has ended: what is left is sent now, ahead of the report of the end. */
  flush(): void {
    this.#timer?.cancel();
    const latest = this.#latest;
    this.#latest = undefined;
    if (latest) void this.#send(latest);
  }

  #schedule(): void {
    if (this.#isInFlight || this.#timer || !this.#latest) return;
    const waitMs = this.#lastSentMs + PROGRESS_EVERY_MS - monotonicMs();
    if (waitMs <= 0) void this.#sendLatest();
    else {
      this.#timer = startTimer(waitMs, () => {
        this.#timer = undefined;
        void this.#sendLatest();
      });
    }
  }

  async #sendLatest(): Promise<void> {
    const latest = this.#latest;
    if (!latest) return;
    this.#latest = undefined;
    this.#isInFlight = true;
    this.#lastSentMs = monotonicMs();
    await this.#send(latest);
    this.#isInFlight = false;
    this.#schedule();
  }
}
