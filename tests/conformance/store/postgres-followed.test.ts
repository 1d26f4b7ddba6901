// What one node is told, and reads, of what another one commits on the same database: everything, once, in one order.
import assert from "node:assert/strict";
import { test } from "node:test";
import pg from "pg";
import type { RemoteChange } from "../../../src/engine/store.ts";
import { PostgresStore } from "../../../src/stores/postgres/postgres-store.ts";
import { eventually } from "../../../src/testing/eventually.ts";
import { sharedPostgres } from "../../postgres/shared-postgres.ts";
import { PostgresHarness } from "./postgres-harness.ts";
import { World } from "./store-harness.ts";

const COMMITS = 60;

async function twoNodes(tell: (one: World, other: PostgresStore) => Promise<void>): Promise<void> {
  const harness = await PostgresHarness.open();
  const other = await harness.openNode();
  try {
    await tell(new World(harness), other);
  } finally {
    await other.close();
    await harness.dispose();
  }
}

test("a follower is told every change of another node, in the order of the feed, and none of its own", () =>
  twoNodes(async (world, other) => {
    const told: RemoteChange[] = [];
    const follower = other.follow({ changed: (changes) => void told.push(...changes), ready: () => {} });
    const grant = await world.running();
    const own = await other.commit([world.start()]);
    await world.store.commit([world.complete(grant)]);
    const { name } = grant.record;
    const ofIt = (): RemoteChange[] => told.filter((change) => change.name === name);
    await eventually("the end is told", () => ofIt().some(({ state }) => state === "SUCCEEDED"));
    assert.deepEqual(
      ofIt().map(({ revision, state }) => `${revision} ${state}`),
      ["1 PENDING", "2 RUNNING", "3 SUCCEEDED"],
    );
    const [first] = own.outcomes;
    assert.ok(first?.type === "operation");
    assert.ok(!told.some((change) => change.name === first.record.name));
    follower.close();
  }));

test("a read at one node sees what another one has just committed, whatever this one has in memory", () =>
  twoNodes(async (world, other) => {
    const grant = await world.running();
    await other.commit([world.cancel(grant.record)]);
    const { store } = world;
    const stored = store.peekOperation(grant.record) ?? (await store.getOperation(grant.record));
    assert.equal(stored?.record.state, "CANCELLING");
    assert.equal((await store.getOperationDetail(grant.record))?.record.state, "CANCELLING");
  }));

test("a reader of the feed misses nothing that two nodes commit at the same time", () =>
  twoNodes(async (world, other) => {
    const read: string[] = [];
    let position = 0;
    const { tenant, service } = world.start().key;
    const readOn = async (): Promise<void> => {
      const scope = { service, tenant, parent: null, filter: "", names: null };
      const page = await other.readFeed({ ...scope, after: position, limit: 500 });
      position = page.position;
      read.push(...page.entries.map(({ name }) => name));
    };
    let isOver = false;
    const reading = (async () => {
      while (!isOver) await readOn();
    })();
    const started = Array.from({ length: COMMITS }, () => [world.start(), world.start()] as const);
    // Four commits of each node in flight: their transactions overlap.
    const lane = async (offset: number): Promise<void> => {
      for (let index = offset; index < COMMITS; index += 4) {
        const [one, another] = started[index]!;
        await Promise.all([world.store.commit([one]), other.commit([another])]);
      }
    };
    await Promise.all([0, 1, 2, 3].map(lane));
    isOver = true;
    await reading;
    await readOn();
    const names = started.flat().map(({ key }) => key.name);
    assert.deepEqual(read.toSorted(), names.toSorted());
    assert.equal(position, 2 * COMMITS, "positions are dense");
  }));

/** A commit of this type waits behind its last statement until the test gives up the lock. */
const LATE_TYPE = "late.commit";
const LATE_LOCK = 4711;
const lateCommits = `
  CREATE FUNCTION wait_for_the_test() RETURNS trigger LANGUAGE plpgsql AS $$
  BEGIN
    IF '${LATE_TYPE}' = ANY (NEW.types) THEN PERFORM pg_advisory_xact_lock(${LATE_LOCK}); END IF;
    RETURN NULL;
  END $$;
  CREATE CONSTRAINT TRIGGER late_commits AFTER INSERT ON feed DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION wait_for_the_test();`;

test("a reader of the feed does not pass by a commit that is late", async (t) => {
  const harness = await PostgresHarness.open();
  const other = await harness.openNode();
  const session = new pg.Client(harness.url);
  await session.connect();
  t.after(async () => {
    await session.end();
    await other.close();
    await harness.dispose();
  });
  const world = new World(harness);
  await session.query(lateCommits);
  await session.query("SELECT pg_advisory_lock($1)", [LATE_LOCK]);
  const waiting = async (): Promise<number> =>
    (
      await session.query(
        "SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'",
      )
    ).rowCount ?? 0;
  const [late, after] = [world.start({ operationType: LATE_TYPE }), world.start()];
  const lateCommit = world.store.commit([late]);
  await eventually("it waits at its commit", async () => (await waiting()) === 1);
  let isOver = false;
  const afterCommit = other.commit([after]).then(() => (isOver = true));
  // Either the second commit waits for the first, or it is durable before it: then a reader sees it now.
  await eventually("the second one is under way", async () => isOver || (await waiting()) === 2);
  const scope = { service: late.key.service, tenant: late.key.tenant, parent: null, filter: "", names: null };
  const first = await other.readFeed({ ...scope, after: 0, limit: 10 });
  await session.query("SELECT pg_advisory_unlock($1)", [LATE_LOCK]);
  await Promise.all([lateCommit, afterCommit]);
  const second = await other.readFeed({ ...scope, after: first.position, limit: 10 });
  const names = [...first.entries, ...second.entries].map(({ name }) => name);
  assert.deepEqual(names, [late.key.name, after.key.name]);
});

const HOUR_US = 3_600_000_000;

test("a node's time is the database's, and never before what any node has committed", async () => {
  const harness = await PostgresHarness.open();
  try {
    const aheadUs = Date.now() * 1000 + HOUR_US;
    const databases = await sharedPostgres();
    const database = new URL(harness.url).pathname.slice(1);
    await databases.query("UPDATE meta SET last_instant = $1", [aheadUs], database);
    const node = await PostgresStore.open({ url: harness.url });
    const offUs = node.clock.now() - aheadUs;
    await node.close();
    assert.ok(offUs >= 0 && offUs < HOUR_US / 2, `${offUs} us after the newest instant`);
  } finally {
    await harness.dispose();
  }
});
