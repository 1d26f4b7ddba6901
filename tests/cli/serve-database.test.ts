// belay serve and a database that it cannot open, or that goes while the server starts.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { PostgresProxy } from "../faults/postgres-proxy.ts";
import { sharedPostgres } from "../postgres/shared-postgres.ts";
import { StartingServer } from "./starting-server.ts";

const folder = mkdtempSync(join(tmpdir(), "belay-open-"));
after(() => rmSync(folder, { recursive: true, force: true }));

function start(store: string, name: string): StartingServer {
  return new StartingServer(["--data", join(folder, name), "--store", store]);
}

test("a node whose database is away while it starts waits for it, and serves", async () => {
  const databases = await sharedPostgres();
  const name = await databases.createDatabase();
  await using proxy = await PostgresProxy.open(Number(new URL(databases.url(name)).port));
  // In the midst of the schema, and at each try after it: more often than a store tries again by itself.
  const broken = proxy.cutAfter(12, 4);
  await using node = start(proxy.url(name), "cut");
  await broken;
  await node.serves();
  assert.equal(node.count("the start goes on"), node.count("is tried again"), node.output);
});

test("a database that does not exist is no matter of waiting: exit code 8 and one line, with the first connection", async () => {
  const databases = await sharedPostgres();
  await using proxy = await PostgresProxy.open(Number(new URL(databases.url("nowhere")).port));
  await using node = start(proxy.url("nowhere"), "nowhere");
  const [code] = await node.exited;
  assert.equal(code, 8, node.output);
  assert.match(node.output, /belay: the database at .* cannot be opened: .*"nowhere"/);
  assert.equal(node.count("is tried again"), 0, node.output);
  assert.equal(proxy.connections, 1);
});
