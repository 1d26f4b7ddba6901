// Keeps one timer on the earliest deadline, timeout or retry of any operation, and ticks those that are due.
// The times themselves are in the rows: after a restart they are read again.
import { type Clock, type Instant, MICROS_PER_MS, monotonicMs } from "../../base/clock.ts";
import type { Logger } from "../../base/logger.ts";
import { randomFraction } from "../../base/random.ts";
import { startTimer, type Timer } from "../../base/timers.ts";
import type { PendingWork } from "../store.ts";

/** How often the rows are asked even if nothing was noted: heals a lost wake-up or a failed commit. */
const BACKSTOP_MS = 5000;

/** Where several nodes share the store: what one of them noted may have to be done by another, which has not heard of it. */
const SHARED_BACKSTOP_MS = 1000;

/**
 * A time that was read from a shared store is looked at this much later, by chance: the node that noted it when it
 * committed is there first, and ten others that find nothing to do any more do not come at the same moment.
 */
const JITTER_MS = 100;

/** Between two ticks of one node, where another one may just hold what is due. */
const BREATH_MS = 25;

/** A timer that is this late means that the process was stopped (SIGSTOP, a suspended machine). */
const PAUSE_MS = 1000;

/**
 * After a pause the deadlines wait this long: the workers' reports of that time come first.
 *
 *   cancel -> the process is stopped for a minute -> it goes on: the handler's stop and the cancel deadline are both
 *   due. Ticked at once, the operation would end STOP_UNCONFIRMED although its evidence is a few milliseconds away.
 */
const SETTLE_MS = 1000;

/**
 * After a start they wait this long, if some came due while no server was there: longer than the pause that a worker makes
 * between two tries to come back with its session (2 s).
 *
 *   cancel -> the server is killed, and starts again after the cancel deadline -> the handler has stopped long ago, and
 *   its worker says so as soon as it is back.
 */
const RETURN_MS = 2500;

/**
 * A shared store that takes this long to say what is due was away: the pool of a database looks for a connection for some
 * seconds before a read fails. Deadlines then wait RETURN_MS, as after a start: reports are tried again within a second, and
 * the database may be back for this node sooner than for the one whose worker has the evidence.
 *
 *   cancel -> the database fails over for 3 s -> it is back: the handler's stop and the cancel deadline are both due, and
 *   the report that was refused meanwhile is on its way again.
 */
const SLOW_MS = 1000;

/** A database that is always slow may delay a deadline only once in this time. */
const SLOW_AGAIN_MS = 60_000;

interface TimerKeeperOptions {
  clock: Clock;
  isShared: boolean;
  pendingWork(): Promise<PendingWork>;
  logger: Logger;
  /** Commits a tick of all that is due. */
  tickDue(): Promise<unknown>;
  /** Nobody could watch for a while: gives the operations that would end unwatched their time again. */
  restartWatch(): Promise<unknown>;
  /** Some pending operation may be due to start. */
  startDue(): void;
}

export class TimerKeeper {
  readonly #options: TimerKeeperOptions;
  #nextTimer: Instant | null = null;
  #nextStart: Instant | null = null;
  #timer: Timer | null = null;
  #wakeAt: Instant = Number.POSITIVE_INFINITY;
  #running = false;
  #ticking = false;
  /** Before the next tick: a server that was away could accept no watcher. */
  #wasAway = true;
  /** The shared store did not say what is due when it was last asked. */
  #isBlind = false;
  /** Nothing is ticked before this moment of the monotonic clock. */
  #settlesUntilMs = Number.NEGATIVE_INFINITY;

  constructor(options: TimerKeeperOptions) {
    this.#options = options;
  }

  start(): void {
    this.#running = true;
    this.#ticking = true; // nothing may schedule itself before it is known what waits
    void this.#begin();
  }

  stop(): void {
    this.#running = false;
    this.#timer?.cancel();
  }

