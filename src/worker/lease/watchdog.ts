// The main thread's side of the watchdog: starts it, keeps its numbers up to date, starts it again should it ever end.
import { once } from "node:events";
import { extname } from "node:path";
import { Worker } from "node:worker_threads";
import type { Logger } from "../../base/logger.ts";
import { WatchdogMemory } from "./watchdog-memory.ts";

/** The entry beside this file: `.ts` in the sources, `.js` in dist. */
const entry = new URL(`./watchdog-entry${extname(import.meta.filename)}`, import.meta.url);

/** A thread that kills the process if work outlives its lease. */
export class Watchdog {
  readonly #memory = new WatchdogMemory();
  readonly #logger: Logger;
  #thread: Worker | undefined;

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  /** Resolves when the thread watches; rejects if it cannot be started. */
  async start(): Promise<void> {
    const thread = new Worker(entry, {
      name: "belay-watchdog",
      workerData: this.#memory.buffer,
      env: {},
      execArgv: [],
    });
    this.#thread = thread;
    await once(thread, "message"); // rejects with the thread's `error`
    thread.unref();
    thread.on("error", (error) => this.#logger.error({ err: error }, "the lease's watchdog failed"));
    thread.once("exit", () => {
      if (!this.#memory.isOver) void this.#restart();
    });
  }

  /** The lease ends at this time of the machine's monotonic clock; null: there is none. */
  leaseUntil(endNs: bigint | null): void {
    this.#memory.endNs = endNs ?? 0n;
  }

  /** Work begins; it counts as running until `stopped`. */
  began(): void {
    this.#memory.began();
  }

  stopped(): void {
    this.#memory.stopped();
  }

  async close(): Promise<void> {
    this.#memory.end();
    await this.#thread?.terminate();
  }

  /** Without its watchdog the worker is not what its server was told. */
  async #restart(): Promise<void> {
    try {
      await this.start();
    } catch (error) {
      this.#logger.fatal({ err: error }, "the lease's watchdog cannot be started: the worker ends");
      process.kill(process.pid, "SIGKILL");
    }
  }
}
