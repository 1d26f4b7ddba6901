// How long a node that starts waits for its database: one that restarts or fails over just then is no reason to give up.
// Only the start: a node that serves goes on by itself whatever happens to its database.
import { monotonicMs } from "../base/clock.ts";
import type { Logger } from "../base/logger.ts";
import { RpcError } from "../base/rpc-error.ts";
import { delay } from "../base/timers.ts";
import { StoreOpenError } from "../stores/store-open-error.ts";

/** Longer than a fail-over takes with a lease of 30 s. Then the process ends, and whoever supervises it starts it again. */
const PATIENCE_MS = 60_000;
/** Between two tries; each looks for a connection for some seconds by itself. */
const PAUSE_MS = 500;

/** True for what is over when the database is back. */
export function isStoreAway(error: unknown): boolean {
  return error instanceof StoreOpenError
    ? error.isAway
    : error instanceof RpcError && error.reason === "STORAGE_UNAVAILABLE";
}

/** The steps of one start share one patience. */
export class StartPatience {
  readonly #logger: Logger;
  readonly #untilMs: number = monotonicMs() + PATIENCE_MS;
  #isWaiting = false;

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  /** Runs a step, again while the store is away. Throws what the step throws in the end. */
  async run<T>(step: () => Promise<T>): Promise<T> {
    for (;;) {
      try {
        const result = await step();
        if (this.#isWaiting) this.#logger.warn("the database is there again; the start goes on");
        this.#isWaiting = false;
        return result;
      } catch (error) {
        if (!isStoreAway(error) || monotonicMs() + PAUSE_MS > this.#untilMs) throw error;
        this.#tell(error);
      }
      await delay(PAUSE_MS);
    }
  }

  #tell(error: unknown): void {
    if (this.#isWaiting) return;
    this.#isWaiting = true;
    const why = error instanceof Error ? error.message : String(error);
    this.#logger.warn(`${why}; the start is tried again for up to ${PATIENCE_MS / 1000} s`);
  }
}
