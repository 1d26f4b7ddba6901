// One server over two databases: a service in each, one worker for both.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { type BelayClient, connect, State } from "../../../src/client/client.ts";
import { eventually } from "../../../src/testing/eventually.ts";
import { freePort, ServerProcess } from "../../faults/server-process.ts";
import { sharedPostgres } from "../../postgres/shared-postgres.ts";
import type { TestDatabases } from "../../postgres/test-databases.ts";
import { type GroupWorker, startGroupWorker } from "./node-group.ts";

const folder = mkdtempSync(join(tmpdir(), "belay-databases-"));
let postgres: TestDatabases;
let databases: readonly [main: string, other: string];
let server: ServerProcess;
let main: BelayClient;
let other: BelayClient;
let worker: GroupWorker;

before(async () => {
  postgres = await sharedPostgres();
  databases = [await postgres.createDatabase(), await postgres.createDatabase()];
  const [port, otherPort] = [await freePort(), await freePort()];
  const [url, otherUrl] = databases.map((name) => postgres.url(name));
  const config = join(folder, "belay.yaml");
  const store = `store: { url: "${url}", poolSize: 4, databases: [{ url: "${otherUrl}", poolSize: 4, services: [other] }] }`;
  writeFileSync(config, `${store}\nservices:\n  - id: default\n  - { id: other, ports: [${otherPort}] }\n`);
  server = await ServerProcess.start({ port, data: join(folder, "data"), config });
  main = connect(`127.0.0.1:${port}`);
  other = connect(`127.0.0.1:${otherPort}`);
  worker = await startGroupWorker({ port, client: main, process: server }, "databases.hold");
});

after(async () => {
  await worker[Symbol.asyncDispose]();
  main.close();
  other.close();
  await server[Symbol.asyncDispose]();
  for (const name of databases) await postgres.dropDatabase(name);
  rmSync(folder, { recursive: true, force: true });
});

async function servicesIn(database: string): Promise<unknown[]> {
  const rows = await postgres.query("SELECT DISTINCT service FROM operations ORDER BY 1", [], database);
  return rows.map((row) => row["service"]);
}

async function begun(client: BelayClient): Promise<string> {
  const { name } = await client.start("databases.hold", { payload: {} });
  await eventually("the work", () => worker.begun.includes(name));
  return name;
}

test("each service's operations are in its own database, and one worker has the work of both", async () => {
  for (const client of [main, other]) {
    const name = await begun(client);
    const { verdict } = await client.cancel(name);
    assert.equal(verdict, "STOPPING");
    assert.equal((await client.wait(name)).state, State.CANCELLED);
    assert.deepEqual(
      (await client.list({})).operations.map((each) => each.name),
      [name],
    );
  }
  assert.deepEqual(await servicesIn(databases[0]), ["default"]);
  assert.deepEqual(await servicesIn(databases[1]), ["other"]);
  assert.equal((await main.workers()).filter(({ embedded }) => !embedded).length, 1);
});

test("a watch tells what happens in its service's database", async () => {
  const names: string[] = [];
  const name = await begun(other);
  let isThere = false;
  const watching = (async () => {
    for await (const event of other.watch({ names: [name] })) {
      isThere = true;
      if (event.type === "change") names.push(event.event.name);
      if (event.type === "change" && event.event.state === State.CANCELLED) return;
    }
  })();
  // Before it is there the cancel may be over: then it has nothing to tell, and ends.
  await eventually("the watch", () => isThere);
  await other.cancel(name);
  await watching;
  assert.ok(names.includes(name));
});

test("a database that is away takes only its own service along, and its worker goes on", async () => {
  const [, away] = databases;
  await postgres.query(`ALTER DATABASE ${away} ALLOW_CONNECTIONS false`);
  await postgres.query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1", [away]);
  const waiting = other.start("databases.hold", { payload: {} });
  for (let count = 0; count < 3; count++) {
    const name = await begun(main);
    await main.cancel(name);
    assert.equal((await main.wait(name)).state, State.CANCELLED);
  }
  await postgres.query(`ALTER DATABASE ${away} ALLOW_CONNECTIONS true`);
  const { name } = await waiting;
  await eventually("its work", () => worker.begun.includes(name));
});
