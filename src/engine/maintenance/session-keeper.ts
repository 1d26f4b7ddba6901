// Ends the sessions of remote workers whose lease has passed: one timer on the earliest lease end. The times are in the
// rows, and the store decides by its own clock: a heartbeat that was committed first wins.
import { type Clock, type Instant, MICROS_PER_MS } from "../../base/clock.ts";
import type { Logger } from "../../base/logger.ts";
import { randomFraction } from "../../base/random.ts";
import { delay, startTimer, type Timer } from "../../base/timers.ts";
import type { PendingWork } from "../store.ts";

/** How often the rows are asked even if nothing was noted: heals a failed commit; finds what another process left. */
const BACKSTOP_MS = 10_000;

/** Where several nodes share the store: how soon one learns that a session of its own was ended or taken over by another. */
const SHARED_BACKSTOP_MS = 2000;

/** Nodes look at a lease that ends each at its own moment within this time: one of them settles it, the others find it done. */
const JITTER_MS = 200;

/** Between two tries of one node, where another one may just hold what is due. */
const BREATH_MS = 50;

/** A timer that is this late means that the process was stopped (SIGSTOP, a suspended machine) or badly overloaded. */
const PAUSE_MS = 500;

/**
 * After a pause the leases wait this long: the heartbeats of that time come first.
 *
 *   a worker beats every 5 s -> the server is stopped for a minute -> it goes on: twelve heartbeats wait in the socket,
 *   and the lease has passed. Expired at once, work would be settled as lost that its worker never stopped.
 */
const SETTLE_MS = 1000;

/** After a failed commit or read. */
const RETRY_MS = 1000;

interface SessionKeeperOptions {
  clock: Clock;
  isShared: boolean;
  logger: Logger;
  pendingWork(): Promise<PendingWork>;
  /** A session of this process may be over, or another node's: the store knows. */
  someMayBeOver(): boolean;
  /** Commits the end of a batch of sessions whose lease has passed. */
  expire(): Promise<unknown>;
  /** Some sessions are over now. */
  expired(): Promise<void>;
}

export class SessionKeeper {
  readonly #options: SessionKeeperOptions;
  #nextLeaseEnd: Instant | null = null;
  #timer: Timer | null = null;
  #wakeAt: Instant = Number.POSITIVE_INFINITY;
  #isRunning = false;
  #isExpiring = false;
  /** The store did not answer: nobody's heartbeats were taken meanwhile, so they get a moment when it does. */
  #wasBlind = false;

  constructor(options: SessionKeeperOptions) {
    this.#options = options;
  }

  start(): void {
    this.#isRunning = true;
    void this.#expire();
  }

  stop(): void {
    this.#isRunning = false;
    this.#timer?.cancel();
  }

  /** A lease of this length begins now. Renewals need not be told: the rows are asked when the earliest one ends. */
  leaseBegun(leaseMs: number): void {
    this.#note(this.#options.clock.now() + leaseMs * MICROS_PER_MS);
    this.#schedule();
  }

  #schedule(): void {
    if (!this.#isRunning || this.#isExpiring) return;
    const { clock, isShared } = this.#options;
    const now = clock.now();
    const backstop = now + (isShared ? SHARED_BACKSTOP_MS : BACKSTOP_MS) * MICROS_PER_MS;
    const wakeAt = Math.min(this.#nextLeaseEnd ?? backstop, backstop);
    if (this.#timer !== null && this.#wakeAt <= wakeAt) return;
    this.#timer?.cancel();
    this.#wakeAt = wakeAt;
    // Rounded up: a timer that fires a fraction early would find nothing due.
    const jitterMs = isShared ? randomFraction() * JITTER_MS : 0;
    const delayMs = Math.ceil((wakeAt - now) / MICROS_PER_MS + jitterMs);
    this.#timer = startTimer(delayMs, () => this.#fire(wakeAt), { unref: true });
  }

  #fire(wakeAt: Instant): void {
    this.#timer = null;
    const lateMs = (this.#options.clock.now() - wakeAt) / MICROS_PER_MS;
    if (lateMs < PAUSE_MS) {
      void this.#expire();
      return;
    }
    this.#options.logger.warn(
      { lateMs: Math.round(lateMs) },
      "the process was paused, or too busy; leases wait a moment",
    );
    this.#wakeAt = Number.NEGATIVE_INFINITY; // nothing may schedule itself before the settle time
    this.#timer = startTimer(SETTLE_MS, () => void this.#expire(), { unref: true });
  }

  async #expire(): Promise<void> {
    const { clock, logger, expired, isShared, someMayBeOver } = this.#options;
    this.#timer = null;
    this.#isExpiring = true;
    // What is noted from here on may be younger than what is read.
    this.#nextLeaseEnd = null;
    try {
      const { next, hasExpired } = await this.#expireDue();
      if (hasExpired || (isShared && someMayBeOver())) await expired();
      this.#note(next);
    } catch (error) {
      this.#wasBlind = true;
      logger.warn({ err: error }, "leases could not be looked at; it is tried again");
      this.#note(clock.now() + RETRY_MS * MICROS_PER_MS);
    } finally {
      this.#isExpiring = false;
      this.#schedule();
    }
  }

  async #expireDue(): Promise<{ next: Instant | null; hasExpired: boolean }> {
    const { clock, isShared, pendingWork, expire } = this.#options;
    let hasExpired = false;
    for (;;) {
      const { nextLeaseEnd } = await pendingWork();
      if (nextLeaseEnd === null || nextLeaseEnd > clock.now() || !this.#isRunning) {
        this.#wasBlind = false;
        return { next: nextLeaseEnd, hasExpired };
      }
      if (this.#wasBlind) {
        this.#wasBlind = false;
        return { next: clock.now() + SETTLE_MS * MICROS_PER_MS, hasExpired };
      }
      await expire();
      hasExpired = true;
      if (isShared) await delay(BREATH_MS * (1 + randomFraction()));
    }
  }

  #note(end: Instant | null): void {
    if (end === null) return;
    this.#nextLeaseEnd = Math.min(this.#nextLeaseEnd ?? end, end);
  }
}
