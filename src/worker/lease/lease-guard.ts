// Keeps the work of one timed session within its lease: tells the watchdog and the supervisor how long it lasts, and
// aborts everything in time when nothing renews it. The lease itself is the session's (WorkerSession.leaseEndMs).
import { monotonicMs, monotonicNs } from "../../base/clock.ts";
import type { Logger } from "../../base/logger.ts";
import { startTimer, type Timer } from "../../base/timers.ts";
import type { WorkerSession } from "../../protocol/worker-connection.ts";

/** The share of a lease that is left for stopping, at most: heartbeats come every third of it. */
const WINDOW_SHARE = 3;
/**
 * Watchdog and supervisors strike this much before the lease ends, and never less than 20 ms: a kill takes its time, too.
 * 66 processes of a stopped worker were gone 350 ms after the strike, with two cores and five times as much to do.
 */
const STRIKE_SHARE = 8;
const STRIKE_AHEAD_MIN_MS = 20;

/** Work that must not outlive the lease. */
export interface LeasedWork {
  leaseEnds(windowMs: number): void;
}

export interface LeaseGuardOptions {
  session: Pick<WorkerSession, "leaseEndMs">;
  /** What runs now. */
  work(): Iterable<LeasedWork>;
  /** How long stopping by force may take, of whatever may run. */
  killMs: number;
  /** Told on every renewal: nanoseconds of the machine's monotonic clock. */
  leaseUntil(endNs: bigint): void;
  logger: Logger;
}

/** The guard of one session. */
export class LeaseGuard {
  readonly #options: LeaseGuardOptions;
  #endMs = 0;
  #windowMs = 0;
  #strikeMs = 0;
  #isEnding = false;
  #timer: Timer | undefined;

  constructor(options: LeaseGuardOptions) {
    this.#options = options;
    this.renewed();
  }

  /** The lease may have moved: once it has, the work that is still there goes on. */
  renewed(): void {
    const endMs = this.#options.session.leaseEndMs();
    if (endMs === this.#endMs || endMs === Number.POSITIVE_INFINITY) return;
    const now = monotonicMs();
    this.#endMs = endMs;
    this.#windowMs = Math.min(this.#options.killMs, Math.max(0, endMs - now) / WINDOW_SHARE);
    this.#strikeMs = endMs - Math.max(STRIKE_AHEAD_MIN_MS, this.#windowMs / STRIKE_SHARE);
    this.#isEnding = false;
    this.#options.leaseUntil(monotonicNs() + BigInt(Math.round((this.#strikeMs - now) * 1e6)));
    this.#schedule();
  }

  /** How long work may still run: Infinity without a timed lease, 0 when it has passed. */
  get leftMs(): number {
    if (this.#endMs === 0) return Number.POSITIVE_INFINITY;
    return Math.max(0, this.#strikeMs - monotonicMs());
  }

  /** True from the time at which everything was aborted, until a renewal. */
  get isEnding(): boolean {
    return this.#isEnding;
  }

  stop(): void {
    this.#timer?.cancel();
  }

  #schedule(): void {
    this.#timer?.cancel();
    this.#timer = startTimer(this.leftMs - this.#windowMs, () => this.#due(), { unref: true });
  }

  #due(): void {
    const before = this.#endMs;
    this.renewed();
    if (this.#endMs !== before) return;
    this.#isEnding = true;
    const work = [...this.#options.work()];
    if (work.length === 0) return;
    this.#options.logger.error(
      { running: work.length, leftMs: Math.round(this.leftMs) },
      "the lease ends and was not renewed: the work is stopped",
    );
    for (const each of work) each.leaseEnds(this.leftMs);
  }
}
