// What the URL of a database may say beside the place: it adds to what the store needs of a connection, and replaces nothing.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { PostgresConnection } from "../../src/stores/postgres/postgres-connection.ts";
import { PostgresStore, StoreOpenError } from "../../src/stores/postgres/postgres-store.ts";
import { clientConfig, parsePostgresUrl } from "../../src/stores/postgres/postgres-url.ts";
import { sharedPostgres } from "./shared-postgres.ts";
import type { TestDatabases } from "./test-databases.ts";

let databases: TestDatabases;
let database: string;

before(async () => {
  databases = await sharedPostgres();
  database = await databases.createDatabase();
});
after(() => databases.dropDatabase(database));

test("options of the URL are added, and no default of the database breaks a commit off", async () => {
  await databases.query("CREATE SCHEMA belay_own", [], database);
  await databases.query(`ALTER DATABASE ${database} SET statement_timeout = '1234ms'`);
  const options = encodeURIComponent("-c search_path=belay_own -c geqo=off");
  const url = `${databases.url(database)}?options=${options}&sslmode=disable`;
  await (await PostgresStore.open(url)).close();
  const [row] = await databases.query(
    "SELECT to_regclass('belay_own.operations')::TEXT AS own",
    [],
    database,
  );
  assert.equal(row?.["own"], "belay_own.operations");
  const address = parsePostgresUrl(url);
  const connection = await PostgresConnection.open({
    config: clientConfig(address, address.endpoints[0]!, "with options"),
    habits: { keepsStatements: true, takesOptions: true },
    hasGenericPlans: false,
  });
  const settings = ["geqo", "statement_timeout", "enable_seqscan"];
  const text = `SELECT ${settings.map((name) => `current_setting('${name}')`).join(", ")}`;
  assert.deepEqual(await connection.rows({ name: "settings", text }), [["off", "0", "off"]]);
  await connection.close();
});

for (const [name, parameter] of [
  ["statement_timeout", `options=${encodeURIComponent("-c statement_timeout=5s")}`],
  ["statement_timeout", `options=${encodeURIComponent("-c geqo=off -cstatement-timeout=5s")}`],
  ["lock_timeout", `options=${encodeURIComponent("--lock_timeout=5s")}`],
  ["statement_timeout", "statement_timeout=5000"],
  ["query_timeout", "sslmode=disable&query_timeout=5000"],
  ["idle_in_transaction_session_timeout", "idle_in_transaction_session_timeout=1"],
] as const) {
  test(`a URL with ${decodeURIComponent(parameter)} is refused: a commit must not be broken off`, async () => {
    const url = `${databases.url(database)}?${parameter}`;
    await assert.rejects(PostgresStore.open(url), (error) => {
      assert.ok(error instanceof StoreOpenError && !error.isAway);
      assert.match(error.message, new RegExp(`sets ${name}, which Belay sets itself`));
      return true;
    });
  });
}
