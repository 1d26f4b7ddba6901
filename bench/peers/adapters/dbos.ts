// DBOS: a queue of workflows; the driver is its client. Results are kept. `hold` is one step that looks at its signal.
import { DBOS, DBOSClient } from "@dbos-inc/dbos-sdk";
import pg from "pg";
import type { OperationKind, Peer, PeerAdapter, PeerContext, PeerHandlers } from "../adapter.ts";

const QUEUE = "bench";
const APPLICATION = "bench";
const VERSION = "1";
/** Enqueues of a fill that share a transaction. */
const FILL = 500;

class DbosPeer implements Peer {
  readonly #context: PeerContext;
  readonly #pool: pg.Pool;
  #client: Promise<DBOSClient> | undefined;
  #isLaunched = false;

  constructor(context: PeerContext) {
    this.#context = context;
    this.#pool = new pg.Pool({ connectionString: context.url, max: 4 });
  }

  async start(kind: OperationKind): Promise<string> {
    const client = await this.#driver();
    return (await client.enqueue(this.#options(kind), 1)).workflowID;
  }

  async fill(count: number): Promise<void> {
    const client = await this.#driver();
    let left = count;
    const lane = async (): Promise<void> => {
      const connection = await this.#pool.connect();
      while (left > 0) {
        const size = Math.min(FILL, left);
        left -= size;
        await connection.query("BEGIN");
        for (let index = 0; index < size; index++) {
          await client.enqueueInTransaction(connection, this.#options("noop"), 1);
        }
        await connection.query("COMMIT");
      }
      connection.release();
    };
    await Promise.all(Array.from({ length: 4 }, lane));
  }

  async remaining(): Promise<number> {
    const text = `SELECT count(*)::int AS left FROM dbos.workflow_status
      WHERE name = 'noop' AND status IN ('ENQUEUED', 'PENDING')`;
    const { rows } = await this.#pool.query(text);
    return rows[0].left;
  }

  async cancel(id: string): Promise<string> {
    await (await this.#driver()).cancelWorkflow(id);
    return "cancelWorkflow() answers";
  }

  async state(id: string): Promise<string> {
    const text = "SELECT status FROM dbos.workflow_status WHERE workflow_uuid = $1";
    const { rows } = await this.#pool.query(text, [id]);
    return String(rows[0]?.status);
  }

  async work(handlers: PeerHandlers): Promise<void> {
    const { url, isTuned } = this.#context;
    DBOS.setConfig({
      name: APPLICATION,
      systemDatabaseUrl: url,
      applicationVersion: VERSION,
      logLevel: "error",
      ...(isTuned && { systemDatabasePoolSize: 20 }),
    });
    DBOS.registerWorkflow(async () => handlers.noop(String(DBOS.workflowID)), { name: "noop" });
    const hold = async (): Promise<void> => {
      const id = String(DBOS.workflowID);
      await DBOS.runStep(() => handlers.hold(id, DBOS.stepStatus?.cancelSignal), { name: "hold" });
    };
    DBOS.registerWorkflow(hold, { name: "hold" });
    await DBOS.launch();
    this.#isLaunched = true;
    await DBOS.registerQueue(QUEUE, isTuned ? { workerConcurrency: 100, minPollingIntervalMs: 20 } : {});
  }

  async close(): Promise<void> {
    if (this.#isLaunched) await DBOS.shutdown();
    await (await this.#client)?.destroy();
    await this.#pool.end();
  }

  #options(kind: OperationKind): { queueName: string; workflowName: string; appVersion: string } {
    return { queueName: QUEUE, workflowName: kind, appVersion: VERSION };
  }

  #driver(): Promise<DBOSClient> {
    const { url, isTuned } = this.#context;
    this.#client ??= DBOSClient.create({
      systemDatabaseUrl: url,
      applicationName: APPLICATION,
      ...(isTuned && { systemDatabasePoolSize: 20 }),
    });
    return this.#client;
  }
}

export const adapter: PeerAdapter = {
  async prepare({ url, isTuned }: PeerContext): Promise<void> {
    DBOS.setConfig({
      name: APPLICATION,
      systemDatabaseUrl: url,
      applicationVersion: VERSION,
      logLevel: "error",
    });
    DBOS.registerWorkflow(async () => {}, { name: "noop" });
    await DBOS.launch();
    await DBOS.registerQueue(QUEUE, isTuned ? { workerConcurrency: 100, minPollingIntervalMs: 20 } : {});
    await DBOS.shutdown();
  },
  open: (context: PeerContext): Promise<Peer> => Promise.resolve(new DbosPeer(context)),
};
