// Which of several databases are away: those that failed, or are slow to answer, until a read comes through again. What is for
// all of them goes to the others meanwhile; what is a database's own is sent to it all the same, and fails or waits by itself.
import { monotonicMs } from "../../base/clock.ts";
import { RpcError } from "../../base/rpc-error.ts";
import { startTimer, type Timer } from "../../base/timers.ts";

/** A commit that takes longer has its database count as away: workers should not wait for it. */
const SLOW_MS = 500;

/** A read takes no longer, or its database counts as away. */
const READ_MS = 2000;

/** Between two looks at a database that is away. */
const LOOK_MS = 500;

/**
 * A database that is back takes heartbeats and reports for this long before its leases and deadlines are looked at:
 *
 *   a worker's lease passes while its database is away -> both are there again. Expired at once, work would be settled as lost
 *   whose worker has not had the time to say a word.
 */
const SETTLE_MS = 1000;

export class DatabaseHealth {
  readonly #look: () => Promise<unknown>;
  /** When the commits under way began, by monotonicMs; the oldest first. */
  readonly #commits = new Map<symbol, number>();
  #isLost = false;
  #settledMs = Number.NEGATIVE_INFINITY;
  #timer: Timer | null = null;
  #isClosed = false;

  /** `look` is a cheap read. */
  constructor(look: () => Promise<unknown>) {
    this.#look = look;
  }

  /** It fails, or a commit has been under way for long. */
  get isAway(): boolean {
    if (this.#isLost) return true;
    for (const startMs of this.#commits.values()) return monotonicMs() - startMs > SLOW_MS;
    return false;
  }

  /** True while nothing may be concluded from the time that has passed in it. */
  get isUnsettled(): boolean {
    return this.isAway || monotonicMs() < this.#settledMs;
  }

  /** Follows a commit. */
  async commit<T>(call: () => Promise<T>): Promise<T> {
    const key = Symbol();
    this.#commits.set(key, monotonicMs());
    try {
      return await this.#follow(call);
    } finally {
      this.#commits.delete(key);
    }
  }

  /** The answer of a call that is followed; null if the database goes away before it comes. */
  async whileThere<T>(answer: Promise<T>): Promise<T | null> {
    for (;;) {
      const look = Promise.withResolvers<null>();
      const timer = startTimer(SLOW_MS / 2, () => look.resolve(null), { unref: true });
      const first = await Promise.race([answer, look.promise]);
      timer.cancel();
      if (first !== null || this.isAway) return first;
    }
  }

  /** Follows a read that something waits for which is not this database's alone: it has its time. */
  read<T>(call: () => Promise<T>): Promise<T> {
    return this.#follow(() => within(READ_MS, call));
  }

  async #follow<T>(call: () => Promise<T>): Promise<T> {
    try {
      return await call();
    } catch (error) {
      if (error instanceof RpcError && error.reason === "STORAGE_UNAVAILABLE") this.#lost();
      throw error;
    }
  }

  close(): void {
    this.#isClosed = true;
    this.#timer?.cancel();
  }

  #lost(): void {
    if (this.#isLost || this.#isClosed) return;
    this.#isLost = true;
    this.#lookLater();
  }

  #lookLater(): void {
    this.#timer = startTimer(LOOK_MS, () => void this.#lookAgain(), { unref: true });
  }

  async #lookAgain(): Promise<void> {
    try {
      await within(READ_MS, this.#look);
      this.#isLost = false;
      this.#settledMs = monotonicMs() + SETTLE_MS;
    } catch {
      if (!this.#isClosed) this.#lookLater();
    }
  }
}

async function within<T>(limitMs: number, call: () => Promise<T>): Promise<T> {
  const late = Promise.withResolvers<never>();
  const timer = startTimer(limitMs, () => late.reject(new RpcError("STORAGE_UNAVAILABLE")), { unref: true });
  try {
    return await Promise.race([call(), late.promise]);
  } finally {
    timer.cancel();
  }
}
