// Two servers over two PostgreSQL databases, one of them killed while it waits for children; and a database that is away for
// longer than a lease.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { createLogger } from "../../../src/base/logger.ts";
import { delay } from "../../../src/base/timers.ts";
import { type BelayClient, connect, State } from "../../../src/client/client.ts";
import { decodeStruct } from "../../../src/protocol/struct.ts";
import type { JsonObject } from "../../../src/protocol/worker-connection.ts";
import { eventually } from "../../../src/testing/eventually.ts";
import { createWorker, defineOperation, type Worker } from "../../../src/worker/worker.ts";
import { freePort, ServerProcess } from "../../faults/server-process.ts";
import { sharedPostgres } from "../../postgres/shared-postgres.ts";
import type { TestDatabases } from "../../postgres/test-databases.ts";

const LEASE_MS = 15_000;

/** The worker's own node hears of a stand-in first, and takes most of them: of so many two are surely at the other one. */
const FAMILIES_MAX = 60;

const folder = mkdtempSync(join(tmpdir(), "belay-database-nodes-"));
let postgres: TestDatabases;
let databases: readonly [main: string, other: string];
/** The first one is killed; workers and clients are at the second. */
const servers: ServerProcess[] = [];
let main: BelayClient;
let other: BelayClient;
let worker: Worker;
/** The children that were begun, with the kind of abort that they saw; by the parent's label. */
const children = new Map<string, string | null>();
/** Lets the child with this label end. */
const finish = new Map<string, () => void>();

const parent = defineOperation({ type: "nodes.parent", graceMs: 30_000 }, async (context, input) => {
  const child = await context.start("nodes.child", { service: "other", requestId: "1", payload: input });
  return { answer: await child.wait() };
});

const child = defineOperation({ type: "nodes.child", graceMs: 20_000 }, async ({ signal }, input) => {
  const label = String(input["label"]);
  children.set(label, null);
  const { promise, resolve, reject } = Promise.withResolvers<JsonObject>();
  finish.set(label, () => resolve({ got: label }));
  signal.addEventListener("abort", () => {
    children.set(label, (signal.reason as { kind?: string }).kind ?? "other");
    reject(signal.reason);
  });
  return await promise;
});

before(async () => {
  postgres = await sharedPostgres();
  databases = [await postgres.createDatabase(), await postgres.createDatabase()];
  const [url, otherUrl] = databases.map((name) => postgres.url(name));
  const ports: number[] = [];
  for (const index of [0, 1]) {
    const [port, otherPort] = [await freePort(), await freePort()];
    ports.push(port, otherPort);
    const config = join(folder, `node-${index}.yaml`);
    const store = `store: { url: "${url}", poolSize: 4, databases: [{ url: "${otherUrl}", poolSize: 4, services: [other] }] }`;
    writeFileSync(config, `${store}\nservices:\n  - id: default\n  - { id: other, ports: [${otherPort}] }\n`);
    servers.push(await ServerProcess.start({ port, data: join(folder, `node-${index}`), config }));
  }
  const [, , port = 0, otherPort = 0] = ports;
  main = connect(`127.0.0.1:${port}`);
  other = connect(`127.0.0.1:${otherPort}`);
  const server = `http://127.0.0.1:${port}`;
  worker = createWorker({
    server,
    handlers: [parent, child],
    slots: 2 * FAMILIES_MAX + 10,
    logger: createLogger("silent"),
  });
  await worker.start();
});

after(async () => {
  await worker.close();
  main.close();
  other.close();
  for (const server of servers) await server[Symbol.asyncDispose]();
  for (const name of databases) await postgres.dropDatabase(name);
  rmSync(folder, { recursive: true, force: true });
});

/** The parents whose stand-ins wait at the node that has not the worker. */
async function parentsAtFirst(): Promise<unknown[]> {
  const rows = await postgres.query(
    `SELECT o.parents -> 0 ->> 'name' AS name FROM operations o JOIN sessions s ON s.session = o.lease_session
      WHERE o.type = 'belay.child-elsewhere'
        AND s.node <> (SELECT node FROM sessions WHERE kind = 'remote')`,
    [],
    databases[0],
  );
  return rows.map((row) => row["name"]);
}

interface Parent {
  name: string;
  label: string;
}

/** Starts families until two of their stand-ins wait at the first node, and answers those. */
async function familiesAtFirst(): Promise<[Parent, Parent]> {
  const parents: Parent[] = [];
  for (let count = 0; count < FAMILIES_MAX; count++) {
    const label = `family-${count}`;
    const { name } = await main.start("nodes.parent", { payload: { label } });
    parents.push({ name, label });
    await eventually("the child", () => children.has(label));
    const there = await parentsAtFirst();
    const [one, two] = parents.filter((each) => there.includes(each.name));
    if (one && two) return [one, two];
  }
  throw new Error("no stand-in waits at the first node");
}

test("a node takes over the children that a killed one waited for: cancels at once, ends after the lease", async () => {
  const [cancelled, answered] = await familiesAtFirst();
  servers[0]?.kill("SIGKILL");
  await servers[0]?.exited();
  const startMs = performance.now();
  await main.cancel(cancelled.name, { reason: "enough" });
  assert.equal((await main.wait(cancelled.name)).state, State.CANCELLED);
  const tookMs = performance.now() - startMs;
  assert.equal(children.get(cancelled.label), "parent");
  assert.ok(tookMs < LEASE_MS - 5000, `it took ${tookMs} ms`);
  finish.get(answered.label)?.();
  const { state, result } = await main.wait(answered.name);
  assert.equal(state, State.SUCCEEDED);
  assert.equal(result.case, "response");
  assert.deepEqual(decodeStruct(result.value.value)["answer"], { got: answered.label });
  assert.equal(children.get(answered.label), null);
});

test("a worker with no work of a database that is away for longer than its lease goes on, and gets work of it later", async () => {
  for (const end of finish.values()) end();
  await eventually(
    "all ends",
    async () => (await other.list({ filter: "done = false" })).operations.length === 0,
    {
      timeoutMs: 30_000,
    },
  );
  const holds = await main.start("nodes.child", { payload: { label: "holds" } });
  await eventually("the work", () => children.has("holds"));
  const [, away] = databases;
  await postgres.query(`ALTER DATABASE ${away} ALLOW_CONNECTIONS false`);
  await postgres.query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1", [away]);
  const endMs = performance.now() + LEASE_MS + 8000;
  for (let count = 0; performance.now() < endMs; count++) {
    const label = `during-${count}`;
    const { name } = await main.start("nodes.child", { payload: { label } });
    await eventually("work of the main database", () => children.has(label));
    await main.cancel(name);
    assert.equal((await main.wait(name)).state, State.CANCELLED);
    await delay(1000);
  }
  await assert.rejects(other.start("nodes.child", { payload: { label: "refused" } }), {
    code: "UNAVAILABLE",
  });
  await postgres.query(`ALTER DATABASE ${away} ALLOW_CONNECTIONS true`);
  const later = await eventually(
    "the other service",
    () => other.start("nodes.child", { payload: { label: "later" } }).catch(() => undefined),
    { timeoutMs: 20_000 },
  );
  await eventually("work of the other database", () => children.has("later"), { timeoutMs: 20_000 });
  for (const end of finish.values()) end();
  assert.equal((await other.wait(later.name)).state, State.SUCCEEDED);
  assert.equal((await main.wait(holds.name)).state, State.SUCCEEDED);
  assert.equal(children.get("holds"), null);
});
