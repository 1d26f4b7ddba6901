// belay serve whose database is not there yet, or goes while the server starts: it waits, says so, and serves.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { eventually } from "../../src/testing/eventually.ts";
import { PostgresProxy } from "../faults/postgres-proxy.ts";
import { type PostgresServer, startPostgres } from "../postgres/postgres-server.ts";
import { StartingServer } from "./starting-server.ts";

const folder = mkdtempSync(join(tmpdir(), "belay-away-"));
let database: PostgresServer;

before(async () => {
  database = await startPostgres();
});
after(async () => {
  await database[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true, force: true });
});

function start(store: string, name: string): StartingServer {
  return new StartingServer(["--data", join(folder, name), "--store", store]);
}

test("a node that starts before its database waits for it, and says so in one line for each state", async () => {
  const name = await database.createDatabase();
  await database.stop("fast");
  await using node = start(database.url(name), "before");
  await eventually("it waits", () => node.output.includes("is tried again"));
  // Longer than one try of the store: the lines stay the same.
  await new Promise((resolve) => setTimeout(resolve, 6000));
  await database.start();
  await node.serves();
  for (const line of ["cannot be reached", "is tried again", "the start goes on"])
    assert.equal(node.count(line), 1, node.output);
});

test("a node whose connections break at any moment of its start serves", async () => {
  await using proxy = await PostgresProxy.open(database.port);
  // From the first connection to the last statement of a start: each of them is the one that breaks.
  for (let after = 1; after <= 41; after += 8) {
    const name = await database.createDatabase();
    const cut = proxy.cutAfter(after, 3);
    await using node = start(proxy.url(name), `cut-${after}`);
    await Promise.race([cut, node.serves()]);
    await node.serves();
  }
});

test("a database that restarts while a node starts is waited for", async () => {
  const name = await database.createDatabase();
  await using node = start(database.url(name), "restart");
  for (const mode of ["immediate", "fast", "kill"] as const) await database.restart(mode);
  await node.serves();
});
