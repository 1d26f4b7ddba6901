// The schema of a database as nodes and `belay migrate` meet it: empty, older, newer, changed, and while others are at work.
import assert from "node:assert/strict";
import test, { before, type TestContext } from "node:test";
import { Client } from "pg";
import {
  knownMigrations,
  type Migration,
  parseMigration,
} from "../../src/stores/postgres/migration-files.ts";
import { applyMigrations, openSchema, planMigrations } from "../../src/stores/postgres/migrator.ts";
import { NodeRegistry } from "../../src/stores/postgres/node-registry.ts";
import { PostgresPool } from "../../src/stores/postgres/postgres-pool.ts";
import { checkRows } from "../../src/stores/postgres/row-check.ts";
import { checkSchema } from "../../src/stores/postgres/schema-check.ts";
import { liveNodes } from "../../src/stores/postgres/schema-state.ts";
import { StoreOpenError } from "../../src/stores/store-open-error.ts";
import { eventually } from "../../src/testing/eventually.ts";
import { sharedPostgres } from "./shared-postgres.ts";
import type { TestDatabases } from "./test-databases.ts";

const known = knownMigrations();
const newest = known.length;
/** Old nodes go on: it only adds. */
const additive = step(
  newest + 1,
  1,
  "ALTER TABLE nodes ADD COLUMN note TEXT; CREATE TABLE notes (id INTEGER);",
);
/** They do not: what they write is gone. */
const breaking = step(newest + 2, newest + 2, "ALTER TABLE nodes DROP COLUMN note;");
/** Little enough that PostgreSQL lets other connections learn of it when they next look by themselves. */
const small = [
  step(
    1,
    1,
    `CREATE TABLE nodes (node TEXT, version TEXT, host TEXT, schema_max INTEGER, start_time BIGINT,
      heartbeat_time BIGINT);`,
  ),
];
const withAdditive = [...known, additive];
const withBreaking = [...known, additive, breaking];

function step(version: number, worksWith: number, sql: string): Migration {
  const number = String(version).padStart(4, "0");
  return parseMigration(`${number}_test.sql`, `-- works-with-schema: ${worksWith}\n${sql}\n`);
}

let databases: TestDatabases;
before(async () => {
  databases = await sharedPostgres();
});

interface World {
  name: string;
  pool: PostgresPool;
  query(text: string): Promise<Record<string, unknown>[]>;
}

async function emptyDatabase(t: TestContext): Promise<World> {
  const name = await databases.createDatabase();
  const pool = new PostgresPool({ url: databases.url(name), poolSize: 4 }, 0);
  t.after(async () => {
    for (const registry of registries.values()) await registry.close();
    registries.clear();
    await pool.close();
    await databases.dropDatabase(name);
  });
  return { name, pool, query: (text) => databases.query(text, [], name) };
}

async function openNode({ pool }: World, node: string, migrations = known): Promise<string[]> {
  const lines: string[] = [];
  const onOutdated = (line: string): void => void lines.push(line);
  const facts = { node, version: "0.0.1", host: "test" };
  const registry = await NodeRegistry.open({ connections: pool, ...facts, onOutdated, migrations });
  registries.set(node, registry);
  return lines;
}
const registries = new Map<string, NodeRegistry>();

test("nodes that meet at an empty database make its schema once", async (t) => {
  const { pool, query } = await emptyDatabase(t);
  await Promise.all([openSchema(pool), openSchema(pool), openSchema(pool)]);
  const applied = await query("SELECT version, checksum FROM belay_schema ORDER BY version");
  assert.deepEqual(
    applied,
    known.map(({ version, checksum }) => ({ version, checksum })),
  );
});

