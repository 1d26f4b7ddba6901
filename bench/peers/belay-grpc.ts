// Belay over the wire: the driver is a client, the workers are remote ones, and the server is a process between them.
import { createLogger } from "../../src/base/logger.ts";
import { type BelayClient, connect, State } from "../../src/client/client.ts";
import { createWorker, type Worker } from "../../src/worker/worker.ts";
import type { OperationKind, Peer, PeerAdapter, PeerContext, PeerHandlers } from "./adapter.ts";
import { definitionsOf, SLOTS } from "./belay.ts";

const FILL = 500;

class GrpcPeer implements Peer {
  readonly #client: BelayClient;
  #worker: Worker | undefined;

  constructor(address: string) {
    this.#client = connect(address, { callTimeoutMs: 60_000 });
  }

  async start(kind: OperationKind): Promise<string> {
    return (await this.#client.start(`bench.${kind}`)).name;
  }

  async fill(count: number): Promise<void> {
    for (let done = 0; done < count; done += FILL) {
      await this.#client.batchStart(
        Array.from({ length: Math.min(FILL, count - done) }, () => ({ type: "bench.noop" })),
      );
    }
  }

  async remaining(): Promise<number> {
    let count = 0;
    let pageToken = "";
    do {
      const filter = 'type = "bench.noop" AND done = false';
      const page = await this.#client.list({ filter, pageSize: 1000, pageToken });
      count += page.operations.length;
      pageToken = page.nextPageToken;
    } while (pageToken !== "");
    return count;
  }

  async live(): Promise<void> {
    const operation = await this.#client.start("bench.noop");
    const { state } = await operation.wait();
    if (state !== State.SUCCEEDED) throw new Error(`${operation.name} is ${this.#stateName(state)}`);
  }

  async cancel(id: string): Promise<string> {
    return `cancel() answers ${(await this.#client.cancel(id)).verdict}`;
  }

  async state(id: string): Promise<string> {
    return this.#stateName((await this.#client.get(id)).state);
  }

  async work(handlers: PeerHandlers): Promise<void> {
    const { address: server } = this.#client;
    const logger = createLogger("warn");
    this.#worker = createWorker({
      server,
      handlers: definitionsOf(handlers),
      slots: SLOTS,
      name: "bench",
      logger,
    });
    await this.#worker.start();
  }

  async close(): Promise<void> {
    await this.#worker?.close();
    this.#client[Symbol.dispose]();
  }

  #stateName(state: State): string {
    return Object.entries(State).find(([, value]) => value === state)?.[0] ?? String(state);
  }
}

/** `url` is the server's address. */
export const adapter: PeerAdapter = {
  prepare: () => Promise.resolve(),
  open: ({ url }: PeerContext): Promise<Peer> => Promise.resolve(new GrpcPeer(url)),
};