  /** An operation has a timer at this instant. */
  note(timer: Instant | null): void {
    if (timer === null || (this.#nextTimer !== null && this.#nextTimer <= timer)) return;
    this.#nextTimer = timer;
    this.#schedule();
  }

  /** A pending operation may start at this instant. */
  noteStart(instant: Instant): void {
    if (this.#nextStart !== null && this.#nextStart <= instant) return;
    this.#nextStart = instant;
    this.#schedule();
  }

  #schedule(): void {
    if (!this.#running || this.#ticking) return;
    const now = this.#options.clock.now();
    const backstop = now + this.#backstopMs() * MICROS_PER_MS;
    const wakeAt = Math.min(this.#nextTimer ?? backstop, this.#nextStart ?? backstop, backstop);
    if (this.#timer !== null && this.#wakeAt <= wakeAt) return;
    this.#timer?.cancel();
    this.#wakeAt = wakeAt;
    // Rounded up: a timer that fires a fraction early would find nothing due.
    const delayMs = Math.ceil((wakeAt - now) / MICROS_PER_MS);
    this.#timer = startTimer(delayMs, () => this.#fire(wakeAt), { unref: true });
  }

  #fire(wakeAt: Instant): void {
    this.#timer = null;
    const lateMs = (this.#options.clock.now() - wakeAt) / MICROS_PER_MS;
    if (lateMs < PAUSE_MS) {
      void this.#tick();
      return;
    }
    this.#options.logger.warn(
      { lateMs: Math.round(lateMs) },
      "the process was paused, or too busy; deadlines wait a moment",
    );
    this.#wasAway = true;
    this.#tickAfter(SETTLE_MS);
  }

  async #begin(): Promise<void> {
    const { clock, pendingWork } = this.#options;
    let isDue = false;
    try {
      await this.#comeBack();
      const { nextTimer } = await pendingWork();
      isDue = nextTimer !== null && nextTimer <= clock.now();
    } catch {
      // The tick asks again, and tells.
    }
    this.#ticking = false;
    if (!this.#running) return;
    if (isDue) this.#tickAfter(RETURN_MS);
    else await this.#tick();
  }

  /** What is due to start need not wait for it. */
  #tickAfter(settleMs: number): void {
    this.#options.startDue();
    this.#wakeAt = Number.NEGATIVE_INFINITY; // nothing may schedule itself before the settle time
    this.#timer = startTimer(settleMs, () => void this.#tick(), { unref: true });
  }

  async #tick(): Promise<void> {
    const { clock, isShared, logger, startDue } = this.#options;
    this.#timer = null;
    this.#ticking = true;
    try {
      await this.#comeBack();
      if (this.#nextTimer === null || this.#nextTimer <= clock.now()) await this.#tickDue();
      // Of a shared store all that is due is told by the store itself, now and then: what waits for a worker that nobody
      // has started would else have every idle session ask, each second.
      const isAsked = !isShared || (this.#nextStart !== null && this.#nextStart <= clock.now());
      this.#nextTimer = null;
      this.#nextStart = null;
      const pending = await this.#look();
      const now = clock.now();
      this.#ticking = false;
      if (pending.nextStart !== null && pending.nextStart <= now) {
        if (isAsked) startDue();
      } else if (pending.nextStart !== null) this.noteStart(pending.nextStart);
      this.note(this.#laterIfShared(pending.nextTimer));
    } catch (error) {
      this.#isBlind = isShared;
      logger.warn({ err: error }, "maintenance could not reach the store; it tries again");
    } finally {
      this.#ticking = false;
      this.#schedule();
    }
  }

  /** Another node may have ticked what was due a moment ago: a look is cheaper than an empty commit on each of them. */
  async #tickDue(): Promise<void> {
    const { clock, isShared, tickDue } = this.#options;
    if (isShared) {
      const { nextTimer } = await this.#look();
      if (nextTimer === null || nextTimer > clock.now() || this.#settlesForMs() > 0) return;
    }
    await tickDue();
  }

  /** What is due; notes whether the store was away before it answered. Throws what the read throws. */
  async #look(): Promise<PendingWork> {
    const { isShared, pendingWork, logger } = this.#options;
    const askedMs = monotonicMs();
    const pending = await pendingWork();
    const nowMs = monotonicMs();
    const isSlow = nowMs - askedMs >= SLOW_MS && nowMs - this.#settlesUntilMs >= SLOW_AGAIN_MS;
    if (!isShared || !(this.#isBlind || isSlow)) return pending;
    this.#isBlind = false;
    this.#wasAway = true;
    this.#settlesUntilMs = nowMs + RETURN_MS;
    logger.warn({ settleMs: RETURN_MS }, "the store was away, or slow to answer; deadlines wait a moment");
    return pending;
  }

  #settlesForMs(): number {
    return Math.max(0, this.#settlesUntilMs - monotonicMs());
  }

  #laterIfShared(timer: Instant | null): Instant | null {
    if (timer === null || !this.#options.isShared) return timer;
    const laterMs = this.#settlesForMs() + BREATH_MS + randomFraction() * JITTER_MS;
    return Math.max(timer, this.#options.clock.now()) + Math.round(laterMs * MICROS_PER_MS);
  }

  #backstopMs(): number {
    return this.#options.isShared ? SHARED_BACKSTOP_MS * (0.75 + randomFraction() / 2) : BACKSTOP_MS;
  }

  /** Before anything is ticked: the deadlines of unwatched operations that came due while nobody could watch do not count. */
  async #comeBack(): Promise<void> {
    if (!this.#wasAway) return;
    await this.#options.restartWatch();
    this.#wasAway = false;
  }
}
