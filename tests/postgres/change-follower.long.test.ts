// What one node commits, told to another: by message, by looking when messages are lost, in order, and never twice over.
import assert from "node:assert/strict";
import test, { before, type TestContext } from "node:test";
import { monotonicMs, systemClock } from "../../src/base/clock.ts";
import type { RemoteChange } from "../../src/engine/store.ts";
import { ChangeFollower } from "../../src/stores/postgres/change-follower.ts";
import { openSchema } from "../../src/stores/postgres/migrator.ts";
import { NodeRegistry } from "../../src/stores/postgres/node-registry.ts";
import { PostgresPool } from "../../src/stores/postgres/postgres-pool.ts";
import type { Statement } from "../../src/stores/postgres/queryable.ts";
import { eventually } from "../../src/testing/eventually.ts";
import { storedOperation } from "../../src/testing/stored-operation.ts";
import { sharedPostgres } from "./shared-postgres.ts";
import type { TestDatabases } from "./test-databases.ts";

/** A batch of one event for each name, as a commit writes it. */
const commitBatch: Statement = {
  name: "test_commit",
  text: `WITH m AS (UPDATE meta SET feed_position = feed_position + cardinality($1::TEXT[]) RETURNING feed_position),
    e AS (SELECT count(*)::INTEGER AS n FROM unnest($1::TEXT[]))
    INSERT INTO feed (position, time, services, tenants, names, types, revisions, states, times, deleted)
    SELECT feed_position, 1, array_fill('s'::TEXT, ARRAY[n]), array_fill('t'::TEXT, ARRAY[n]), $1::TEXT[],
      array_fill('x.y'::TEXT, ARRAY[n]), array_fill(1::BIGINT, ARRAY[n]), array_fill($2::TEXT, ARRAY[n]),
      array_fill(7::BIGINT, ARRAY[n]), array_fill(0::SMALLINT, ARRAY[n]) FROM m, e RETURNING position`,
};

let databases: TestDatabases;
before(async () => {
  databases = await sharedPostgres();
});

interface Node {
  pool: PostgresPool;
  follower: ChangeFollower;
  notices: string[];
  /** What it was told. */
  changes: RemoteChange[];
  position: number;
  ready: (readonly string[] | null)[];
  /** Commits events of these names; untold, as if its answer had been lost. */
  commit(names: readonly string[], state?: string): Promise<{ first: number; last: number }>;
}

const closers = new Map<string, (() => Promise<void>)[]>();

/** Its nodes are closed before it goes: afterwards they could not sign off. */
async function makeDatabase(t: TestContext): Promise<string> {
  const name = await databases.createDatabase();
  closers.set(name, []);
  t.after(async () => {
    await Promise.all(closers.get(name)?.map((close) => close()) ?? []);
    await databases.dropDatabase(name);
  });
  return name;
}

/** `listen`: the database whose messages it hears; null for none. */
async function openNode(database: string, node: string, listen: string | null): Promise<Node> {
  const pool = new PostgresPool({ url: databases.url(database), poolSize: 3 }, 0);
  await openSchema(pool);
  const facts = { node, version: "0.0.1", host: "test", onOutdated: assert.fail };
  const registry = await NodeRegistry.open({ connections: pool, ...facts });
  const notices: string[] = [];
  const follower = await ChangeFollower.open({
    connections: pool,
    listen: listen === null ? null : () => ({ connectionString: databases.url(listen) }),
    node,
    clock: systemClock(),
    onNotice: (line) => notices.push(line),
  });
  const made: Node = {
    ...{ pool, follower, notices, changes: [], position: 0, ready: [] },
    commit: async (names, state = "RUNNING") => {
      const [row] = await pool.rows<[number]>(commitBatch, [names, state]);
      const last = row?.[0] ?? 0;
      return { first: last - names.length + 1, last };
    },
  };
  follower.follow({
    changed: (changes, position) => {
      assert.ok(position >= made.position, "positions never go back while the feed does not");
      made.position = position;
      made.changes.push(...changes);
    },
    ready: (types) => made.ready.push(types && [...types]),
  });
  closers.get(database)?.push(async () => {
    await follower.close();
    await registry.close();
    await pool.close();
  });
  return made;
}

const namesOf = ({ changes }: Node): string[] => changes.map(({ name }) => name);

async function hearing(...nodes: Node[]): Promise<void> {
  await eventually("messages", () => nodes.every(({ follower }) => follower.hears));
}

