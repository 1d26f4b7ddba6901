// What an acquire grants: by priority, then by start; never more of a type or key at once than its limit.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Grant, StartCommand } from "../../../src/engine/commands.ts";
import { expectOutcome, expectRefused, keyOf, policy, World } from "./store-harness.ts";

type Start = Partial<StartCommand>;

const limited = (typeLimit: number, keyLimit = 0): Start => ({ policy: { ...policy, typeLimit, keyLimit } });

export function exerciseSlots(world: () => World): void {
  async function acquired(w: World, limit: number): Promise<readonly Grant[]> {
    return expectOutcome(await w.run(w.acquire(limit)), "granted").grants;
  }

  /** Starts operations one after the other and answers their names. */
  async function startAll(w: World, changes: readonly Start[]): Promise<string[]> {
    const now = w.store.clock.now();
    const starts = changes.map((change, index) => w.start({ startAfter: now + index, ...change }));
    await w.commit(w.openSession(), ...starts);
    w.harness.advance(1);
    return starts.map(({ key }) => key.name);
  }

  const names = (grants: readonly Grant[]): string[] => grants.map(({ record }) => record.name);

  test("a higher priority starts first; then the earlier start", async () => {
    const w = world();
    const priorities = [0, 5, -100, 5, 100, 0];
    const started = await startAll(
      w,
      priorities.map((priority) => ({ priority })),
    );
    const order = [4, 1, 3, 0, 5, 2].map((index) => started[index]);
    assert.deepEqual(names(await acquired(w, 4)), order.slice(0, 4));
    assert.deepEqual(names(await acquired(w, 4)), order.slice(4));
  });

  test("a higher priority that is not due does not hold up a lower one", async () => {
    const w = world();
    const later = w.store.clock.now() + 5_000_000;
    const [high, low] = await startAll(w, [{ priority: 9, startAfter: later }, { priority: 1 }]);
    assert.deepEqual(names(await acquired(w, 2)), [low]);
    w.harness.advance(5000);
    assert.deepEqual(names(await acquired(w, 2)), [high]);
  });

  test("a type runs no more at once than its limit, and goes on when one has ended", async () => {
    const w = world();
    const started = await startAll(
      w,
      Array.from({ length: 5 }, () => limited(2)),
    );
    const grants = await acquired(w, 10);
    assert.deepEqual(names(grants), started.slice(0, 2));
    assert.deepEqual(await acquired(w, 10), []);
    await w.run(w.complete(grants[0]!));
    assert.deepEqual(names(await acquired(w, 10)), [started[2]]);
    const slot = { service: w.service, tenant: w.tenant, type: w.type, concurrencyKey: "" };
    const users = await w.store.slotUsers(slot, 10);
    assert.deepEqual([users.used, new Set(users.names)], [2, new Set([started[1], started[2]])]);
    assert.deepEqual(await w.store.slotUsers(slot, 1), { used: 2, names: users.names.slice(0, 1) });
  });

  test("a key runs no more at once than its limit; other keys, and none, run beside it", async () => {
    const w = world();
    const one = limited(0, 1);
    const keys = ["a", "a", "b", "a", "", "", "b"];
    const started = await startAll(
      w,
      keys.map((concurrencyKey) => ({ ...one, concurrencyKey })),
    );
    const grants = await acquired(w, 10);
    assert.deepEqual(
      names(grants),
      [0, 2, 4, 5].map((index) => started[index]),
    );
    await w.run(w.fail(grants[0]!));
    assert.deepEqual(names(await acquired(w, 10)), [started[1]]);
  });

  test("what ends a slot's user in the same batch lets the next one start", async () => {
    const w = world();
    const started = await startAll(w, [limited(1), limited(1), limited(1)]);
    const [first] = await acquired(w, 1);
    const { outcomes } = await w.commit(w.complete(first!), w.acquire(5));
    assert.deepEqual(names(expectOutcome(outcomes[1], "granted").grants), [started[1]]);
    const second = w.cancel({ service: w.service, tenant: w.tenant, name: started[2]! });
    assert.deepEqual(expectOutcome((await w.commit(second, w.acquire(1))).outcomes[1], "granted").grants, []);
  });

  test("what ends a slot's user lets the next one start, beside a start of a name that is taken", async () => {
    const w = world();
    const [, next] = await startAll(w, [limited(1), limited(1)]);
    const [first] = await acquired(w, 1);
    const taken = w.start({ name: first!.record.name });
    const { outcomes } = await w.commit(w.complete(first!), w.acquire(5), taken);
    assert.deepEqual(names(expectOutcome(outcomes[1], "granted").grants), [next]);
    expectRefused(outcomes[2], "ALREADY_EXISTS");
  });

  test("two acquires of one batch share the slots", async () => {
    const w = world();
    await startAll(
      w,
      Array.from({ length: 6 }, () => limited(3)),
    );
    await w.run(w.openSession(`${w.session}-b`));
    const { outcomes } = await w.commit(
      w.acquire(2),
      w.acquire(2, { session: `${w.session}-b` }),
      w.acquire(2),
    );
    assert.deepEqual(
      outcomes.map((outcome) => expectOutcome(outcome, "granted").grants.length),
      [2, 1, 0],
    );
  });

  test("an acquire passes over what an earlier one of its batch has filled", async () => {
    const w = world();
    const key = { ...limited(0, 1), concurrencyKey: "a" };
    const started = await startAll(w, [key, key, {}]);
    const { outcomes } = await w.commit(w.acquire(1), w.acquire(1));
    assert.deepEqual(
      outcomes.map((outcome) => names(expectOutcome(outcome, "granted").grants)),
      [[started[0]], [started[2]]],
    );
  });

  test("what an acquire of a batch may not take is left to the next one", async () => {
    const w = world();
    const started = await startAll(w, [limited(5), limited(5), limited(5)]);
    const name = started[0]!;
    const { outcomes } = await w.commit(
      w.cancel({ service: w.service, tenant: w.tenant, name }),
      w.acquire(1),
      w.acquire(1),
      w.acquire(1),
    );
    assert.deepEqual(
      outcomes.slice(1).map((outcome) => names(expectOutcome(outcome, "granted").grants)),
      [[started[1]], [started[2]], []],
    );
  });

  test("a reserved operation uses its slot, and gives it back when it is returned", async () => {
    const w = world();
    const [first] = await startAll(w, [limited(1), limited(1)]);
    const reserve = {
      type: "acquire",
      session: w.session,
      types: [w.type],
      limit: 1,
      guarded: true,
      begin: false,
    } as const;
    const [grant] = expectOutcome(await w.run(reserve), "granted").grants;
    assert.equal(grant?.record.state, "PENDING");
    assert.deepEqual(await acquired(w, 1), []);
    const { key, session, token } = {
      key: keyOf(grant!.record),
      session: w.session,
      token: grant!.record.leaseToken,
    };
    await w.run({ type: "return", key, session, token });
    assert.deepEqual(names(await acquired(w, 5)), [first]);
  });

  test("held work keeps its slot until an operator says that it is gone", async () => {
    const w = world();
    const [, second] = await startAll(w, [limited(1), limited(1)]);
    const [grant] = await acquired(w, 1);
    await w.run(w.cancel(grant!.record, { graceMs: 0 }));
    w.harness.advance(10_000);
    await w.run({ type: "tick", key: keyOf(grant!.record) });
    assert((await w.get(grant!.record)).record.held);
    assert.deepEqual(await acquired(w, 1), []);
    const by = {
      requestedBy: "user:op",
      onBehalfOf: "",
      requestId: "r",
      reason: "the machine is gone",
      origin: "native/rest",
    };
    await w.run({ type: "override", key: keyOf(grant!.record), ...by });
    assert.deepEqual(names(await acquired(w, 1)), [second]);
    assert.equal((await w.harness.audit(w.tenant)).at(-1)?.action, "override");
  });

  test("limits are a tenant's own", async () => {
    const w = world();
    const other = new World(w.harness);
    await startAll(w, [limited(1), limited(1)]);
    const theirs = { ...other.start({ ...limited(1), operationType: w.type }) };
    await w.commit(theirs);
    assert.equal((await acquired(w, 5)).length, 2);
  });

  test("operations behind 2,000 blocked ones are found, and in order", async () => {
    const w = world();
    await w.run(w.openSession());
    const now = w.store.clock.now();
    const hot = Array.from({ length: 2000 }, (_, index) =>
      w.start({ ...limited(0, 1), concurrencyKey: "hot", startAfter: now + index }),
    );
    await w.commit(...hot);
    const cold = Array.from({ length: 40 }, (_, index) =>
      w.start({
        ...limited(0, 1),
        concurrencyKey: `cold ${index % 20}`,
        startAfter: now + 5000 + index,
        priority: -(index % 3),
      }),
    );
    const free = w.start({ startAfter: now + 6000, priority: -1 });
    await w.commit(...cold, free);
    w.harness.advance(10);
    const first = await acquired(w, 1);
    assert.deepEqual(names(first), [hot[0]?.key.name]);
    // The best of each key, by priority and start; one that has no key, where it belongs.
    const best = new Map<string, StartCommand>();
    const ordered = [...cold, free].sort((a, b) => b.priority - a.priority || a.startAfter - b.startAfter);
    for (const start of ordered) if (!best.has(start.concurrencyKey)) best.set(start.concurrencyKey, start);
    const expected = [...best.values()].map(({ key }) => key.name);
    assert.deepEqual(names(await acquired(w, 5)), expected.slice(0, 5));
    assert.deepEqual(names(await acquired(w, 100)), expected.slice(5));
    assert.deepEqual(await acquired(w, 100), []);
  });

  test("a full type with thousands waiting leaves the other tenants' operations in reach", async () => {
    const w = world();
    await w.run(w.openSession());
    const now = w.store.clock.now();
    await w.commit(
      ...Array.from({ length: 1500 }, (_, index) => w.start({ ...limited(2), startAfter: now + index })),
    );
    w.harness.advance(2);
    assert.equal((await acquired(w, 10)).length, 2);
    const other = new World(w.harness);
    const theirs = Array.from({ length: 5 }, (_, index) =>
      other.start({ ...limited(3), operationType: w.type, startAfter: now + 9000 + index }),
    );
    await w.commit(...theirs);
    w.harness.advance(10);
    assert.deepEqual(
      names(await acquired(w, 10)),
      theirs.slice(0, 3).map(({ key }) => key.name),
    );
  });

  test("an acquire of a session that is not open takes nothing from another of its batch", async () => {
    const w = world();
    const [name] = await startAll(w, [{}]);
    const { outcomes } = await w.commit(w.acquire(1, { session: "nobody" }), w.acquire(1));
    expectRefused(outcomes[0], "SESSION_UNKNOWN");
    assert.deepEqual(names(expectOutcome(outcomes[1], "granted").grants), [name]);
  });
}
