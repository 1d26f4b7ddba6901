// Records a watch of everything, which goes on at the next node, from its resume token, whenever its node goes away.
import { delay, startTimer } from "../../src/base/timers.ts";
import { BelayError, connect } from "../../src/client/client.ts";
import type { ToldEvent, Watched } from "./history.ts";
import { viewOfEvent } from "./view.ts";

const PAUSE_MS = 50;

export class WatchRecord implements Watched {
  readonly caller: string;
  readonly label = null;
  readonly events: ToldEvent[] = [];
  fromMs: number = Number.POSITIVE_INFINITY;
  untilMs: number = Number.POSITIVE_INFINITY;
  /** How often it went on at another node. */
  moves = 0;
  /** Resolves when it has caught up: from then on it is told everything. */
  readonly begun: Promise<void>;
  readonly #abort = new AbortController();
  readonly #ended: Promise<void>;
  readonly #told = new Map<string, () => void>();

  constructor(caller: string, addresses: readonly string[]) {
    this.caller = caller;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.begun = promise;
    this.#ended = this.#follow(addresses, resolve);
  }

  /**
   * Resolves when it was told the end of this operation, which was started when all others had ended: everything before has
   * been told by then. `atMs`: when it was started.
   */
  async untilTold(name: string, atMs: number, withinMs: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#told.set(name, resolve);
    if (this.events.some((event) => event.name === name && event.view.done)) resolve();
    const late = startTimer(withinMs, resolve);
    await promise;
    late.cancel();
    this.untilMs = atMs;
  }

  async close(): Promise<void> {
    this.#abort.abort();
    await this.#ended;
  }

  async #follow(addresses: readonly string[], begun: () => void): Promise<void> {
    let resumeToken = "";
    for (let node = 0; !this.#abort.signal.aborted; node++) {
      const address = addresses[node % addresses.length] ?? "";
      using client = connect(address);
      const watch = client.watch({
        ...{ signal: this.#abort.signal, awayMaxMs: 1 },
        ...(resumeToken === "" ? { initial: true } : { resumeToken }),
      });
      try {
        for await (const message of watch) {
          resumeToken = watch.resumeToken;
          if (message.type === "caughtUp") {
            this.fromMs = performance.now();
            begun();
          }
          if (message.type === "change") this.#take(message.event.name, viewOfEvent(message.event));
        }
      } catch (error) {
        if (this.#abort.signal.aborted) return;
        if (!(error instanceof BelayError) || !error.isUnreachable) throw error;
        if (watch.resumeToken !== "") resumeToken = watch.resumeToken;
        this.moves++;
        await delay(PAUSE_MS);
      }
    }
  }

  #take(name: string, view: ToldEvent["view"]): void {
    this.events.push({ name, atMs: performance.now(), view });
    if (view.done) this.#told.get(name)?.();
  }
}