test("a node that looked before another made the schema, and waited for it, finds it there", async (t) => {
  const { name, query } = await emptyDatabase(t);
  const [first, late] = [0, 1].map(() => new PostgresPool({ url: databases.url(name), poolSize: 1 }, 0));
  const holder = new Client({ connectionString: databases.url(name) });
  await holder.connect();
  t.after(() => Promise.all([first?.close(), late?.close()]));
  assert.ok(first && late);
  // What a connection has not found it remembers, and so does a statement that it has prepared.
  assert.equal((await planMigrations(late, small)).current, 0);
  await holder.query("SELECT pg_advisory_lock(hashtextextended('belay_schema', 0))");
  const waiting =
    "SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted AND database = " +
    "(SELECT oid FROM pg_database WHERE datname = current_database())";
  const making = openSchema(first, small);
  await eventually("the first waits", async () => (await query(waiting)).length === 1);
  const opening = openSchema(late, small);
  await eventually("both wait", async () => (await query(waiting)).length === 2);
  await holder.end();
  await Promise.all([making, opening]);
  assert.equal((await planMigrations(late, small)).current, 1);
});

test("a step that old nodes can work with is taken at open, beside them", async (t) => {
  const world = await emptyDatabase(t);
  await openSchema(world.pool);
  const outdated = await openNode(world, "old");
  await openSchema(world.pool, withAdditive);
  registries.get("old")?.beat();
  const beaten = "SELECT 1 FROM nodes WHERE heartbeat_time > start_time";
  await eventually("the heartbeat", async () => (await world.query(beaten)).length === 1);
  assert.deepEqual(outdated, []);
});

test("a step that old nodes cannot work with is refused at open, with the versions and the command", async (t) => {
  const { pool, name } = await emptyDatabase(t);
  await openSchema(pool, withAdditive);
  await assert.rejects(openSchema(pool, withBreaking), (error: unknown) => {
    assert.ok(error instanceof StoreOpenError);
    assert.match(
      error.message,
      new RegExp(`database ${name} has schema ${newest + 1}.*needs ${newest + 2}.*belay migrate apply`),
    );
    return true;
  });
  assert.equal((await planMigrations(pool, withAdditive)).current, newest + 1);
});

test("apply waits for no old node: it is refused while one is registered, and done once it has signed off", async (t) => {
  const world = await emptyDatabase(t);
  await openSchema(world.pool, withAdditive);
  await openNode(world, "old-one", withAdditive);
  const plan = await planMigrations(world.pool, withBreaking);
  assert.deepEqual([plan.steps.length, plan.nodesAgainst.map(({ node }) => node)], [1, ["old-one"]]);
  await assert.rejects(applyMigrations(world.pool, withBreaking), /cannot go to schema .* old-one on test/);
  await registries.get("old-one")?.close();
  assert.deepEqual(await liveNodes(world.pool), []);
  await applyMigrations(world.pool, withBreaking);
  assert.equal((await planMigrations(world.pool, withBreaking)).current, newest + 2);
});

test("a node that was counted as gone, and comes back after a breaking step, is told to end", async (t) => {
  const world = await emptyDatabase(t);
  await openSchema(world.pool, withAdditive);
  const outdated = await openNode(world, "paused", withAdditive);
  await world.query("UPDATE nodes SET heartbeat_time = heartbeat_time - 40000000");
  await applyMigrations(world.pool, withBreaking);
  registries.get("paused")?.beat();
  await eventually("the line", () => outdated.length === 1);
  assert.match(outdated[0] ?? "", new RegExp(`schema ${newest + 2}.*knows ${newest + 1}`));
});

test("a newer schema is refused, and a node of before cannot register on it", async (t) => {
  const { pool } = await emptyDatabase(t);
  await openSchema(pool, withBreaking);
  const newer = new RegExp(
    `has schema ${newest + 2}; this version of Belay knows ${newest}: start the version`,
  );
  await assert.rejects(openSchema(pool), newer);
  await assert.rejects(planMigrations(pool), newer);
  const registering = NodeRegistry.open({
    connections: pool,
    node: "n",
    version: "0",
    host: "h",
    onOutdated: assert.fail,
  });
  await assert.rejects(registering, newer);
});

test("a migration that was changed after it was applied is found", async (t) => {
  const { pool } = await emptyDatabase(t);
  await openSchema(pool, withAdditive);
  const other = step(newest + 1, 1, "CREATE TABLE others (id INTEGER);");
  await assert.rejects(openSchema(pool, [...known, other]), /made by another migration .*_test\.sql/);
});

