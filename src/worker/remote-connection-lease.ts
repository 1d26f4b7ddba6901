// The lease of a session as the worker counts it: from the moment at which the last answered heartbeat was SENT, on its own
// monotonic clock. The server counts from a later moment, so its lease never ends before this one.
import { monotonicMs } from "../base/clock.ts";
import { startTimer, type Timer } from "../base/timers.ts";

/** Of a heartbeat that was not answered yet. */
interface Beat {
  sequence: bigint;
  sentMs: number;
}

export class RemoteLease {
  readonly #onEnd: () => void;
  #leaseMs = 0;
  #endMs = 0;
  #nextSequence = 1n;
  #beats: Beat[] = [];
  #timer: Timer | undefined;

  /** `onEnd` is called once the lease has passed without a renewal. */
  constructor(onEnd: () => void) {
    this.#onEnd = onEnd;
  }

  get leaseMs(): number {
    return this.#leaseMs;
  }

  get endMs(): number {
    return this.#endMs;
  }

  get hasPassed(): boolean {
    return monotonicMs() >= this.#endMs;
  }

  /** A new session that was asked for at `askedMs`. */
  begin(leaseMs: number, askedMs: number): void {
    this.#leaseMs = leaseMs;
    this.#renew(askedMs);
  }

  /** The sequence of a heartbeat that is sent now. */
  beat(): bigint {
    const sequence = this.#nextSequence++;
    this.#beats.push({ sequence, sentMs: monotonicMs() });
    return sequence;
  }

  /** True if the oldest heartbeat of this stream has waited for its answer for so long. */
  isUnansweredFor(ms: number): boolean {
    const [oldest] = this.#beats;
    return oldest !== undefined && monotonicMs() - oldest.sentMs >= ms;
  }

  /** True if the answer renewed the lease. Earlier heartbeats are answered with it. */
  answered(sequence: bigint): boolean {
    const beat = this.#beats.find((each) => each.sequence === sequence);
    if (!beat) return false;
    this.#beats = this.#beats.filter((each) => each.sequence > sequence);
    this.#renew(beat.sentMs);
    return true;
  }

  /** A new stream: what was asked on the old one is not answered any more. */
  restart(): void {
    this.#nextSequence = 1n;
    this.#beats = [];
  }

  stop(): void {
    this.#timer?.cancel();
  }

  #renew(fromMs: number): void {
    this.#endMs = Math.max(this.#endMs, fromMs + this.#leaseMs);
    this.#timer?.cancel();
    this.#timer = startTimer(this.#endMs - monotonicMs(), this.#onEnd, { unref: true });
  }
}
