// Several `belay serve` processes on one PostgreSQL database, and a worker at one of them.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createLogger } from "../../../src/base/logger.ts";
import { type BelayClient, connect } from "../../../src/client/client.ts";
import { createWorker, defineOperation, type Worker } from "../../../src/worker/worker.ts";
import { freePort, ServerProcess } from "../../faults/server-process.ts";
import { sharedPostgres } from "../../postgres/shared-postgres.ts";
import { openProxy, type StreamProxy } from "../workers/stream-proxy.ts";

/** One server process with a client of its own. */
export interface TestNode {
  readonly port: number;
  readonly client: BelayClient;
  readonly process: ServerProcess;
}

export interface NodeGroup extends AsyncDisposable {
  readonly nodes: readonly TestNode[];
  /** The node that has the worker of an operation type. */
  workerNode(type: string): Promise<unknown>;
}

/** Starts nodes on a database of their own. `listens` false: they hear of each other by looking only. */
export async function startNodes(count: number, { listens = true } = {}): Promise<NodeGroup> {
  const databases = await sharedPostgres();
  const database = await databases.createDatabase();
  const url = databases.url(database);
  const folder = mkdtempSync(join(tmpdir(), "belay-nodes-"));
  const start = async (index: number): Promise<TestNode> => {
    const port = await freePort();
    const config = join(folder, `node-${index}.yaml`);
    writeFileSync(config, `store: { url: "${url}", poolSize: 4, listen: ${listens} }\n`);
    const data = join(folder, `node-${index}`);
    const process = await ServerProcess.start({ port, data, config, slots: 2 });
    return { port, process, client: connect(`127.0.0.1:${port}`) };
  };
  const nodes: TestNode[] = [await start(0)]; // it makes the schema
  nodes.push(...(await Promise.all(Array.from({ length: count - 1 }, (_, index) => start(index + 1)))));
  return {
    nodes,
    async workerNode(type) {
      const text = "SELECT node FROM sessions WHERE kind = 'remote' AND types = $1";
      const [row] = await databases.query(text, [JSON.stringify([type])], database);
      return row?.["node"];
    },
    async [Symbol.asyncDispose]() {
      for (const { client } of nodes) client.close();
      await Promise.all(nodes.map(({ process }) => process[Symbol.asyncDispose]()));
      await databases.dropDatabase(database);
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** A worker in this process whose operations run until they are cancelled, behind a network that can be led elsewhere. */
export interface GroupWorker extends AsyncDisposable {
  readonly proxy: StreamProxy;
  /** When the signal of an operation fired, by monotonic milliseconds; by name. */
  readonly aborted: ReadonlyMap<string, number>;
  /** The operations that were begun. */
  readonly begun: readonly string[];
  /** Lets the running operations end by themselves. */
  finish(): void;
}

export async function startGroupWorker(node: TestNode, type: string): Promise<GroupWorker> {
  const proxy = await openProxy(node.port);
  const aborted = new Map<string, number>();
  const begun: string[] = [];
  const finished = Promise.withResolvers<void>();
  const operation = defineOperation({ type, graceMs: 20_000, maxAttempts: 1 }, async ({ signal, name }) => {
    begun.push(name);
    await Promise.race([
      finished.promise,
      new Promise<never>((_, reject) => {
        signal.addEventListener("abort", () => {
          aborted.set(name, performance.now());
          reject(signal.reason);
        });
      }),
    ]);
    return { by: "worker" };
  });
  const worker: Worker = createWorker({
    server: `http://127.0.0.1:${proxy.port}`,
    handlers: [operation],
    slots: 50,
    logger: createLogger("silent"),
  });
  await worker.start();
  return {
    proxy,
    aborted,
    begun,
    finish: () => finished.resolve(),
    async [Symbol.asyncDispose]() {
      await worker.close();
      await proxy[Symbol.asyncDispose]();
    },
  };
}
