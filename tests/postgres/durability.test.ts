// A server that would forget what it has acknowledged is no store (G9).
import assert from "node:assert/strict";
import { test } from "node:test";
import { PostgresStore, StoreOpenError } from "../../src/stores/postgres/postgres-store.ts";
import { startPostgres } from "./postgres-server.ts";

test("a server that syncs nothing, or answers before it has, is refused, however it is told to", async () => {
  await using server = await startPostgres({ settings: { fsync: "off" } });
  const database = await server.createDatabase();
  const refused = (setting: string): Promise<void> =>
    assert.rejects(PostgresStore.open(server.url(database)), (error) => {
      assert.ok(error instanceof StoreOpenError && !error.isAway);
      assert.match(error.message, new RegExp(`cannot be opened: ${setting} is off, and must be on`));
      return true;
    });
  await refused("fsync");
  await server.set({ fsync: "on", synchronous_commit: "off" });
  await refused("synchronous_commit");
  await server.set({ synchronous_commit: "on" });
  await server.query(`ALTER DATABASE ${database} SET synchronous_commit = 'off'`);
  await refused("synchronous_commit");
  await server.query(`ALTER DATABASE ${database} SET synchronous_commit = 'local'`);
  await server.set({ synchronous_standby_names: "FIRST 1 (nobody)" });
  const told: string[] = [];
  const store = await PostgresStore.open(server.url(database), { onNotice: (line) => told.push(line) });
  await store.close();
  assert.equal(told.filter((line) => /synchronous_commit of the database is local/.test(line)).length, 1);
});
