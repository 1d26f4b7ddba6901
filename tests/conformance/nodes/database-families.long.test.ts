// A parent in one PostgreSQL database and its child in another: one server over both, killed and started again, and one worker.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { OperationAborted } from "../../../src/base/abort-reasons.ts";
import { createLogger } from "../../../src/base/logger.ts";
import { type BelayClient, connect, State } from "../../../src/client/client.ts";
import { decodeStruct } from "../../../src/protocol/struct.ts";
import { eventually } from "../../../src/testing/eventually.ts";
import { createWorker, defineOperation, type Worker } from "../../../src/worker/worker.ts";
import { freePort, ServerProcess } from "../../faults/server-process.ts";
import { sharedPostgres } from "../../postgres/shared-postgres.ts";
import type { TestDatabases } from "../../postgres/test-databases.ts";

const folder = mkdtempSync(join(tmpdir(), "belay-families-"));
const config = join(folder, "belay.yaml");
let postgres: TestDatabases;
let databases: readonly string[];
let port: number;
let server: ServerProcess;
let main: BelayClient;
let other: BelayClient;
let worker: Worker;
/** The children that were begun, with why their signal fired. */
const children = new Map<string, OperationAborted | null>();

const parent = defineOperation({ type: "families.parent" }, async (context, input) => {
  const child = await context.start("families.child", { service: "other", requestId: "1", payload: input });
  return { child: child.name, answer: await child.wait() };
});

const child = defineOperation(
  { type: "families.child", graceMs: 20_000 },
  async ({ name, signal }, input) => {
    children.set(name, null);
    if (!input["holds"]) return { got: input };
    const { promise, reject } = Promise.withResolvers<never>();
    signal.addEventListener("abort", () => {
      if (signal.reason instanceof OperationAborted) children.set(name, signal.reason);
      reject(signal.reason);
    });
    return await promise;
  },
);

function startServer(): Promise<ServerProcess> {
  return ServerProcess.start({ port, data: join(folder, "data"), config });
}

before(async () => {
  postgres = await sharedPostgres();
  databases = [await postgres.createDatabase(), await postgres.createDatabase()];
  const [url, otherUrl] = databases.map((name) => postgres.url(name));
  const otherPort = await freePort();
  port = await freePort();
  const store = `store: { url: "${url}", poolSize: 4, databases: [{ url: "${otherUrl}", poolSize: 4, services: [other] }] }`;
  writeFileSync(config, `${store}\nservices:\n  - id: default\n  - { id: other, ports: [${otherPort}] }\n`);
  server = await startServer();
  main = connect(`127.0.0.1:${port}`);
  other = connect(`127.0.0.1:${otherPort}`);
  worker = createWorker({
    server: `http://127.0.0.1:${port}`,
    handlers: [parent, child],
    slots: 20,
    logger: createLogger("silent"),
  });
  await worker.start();
});

after(async () => {
  await worker.close();
  main.close();
  other.close();
  await server[Symbol.asyncDispose]();
  for (const name of databases) await postgres.dropDatabase(name);
  rmSync(folder, { recursive: true, force: true });
});

test("a handler starts a child in another database, and gets its answer", async () => {
  const { name } = await main.start("families.parent", { payload: { order: 7 } });
  const { state, result } = await main.wait(name);
  assert.equal(state, State.SUCCEEDED);
  assert.equal(result.case, "response");
  assert.deepEqual(decodeStruct(result.value.value)["answer"], { got: { order: 7 } });
  const [own] = (await other.list({})).operations;
  assert.equal(own?.type, "families.child");
});

test("a cancel reaches the child although the server is killed right after it, and the parent settles last", async () => {
  children.clear();
  const { name } = await main.start("families.parent", { payload: { holds: true } });
  const [begun] = await eventually("the child", () => (children.size > 0 ? [...children.keys()] : undefined));
  await main.cancel(name, { reason: "enough" });
  server.kill("SIGKILL");
  await server.exited();
  server = await startServer();
  const ended = await eventually("the end", () => main.wait(name).catch(() => undefined), {
    timeoutMs: 40_000,
  });
  assert.equal(ended.state, State.CANCELLED);
  const reason = children.get(begun ?? "");
  assert.equal(reason?.kind, "parent");
  assert.match(reason?.reason ?? "", /enough/);
  assert.equal((await other.get(begun ?? "")).state, State.CANCELLED);
});
