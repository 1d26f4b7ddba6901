// What only several databases behind one port can get wrong.
import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";
import type { Command } from "../../../src/engine/commands.ts";
import { RoutedHarness } from "./routed-harness.ts";
import { expectOutcome, expectRefused, World } from "./store-harness.ts";

let harness: RoutedHarness;
/** In the main database. */
let even: World;
/** In the other one. */
let odd: World;

beforeEach(async () => {
  harness = await new RoutedHarness().open();
  const worlds = [new World(harness), new World(harness)];
  const isOdd = ({ tenant }: World): boolean => Number(tenant.split("-")[1]) % 2 === 1;
  even = worlds.find((world) => !isOdd(world))!;
  odd = worlds.find(isOdd)!;
});
afterEach(() => harness.dispose());

const session = "ses-both";
const open = (): Command =>
  even.openSession(session, { kind: "remote", types: [even.type, odd.type], slots: 10, leaseMs: 10_000 });
const acquire = (limit: number): Command => even.acquire(limit, { session, types: [even.type, odd.type] });
const beat: Command = { type: "heartbeat", session };

test("an operation is in its tenant's database, and nowhere else", async () => {
  const records = [await even.started(), await odd.started()];
  assert.deepEqual(
    await Promise.all(
      records.flatMap((record) => [
        harness.main.store.getOperation(record).then((stored) => stored?.record.name),
        harness.other.store.getOperation(record).then((stored) => stored?.record.name),
      ]),
    ),
    [records[0]?.name, undefined, undefined, records[1]?.name],
  );
  assert.equal((await odd.get(records[1]!)).record.state, "PENDING");
});

test("a worker's one session gets work of all databases, and is listed once with all that it has", async () => {
  await even.commit(open(), even.start(), even.start(), odd.start(), odd.start(), odd.start());
  const { grants } = expectOutcome(await even.run(acquire(10)), "granted");
  assert.deepEqual(
    grants.map(({ record }) => record.tenant).sort(),
    [even, even, odd, odd, odd].map(({ tenant }) => tenant).sort(),
  );
  const listed = (await even.store.listSessions()).filter((each) => each.session === session);
  assert.deepEqual(
    listed.map(({ running }) => running),
    [5],
  );
  assert.equal((await even.store.sessionGrants(session)).length, 5);
  const results = await even.commit(...grants.map((grant) => even.complete(grant)));
  assert.deepEqual(new Set(results.outcomes.map(({ type }) => type)), new Set(["operation"]));
});

test("an acquire gets no more than it asked for, whichever database it asks first", async () => {
  await even.commit(open(), ...[1, 2, 3].flatMap(() => [even.start(), odd.start()]));
  for (const left of [4, 2, 0]) {
    assert.equal(expectOutcome(await even.run(acquire(2)), "granted").grants.length, 2);
    const { operations } = await even.store.listOperations(even.query({ filter: "state = PENDING" }));
    const others = await odd.store.listOperations(odd.query({ filter: "state = PENDING" }));
    assert.equal(operations.length + others.operations.length, left);
  }
});

test("the end of a session settles what it has in every database", async () => {
  await even.commit(open(), even.start(), odd.start());
  const { grants } = expectOutcome(await even.run(acquire(10)), "granted");
  const end: Command = { type: "closeSession", session, survivors: [] };
  assert.equal(expectOutcome(await even.run(end), "settled").count, 2);
  for (const { record } of grants) assert.equal((await even.get(record)).record.state, "FAILED");
  expectRefused(await even.run(beat), "SESSION_UNKNOWN");
});

test("a heartbeat counts only where every database that gave the worker work has it", async () => {
  await even.commit(open(), odd.start());
  assert.equal(expectOutcome(await even.run(acquire(10)), "granted").grants.length, 1);
  expectOutcome(await even.run(beat), "session");
  // The other database's clock says that the lease has passed; the main one knows nothing of it.
  harness.other.advance(20_000);
  const { outcomes } = await harness.other.store.commit([{ type: "expireSessions", limit: 10 }]);
  assert.equal(expectOutcome(outcomes[0], "settled").count, 1);
  expectRefused(await even.run(beat), "SESSION_UNKNOWN");
});

test("another process on the databases finds where a session is open", async () => {
  await even.commit(open(), odd.start());
  assert.equal(expectOutcome(await even.run(acquire(10)), "granted").grants.length, 1);
  harness.route();
  harness.other.advance(6000);
  expectOutcome(await even.run(beat), "session");
  harness.other.advance(6000);
  const { outcomes } = await harness.other.store.commit([{ type: "expireSessions", limit: 10 }]);
  assert.equal(expectOutcome(outcomes[0], "settled").count, 0);
});

test("a database that fails takes only its own commands along", async () => {
  await even.commit(open(), even.start(), odd.start());
  await harness.other.store.close();
  const started = even.start();
  const { outcomes } = await even.commit(started, odd.start(), beat);
  assert.deepEqual(
    outcomes.map(({ type }) => type),
    ["operation", "failed", "session"],
  );
  assert.equal((await even.get(started.key)).record.state, "PENDING");
  assert.equal(expectOutcome(await even.run(acquire(10)), "granted").grants.length, 2);
});

test("positions and resume tokens are those of the database that has the events", async () => {
  await odd.started();
  const { store } = harness;
  assert.notEqual(store.feedOf(odd.query()), store.feedOf(even.query()));
  const at = await store.feedPosition(store.feedOf(odd.query()));
  assert.equal(await store.feedPosition(store.feedOf(even.query())), 0);
  const scope = { service: odd.service, tenant: odd.tenant };
  assert.equal(await store.openToken(scope, await store.sealToken(scope, at)), at);
  const record = await odd.started();
  const page = await store.readFeed({
    ...scope,
    parent: null,
    filter: "",
    names: null,
    after: at,
    limit: 10,
  });
  assert.deepEqual(
    page.entries.map(({ name }) => name),
    [record.name],
  );
});
