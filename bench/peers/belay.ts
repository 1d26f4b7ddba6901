// Belay in the harness, as a library: an engine on a store, and a worker in the same process. On PostgreSQL every process
// is a node of its own, so that the driver's and the workers' are different nodes of one Belay.
import { mkdtempSync } from "node:fs";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import pg from "pg";
import { createLogger } from "../../src/base/logger.ts";
import { Engine, type StartRequest } from "../../src/engine/engine.ts";
import type { OperationKey } from "../../src/engine/operation.ts";
import { openReceiptKeys } from "../../src/engine/receipts/receipt-keys.ts";
import type { Store } from "../../src/engine/store.ts";
import { createInProcessConnection } from "../../src/services/worker/in-process-connection.ts";
import { SqliteStore } from "../../src/stores/sqlite/sqlite-store.ts";
import { policyOf } from "../../src/worker/operation-policy.ts";
import { createWorker, defineOperation, type OperationDefinition } from "../../src/worker/worker.ts";
import type { OperationKind, Peer, PeerAdapter, PeerContext, PeerHandlers } from "./adapter.ts";

export const SLOTS = 1000;
const FILL = 500;
const WAIT_MS = 60_000;
/** For a process that only declares the types. */
export const nobody: PeerHandlers = { noop() {}, hold: () => Promise.resolve() };
const never = (): void => {};

/** The harness's two operations. */
export function definitionsOf(handlers: PeerHandlers): readonly OperationDefinition[] {
  return [
    defineOperation({ type: "bench.noop" }, async ({ name }) => {
      handlers.noop(name);
      return undefined;
    }),
    defineOperation({ type: "bench.hold" }, async ({ name, signal }) => {
      await handlers.hold(name, signal);
      return undefined;
    }),
  ];
}

/** The store of a URL: PostgreSQL, or a folder of SQLite's. */
export async function openStore(url: string): Promise<Store> {
  const logger = createLogger("warn");
  const onFatal = (message: string): void => logger.fatal(message);
  if (!url.startsWith("postgres:")) return SqliteStore.open(url, { onFatal });
  const { PostgresStore } = await import("../../src/stores/postgres/postgres-store.ts");
  // As `serve` does: known to the other nodes, which tell it of what they commit.
  const node = { node: `bench-${process.pid}`, version: "bench", host: hostname() };
  return PostgresStore.open({ url, onFatal, node });
}

/** How many of an open store's operations have not ended, counted by the database itself. */
export class RemainingCount {
  readonly #pool: pg.Pool | undefined;
  readonly #store: Store;

  constructor(url: string, store: Store) {
    this.#store = store;
    if (url.startsWith("postgres:")) this.#pool = new pg.Pool({ connectionString: url, max: 1 });
  }

  async read(): Promise<number> {
    if (!this.#pool) {
      const counts = await this.#store.liveCounts();
      return counts.reduce((sum, { type, count }) => sum + (type === "bench.noop" ? count : 0), 0);
    }
    const text = `SELECT count(*)::int AS remaining FROM operations
      WHERE state IN ('PENDING', 'RUNNING', 'CANCELLING') AND type = 'bench.noop'`;
    const { rows } = await this.#pool.query<{ remaining: number }>(text);
    return rows[0]?.remaining ?? 0;
  }

  async close(): Promise<void> {
    await this.#pool?.end();
  }
}

const startFields: Omit<StartRequest, "type"> = {
  service: "default",
  tenant: "default",
  idPrefix: "opr",
  parent: "",
  createdBy: "anonymous",
  origin: "bench",
  description: "",
  labels: {},
  request: null,
  metadata: null,
  requestId: "",
  requestDigest: "",
  method: "bench",
  deadline: null,
};

const keyOf = (name: string): OperationKey => ({ service: "default", tenant: "default", name });
const requestOf = (kind: OperationKind): StartRequest => ({ ...startFields, type: `bench.${kind}` });

class BelayPeer implements Peer {
  readonly #store: Store;
  readonly #engine: Engine;
  readonly #remaining: RemainingCount;
  #closeWorker: () => Promise<void> = () => Promise.resolve();

  constructor(url: string, store: Store) {
    const folder = mkdtempSync(join(tmpdir(), "belay-bench-"));
    this.#store = store;
    this.#remaining = new RemainingCount(url, store);
    this.#engine = new Engine({
      store,
      logger: createLogger("warn"),
      receiptKeys: openReceiptKeys(join(folder, "receipts")),
    });
    for (const definition of definitionsOf(nobody)) {
      this.#engine.registerType(definition.type, policyOf(definition));
    }
    this.#engine.startMaintenance();
  }

  async start(kind: OperationKind): Promise<string> {
    return (await this.#engine.start(requestOf(kind))).operation.record.name;
  }

  async fill(count: number): Promise<void> {
    for (let done = 0; done < count; done += FILL) {
      const requests = Array.from({ length: Math.min(FILL, count - done) }, () => requestOf("noop"));
      await this.#engine.batchStart(requests);
    }
  }

  remaining(): Promise<number> {
    return this.#remaining.read();
  }

  async live(): Promise<void> {
    const name = await this.start("noop");
    const { record } = await this.#engine.wait(keyOf(name), { timeoutMs: WAIT_MS, onCallerGone: never });
    if (record.state !== "SUCCEEDED") throw new Error(`${name} is ${record.state}`);
  }

  async cancel(id: string): Promise<string> {
    const call = { key: keyOf(id), requestedBy: "bench", reason: "bench", origin: "bench", graceMs: null };
    return `cancel() answers ${(await this.#engine.cancel(call)).verdict}`;
  }

  async state(id: string): Promise<string> {
    const { record } = await this.#engine.get(keyOf(id));
    return record.state;
  }

  async work(handlers: PeerHandlers): Promise<void> {
    const logger = createLogger("warn");
    const worker = createWorker({
      connection: createInProcessConnection(this.#engine),
      handlers: definitionsOf(handlers),
      slots: SLOTS,
      name: "bench",
      processFolder: mkdtempSync(join(tmpdir(), "belay-bench-")),
      logger,
    });
    await worker.start();
    this.#closeWorker = () => worker.close();
  }

  async close(): Promise<void> {
    await this.#closeWorker();
    await this.#engine.close();
    await this.#remaining.close();
    await this.#store.close();
  }
}

export const adapter: PeerAdapter = {
  async prepare({ url }: PeerContext): Promise<void> {
    await (await openStore(url)).close();
  },
  open: async ({ url }: PeerContext): Promise<Peer> => new BelayPeer(url, await openStore(url)),
};
