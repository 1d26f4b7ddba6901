// Resume tokens of a time that a restored database has lost: the same positions are other events there.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { createLogger } from "../../src/base/logger.ts";
import { Engine } from "../../src/engine/engine.ts";
import { PostgresStore } from "../../src/stores/postgres/postgres-store.ts";
import { SharedClock } from "../../src/stores/sqlite/store-clock.ts";
import { policy, request } from "../../src/testing/test-engine.ts";
import { sharedPostgres } from "./shared-postgres.ts";
import type { TestDatabases } from "./test-databases.ts";

const scope = { service: "default", tenant: "default" };
const clock = new SharedClock(1_800_000_000_000_000);
let databases: TestDatabases;
const made: string[] = [];

before(async () => {
  databases = await sharedPostgres();
});
after(() => Promise.all(made.map((name) => databases.dropDatabase(name))));

/** Starts some operations in a database; answers the store, and a token that was sealed behind the last of them. */
async function started(database: string, count: number): Promise<{ store: PostgresStore; token: string }> {
  const store = await PostgresStore.open(databases.url(database), { clock });
  const engine = new Engine({ store, logger: createLogger("silent") });
  engine.registerType("test.work", policy);
  for (let index = 0; index < count; index++) await engine.start(request());
  await engine.close();
  return { store, token: await store.sealToken(scope, await store.feedPosition()) };
}

test("a token of the lost time is refused, before and after other events have its position; older ones go on", async () => {
  const database = await databases.createDatabase();
  const first = await started(database, 3);
  await first.store.close();
  const backup = await databases.createDatabase({ template: database });
  made.push(database, backup);
  clock.advance(60_000);
  const later = await started(database, 3);
  assert.equal(await later.store.openToken(scope, first.token), 3);
  assert.equal(await later.store.openToken(scope, later.token), 6);
  await later.store.close();

  clock.advance(60_000);
  const restored = await started(backup, 0);
  const lost = { reason: "RESUME_TOKEN_EXPIRED" };
  await assert.rejects(restored.store.openToken(scope, later.token), lost);
  assert.equal(await restored.store.openToken(scope, first.token), 3);
  await restored.store.close();
  const longer = await started(backup, 6);
  await assert.rejects(longer.store.openToken(scope, later.token), lost);
  assert.equal(await longer.store.openToken(scope, first.token), 3);
  assert.equal(await longer.store.openToken(scope, longer.token), 9);
  await longer.store.close();
});