test("a commit is told to the other node, whole, and not to the one that made it", async (t) => {
  const database = await makeDatabase(t);
  const one = await openNode(database, "one", database);
  const two = await openNode(database, "two", database);
  await hearing(one, two);
  const position = await one.commit(["operations/a", "operations/b"], "PENDING");
  one.follower.committed({ position, changed: [] });
  await eventually("the change", () => two.changes.length > 0);
  assert.deepEqual(two.changes[0], {
    service: "s",
    tenant: "t",
    name: "operations/a",
    type: "x.y",
    revision: 1,
    state: "PENDING",
    time: 7,
    isDeleted: false,
  });
  assert.deepEqual(namesOf(two), ["operations/a", "operations/b"]);
  assert.deepEqual(two.ready.at(0), ["x.y"]);
  assert.deepEqual([one.changes, one.position, two.position], [[], position.last, position.last]);
});

test("batches of two nodes come in the order of the feed, own ones left out", async (t) => {
  const database = await makeDatabase(t);
  const one = await openNode(database, "one", database);
  const two = await openNode(database, "two", database);
  const wanted: string[] = [];
  for (let round = 0; round < 150; round++) {
    const [by, name] = round % 3 === 0 ? [two, `own/${round}`] : [one, `other/${round}`];
    if (by === one) wanted.push(name);
    by.follower.committed({ position: await by.commit([name]), changed: [] });
  }
  await eventually("all", () => two.position === 150);
  const told = namesOf(two);
  assert.deepEqual(
    told.filter((name) => name.startsWith("other/")),
    wanted,
  );
  // One that was read between its commit and the answer to that is told, too.
  const own = told.length - wanted.length;
  assert.ok(own < 10, `${own} of its own 50 commits were told`);
});

const lost: [string, (database: string) => Promise<string | null>][] = [
  ["nobody listens", async () => null],
  // LISTEN is taken, and nothing ever comes: messages stay within a database. As behind a pooler in transaction mode.
  ["the connection is deaf", async () => "postgres"],
  ["the connection is refused", async () => "no_such_database"],
];
for (const [why, listen] of lost) {
  test(`where ${why}, a commit is told within the time of a look`, async (t) => {
    const database = await makeDatabase(t);
    const one = await openNode(database, "one", database);
    const two = await openNode(database, "two", await listen(database));
    await eventually("the line that says so", () => two.notices.some((line) => line.includes("each 250 ms")));
    const waits: number[] = [];
    for (let round = 1; round <= 5; round++) {
      const start = monotonicMs();
      one.follower.committed({
        position: await one.commit([`operations/${round}`], "SUCCEEDED"),
        changed: [],
      });
      await eventually("the change", () => two.changes.length === round);
      waits.push(monotonicMs() - start);
    }
    assert.ok(Math.max(...waits) < 1500, `${waits} ms`);
    // What ended may have freed a slot: that, too, needs no message.
    await eventually("the types", () => two.ready.some((types) => types?.includes("x.y") ?? false));
    assert.equal(two.notices.length, 1, `said once: ${two.notices}`);
  });
}

test("a commit whose answer was lost is told to the node that made it", async (t) => {
  const database = await makeDatabase(t);
  const one = await openNode(database, "one", database);
  await one.commit(["operations/unknown"]);
  await eventually("the change", () => one.changes.length === 1);
  assert.deepEqual(namesOf(one), ["operations/unknown"]);
});

test("work that is ready without a visible change is told with its type", async (t) => {
  const database = await makeDatabase(t);
  const one = await openNode(database, "one", database);
  const two = await openNode(database, "two", database);
  await hearing(one, two);
  const changed = [storedOperation({ type: "vault.count", startAfter: 0 })];
  await eventually("the type", () => {
    // A node that has come this moment is told from the next look on.
    one.follower.committed({ position: null, changed });
    return two.ready.some((types) => types?.includes("vault.count") ?? false);
  });
  assert.deepEqual(two.changes, []);
});

test("after a failover that lost commits, what was committed in their place is told", async (t) => {
  const database = await makeDatabase(t);
  const one = await openNode(database, "one", null);
  const two = await openNode(database, "two", null);
  one.follower.committed({ position: await one.commit(["a", "b", "c"]), changed: [] });
  await eventually("both", () => two.position === 3 && one.position === 3);
  // The standby had not got the batch; two others are committed there.
  await databases.query("DELETE FROM feed", [], database);
  await databases.query("UPDATE meta SET feed_position = 0", [], database);
  const changesBefore = two.changes.length;
  two.position = 0;
  one.position = 0;
  await one.commit(["d"]);
  await eventually(
    "the new one",
    () => two.changes.length > changesBefore && two.changes.at(-1)?.name === "d",
  );
});

test("a broken listening connection is made anew", async (t) => {
  const database = await makeDatabase(t);
  const one = await openNode(database, "one", database);
  await hearing(one);
  const kill =
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1 AND query LIKE 'LISTEN%'";
  assert.equal((await databases.query(kill, [database])).length, 1);
  await eventually("the line", () => one.notices.some((line) => line.startsWith("messages do not arrive")));
  await eventually("the second connection", () =>
    one.notices.includes("messages of other nodes arrive again"),
  );
});
