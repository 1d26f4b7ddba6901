// Removes done operations whose retention has passed, in bounded batches, so that commits of others fit in between.
import type { Logger } from "../../base/logger.ts";
import { randomFraction } from "../../base/random.ts";
import { startTimer, type Timer } from "../../base/timers.ts";
import type { Store } from "../store.ts";

/** Give or take a quarter, by chance: of several nodes on one store each comes at its own time. */
const PERIOD_MS = 60_000;

/** Small enough that one batch holds the writer for some milliseconds. */
const BATCH = 500;

/** A pause between full batches. */
const BREATH_MS = 20;

export class RetentionPruner {
  readonly #store: Store;
  readonly #logger: Logger;
  #timer: Timer | null = null;
  #purging: Promise<void> = Promise.resolve();
  #running = false;

  constructor(options: { store: Store; logger: Logger }) {
    this.#store = options.store;
    this.#logger = options.logger;
  }

  start(): void {
    this.#running = true;
    this.#schedule(this.#periodMs());
  }

  /** Resolves when no purge is under way. */
  async stop(): Promise<void> {
    this.#running = false;
    this.#timer?.cancel();
    await this.#purging;
  }

  #schedule(delayMs: number): void {
    if (!this.#running) return;
    this.#timer = startTimer(
      delayMs,
      () => {
        this.#purging = this.#purge();
      },
      { unref: true },
    );
  }

  #periodMs(): number {
    return PERIOD_MS * (this.#store.isShared ? 0.75 + randomFraction() / 2 : 1);
  }

  async #purge(): Promise<void> {
    try {
      const count = await this.#store.purge(BATCH);
      this.#schedule(count === BATCH ? BREATH_MS : this.#periodMs());
    } catch (error) {
      this.#logger.warn({ err: error }, "retention could not reach the store; it tries again");
      this.#schedule(this.#periodMs());
    }
  }
}
