// Whether the store answers. Asked when somebody wants to know, at most once a second, and steadily only while it does not:
// an idle server asks nothing. While it is away, calls are refused at once, so that they do not pile up behind it.
import { monotonicMs } from "../../base/clock.ts";
import type { Logger } from "../../base/logger.ts";
import { startTimer, type Timer } from "../../base/timers.ts";

/** An answer counts this long. */
const FRESH_MS = 1000;

/** No answer within this time is none. */
const BOUND_MS = 2000;

/** While the store is away it is asked this often. */
const RETRY_MS = 500;

export interface StoreWatchOptions {
  /** Reads something small from the store, the same each time; rejects when that cannot be had. */
  check: () => Promise<unknown>;
  logger: Pick<Logger, "warn" | "info">;
  /** Told when the store goes away and when it is back. */
  onChange: (isUp: boolean) => void;
}

export class StoreWatch {
  readonly #options: StoreWatchOptions;
  #isUp = true;
  #isClosed = false;
  #answeredMs = Number.NEGATIVE_INFINITY;
  #servedMs = Number.NEGATIVE_INFINITY;
  /** The question that is not answered yet. A store that hangs is not asked twice: questions would pile up, too. */
  #asked: Promise<boolean> | null = null;
  #probing: Promise<void> | null = null;
  #retry: Timer | null = null;

  constructor(options: StoreWatchOptions) {
    this.#options = options;
  }

  get isUp(): boolean {
    return this.#isUp;
  }

  /** Makes sure that `isUp` is not older than a second; undefined: it is not. Never rejects. */
  refresh(): Promise<void> | undefined {
    if (!this.#isUp || monotonicMs() - this.#answeredMs < FRESH_MS) return undefined;
    return this.#probe();
  }

  /** Something failed as it does when the store is away. */
  suspect(): void {
    if (this.#isUp && this.#probing === null) void this.#probe();
  }

  /** The store has just served a call. */
  served(): void {
    this.#servedMs = monotonicMs();
  }

  /** Asks no more. */
  close(): void {
    this.#isClosed = true;
    this.#retry?.cancel();
  }

  #probe(): Promise<void> {
    this.#probing ??= this.#ask().then((isUp) => {
      this.#probing = null;
      this.#answeredMs = monotonicMs();
      this.#set(isUp);
      if (!isUp && !this.#isClosed) {
        this.#retry = startTimer(RETRY_MS, () => void this.#probe(), { unref: true });
      }
    });
    return this.#probing;
  }

  async #ask(): Promise<boolean> {
    const startMs = monotonicMs();
    this.#asked ??= this.#options
      .check()
      .then(
        () => true,
        () => false,
      )
      .finally(() => {
        this.#asked = null;
      });
    const bound = Promise.withResolvers<null>();
    const timer = startTimer(BOUND_MS, () => bound.resolve(null), { unref: true });
    const answer = await Promise.race([this.#asked, bound.promise]);
    timer.cancel();
    // Late behind a queue of calls that are served is not away: it would take the load from this server to the next one.
    return answer ?? this.#servedMs > startMs;
  }

  #set(isUp: boolean): void {
    if (isUp === this.#isUp || this.#isClosed) return;
    this.#isUp = isUp;
    const { logger, onChange } = this.#options;
    if (isUp) logger.info("the database answers again");
    else logger.warn("the database does not answer: calls are refused until it does");
    onChange(isUp);
  }
}
