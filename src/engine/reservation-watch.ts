// How long a worker may keep what it has reserved and not begun: after a bounded time its session takes it back. Knows nothing
// of the store; that the attempt has begun meanwhile is the fence's to see.
import { monotonicMs } from "../base/clock.ts";
import { startTimer, type Timer } from "../base/timers.ts";
import { keyText } from "./decision.ts";
import type { OperationKey } from "./operation.ts";

/**
 * A worker says that it begins in the turn in which it reads an assignment, and again until it is answered. What it leaves
 * unread for this long ends its stream; so one that reads, beats and says nothing of an assignment has lost it, and without
 * this bound the operation would wait for as long as the session lives.
 */
export const BEGIN_MS_MAX = 30_000;

/** A reserved attempt. */
interface Reserved {
  key: OperationKey;
  token: number;
}

export class ReservationWatch {
  readonly #takeBack: (attempt: Reserved) => void;
  readonly #limitMs: number;
  /** By keyText; the oldest first. */
  readonly #reserved = new Map<string, Reserved & { sinceMs: number }>();
  #timer: Timer | null = null;

  /** `takeBack` is called once the time of an attempt is over, and again after as long if it is still reserved. */
  constructor(takeBack: (attempt: Reserved) => void, limitMs: number = BEGIN_MS_MAX) {
    this.#takeBack = takeBack;
    this.#limitMs = limitMs;
  }

  add({ key, token }: Reserved): void {
    const text = keyText(key);
    this.#reserved.delete(text); // an older grant of the same operation: its place in the order is gone
    this.#reserved.set(text, { key, token, sinceMs: monotonicMs() });
    this.#schedule();
  }

  /** It has begun, or is the session's no more. A timer that finds nothing due looks for the next. */
  delete({ key, token }: Reserved): void {
    if (this.#reserved.size === 0) return; // with the server's own worker always: its grants begin at once
    const text = keyText(key);
    if (this.#reserved.get(text)?.token === token) this.#reserved.delete(text);
  }

  stop(): void {
    this.#reserved.clear();
    this.#timer?.cancel();
    this.#timer = null;
  }

  #schedule(): void {
    const [oldest] = this.#reserved.values();
    if (oldest === undefined || this.#timer !== null) return;
    // Rounded up: a timer that fires a fraction early would find nothing due.
    const delayMs = Math.ceil(oldest.sinceMs + this.#limitMs - monotonicMs());
    this.#timer = startTimer(delayMs, () => this.#due(), { unref: true });
  }

  #due(): void {
    this.#timer = null;
    const nowMs = monotonicMs();
    for (const [text, attempt] of this.#reserved) {
      if (attempt.sinceMs + this.#limitMs > nowMs) break;
      // Back in the line: a return that failed (the store was full) is tried again.
      this.#reserved.delete(text);
      this.#reserved.set(text, { ...attempt, sinceMs: nowMs });
      this.#takeBack(attempt);
    }
    this.#schedule();
  }
}