test("tables of Belay's names that Belay has not made are left alone", async (t) => {
  const { pool, query } = await emptyDatabase(t);
  await query("CREATE TABLE operations (id INTEGER)");
  await assert.rejects(openSchema(pool), /tables of Belay's names \(operations\).*not one of Belay's/);
});

test("a role that may not make tables is told so in one line", async (t) => {
  const { name } = await emptyDatabase(t);
  const role = `reader_${name}`;
  await databases.query(`CREATE ROLE ${role} LOGIN`);
  const url = databases.url(name).replace(/\/\/[^@]*@/, `//${role}@`);
  const pool = new PostgresPool({ url }, 0);
  t.after(async () => {
    await pool.close();
    await databases.query(`DROP ROLE ${role}`);
  });
  await assert.rejects(openSchema(pool), /permission denied.*give the role CREATE/);
});

test("a step waits for a long transaction in short turns, and holds nobody up meanwhile", async (t) => {
  const { pool, name, query } = await emptyDatabase(t);
  await openSchema(pool);
  const client = new Client({ connectionString: databases.url(name) });
  client.on("error", () => undefined); // a test that failed drops its database
  await client.connect();
  await client.query("BEGIN; SELECT * FROM nodes");
  const applied = applyMigrations(pool, withAdditive);
  const waiting =
    "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()";
  await eventually("the wait", async () => (await query(waiting)).length === 1);
  // It has the advisory lock, and asks for the table's: a reader of the table comes through within its time limit.
  await query("SELECT * FROM nodes");
  await client.query("COMMIT");
  assert.equal((await applied).steps.length, 1);
  await client.end();
});

const damages: [string, string, RegExp][] = [
  ["a dropped index", "DROP INDEX operations_timer", /index operations_timer is missing/],
  [
    "a disabled trigger",
    "ALTER TABLE audit DISABLE TRIGGER audit_is_appended",
    /audit_is_appended is .*DISABLED/,
  ],
  [
    "a dropped constraint",
    "ALTER TABLE operations DROP CONSTRAINT lease_is_whole",
    /constraint operations\.lease_is_whole is missing/,
  ],
  ["another type", "ALTER TABLE slots ALTER COLUMN used TYPE NUMERIC", /column slots\.used is numeric/],
  [
    "a changed function",
    "CREATE OR REPLACE FUNCTION belay_undone_stays() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN OLD; END'",
    /function belay_undone_stays/,
  ],
  ["lost autovacuum settings", "ALTER TABLE slots RESET (autovacuum_vacuum_threshold)", /table slots is/],
];

test("verify finds whatever is not as the migrations make it, and nothing else", async (t) => {
  const { pool, query } = await emptyDatabase(t);
  await openSchema(pool);
  const whole = await checkSchema(pool);
  assert.deepEqual(whole.problems, []);
  assert.ok(whole.compared > 200, `${whole.compared} objects`);
  for (const [, sql] of damages) await query(sql);
  const { problems } = await checkSchema(pool);
  for (const [what, , line] of damages)
    assert.ok(
      problems.some((problem) => line.test(problem)),
      `${what}: ${problems}`,
    );
  assert.deepEqual(await query("SELECT 1 FROM pg_namespace WHERE nspname LIKE 'belay_check%'"), []);
});

test("verify finds rows that break a rule across tables", async (t) => {
  const { pool, query } = await emptyDatabase(t);
  await openSchema(pool);
  assert.deepEqual(
    (await checkRows(pool)).filter(({ violations }) => violations > 0),
    [],
  );
  await query("INSERT INTO labels VALUES ('s', 't', 'operations/lost', 'k', 'v')");
  await query("INSERT INTO slots VALUES ('s', 't', 'x.y', '', 3)");
  await query("INSERT INTO feed VALUES (5, 1, '{s}', '{t}', '{n}', '{x}', '{1}', '{PENDING}', '{1}', '{0}')");
  const broken = (await checkRows(pool)).filter(({ violations }) => violations > 0);
  assert.deepEqual(
    broken.map(({ claim, violations }) => [claim, violations]),
    [
      ["every row of labels belongs to an operation", 1],
      ["a slot counts the operations that use it", 1],
      ["the feed ends where it is said to end", 1],
    ],
  );
  assert.deepEqual(broken[0]?.examples, ["s operations/lost"]);
});
