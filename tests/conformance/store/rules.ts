// Cancels by rule: a newer operation with the same key, and nobody watching; and what is known of types and counts.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { OperationRecord } from "../../../src/engine/operation.ts";
import { expectOutcome, keyOf, policy, SECOND, type World } from "./store-harness.ts";

const watched = { policy: { ...policy, unwatchedMs: 20 * SECOND } };

export function exerciseRules(world: () => World): void {
  const read = async (w: World, record: OperationRecord): Promise<OperationRecord> =>
    (await w.get(record)).record;

  test("a start with a supersede key cancels the live ones with it, of its type and tenant alone", async () => {
    const w = world();
    const key = { supersedeKey: "latest" };
    const old = await w.started(key);
    const others = [
      await w.started({ supersedeKey: "other" }),
      await w.started({ ...key, operationType: `${w.type}.x` }),
      await w.started(),
    ];
    w.harness.advance(1);
    const [first, second] = [w.start(key), w.start(key)];
    await w.commit(first, second);
    for (const record of [old, { ...old, ...first.key }]) {
      const { state, cancel } = await read(w, record);
      assert.deepEqual([state, cancel?.cause, cancel?.requestedBy], ["CANCELLED", "superseded", "user:ada"]);
    }
    assert.equal((await w.get(second.key)).record.state, "PENDING");
    for (const other of others) assert.equal((await read(w, other)).state, "PENDING");
    assert.equal((await w.names({ filter: "supersede_key=latest cancel.cause=superseded" })).length, 2);
  });

  test("an operation that nobody watches is cancelled at its watch deadline", async () => {
    const w = world();
    const record = await w.started(watched);
    const due = w.store.clock.now() + 20_000_000;
    assert.equal(record.watchDeadline, due);
    w.harness.advance(20 * SECOND - 1);
    await w.run({ type: "tickDue", limit: 1000 });
    assert.equal((await read(w, record)).state, "PENDING");
    w.harness.advance(1);
    await w.run({ type: "tickDue", limit: 1000 });
    const { state, cancel } = await read(w, record);
    assert.deepEqual([state, cancel?.cause], ["CANCELLED", "unwatched"]);
  });

  test("a watch moves the deadline, is no visible change, and survives a restart", async () => {
    const w = world();
    const record = await w.started(watched);
    const from = await w.store.feedPosition();
    w.harness.advance(15 * SECOND);
    await w.run({ type: "watched", key: keyOf(record) });
    const later = w.store.clock.now() + 20_000_000;
    assert.deepEqual(await read(w, record), { ...record, watchDeadline: later });
    assert.equal(await w.store.feedPosition(), from);
    await w.harness.reopen();
    assert.equal((await read(w, record)).watchDeadline, later);
    w.harness.advance(15 * SECOND);
    await w.run({ type: "tickDue", limit: 1000 });
    assert.equal((await read(w, record)).state, "PENDING");
    w.harness.advance(5 * SECOND);
    await w.run({ type: "tickDue", limit: 1000 });
    assert.equal((await read(w, record)).state, "CANCELLED");
  });

  test("a watch beside other changes of its batch loses none of them", async () => {
    const w = world();
    await w.run(w.openSession());
    const record = await w.started(watched);
    w.harness.advance(SECOND);
    const assign = {
      type: "assign",
      key: keyOf(record),
      session: w.session,
      guarded: true,
      begin: false,
    } as const;
    await w.commit({ type: "watched", key: keyOf(record) }, assign);
    await w.harness.reopen();
    const stored = await read(w, record);
    assert.equal(stored.lease?.session, w.session);
    assert.equal(stored.watchDeadline, w.store.clock.now() + 20_000_000);
  });

  test("after a pause, watch deadlines that would have come due start anew", async () => {
    const w = world();
    const done = await w.done(watched);
    const soon = await w.started(watched);
    const late = await w.started({ policy: { ...policy, unwatchedMs: 9e6 } });
    w.harness.advance(60 * SECOND);
    const now = w.store.clock.now();
    const count = async (): Promise<number> =>
      expectOutcome(await w.run({ type: "restartWatch", before: now, limit: 1000 }), "settled").count;
    assert((await count()) >= 1);
    assert.equal(await count(), 0);
    assert.equal((await read(w, soon)).watchDeadline, now + 20_000_000);
    assert.equal((await read(w, late)).watchDeadline, late.watchDeadline);
    assert.deepEqual(await read(w, done), done);
  });

  test("declared types are kept, and replaced by a newer declaration", async () => {
    const w = world();
    const mine = async (): Promise<unknown[]> =>
      (await w.store.listTypes()).filter(({ type }) => type.startsWith(`${w.type}.`));
    await w.store.putTypes([
      { type: `${w.type}.a`, policy },
      { type: `${w.type}.b`, policy: { ...policy, typeLimit: 3 } },
    ]);
    await w.store.putTypes([{ type: `${w.type}.a`, policy: { ...policy, maxAttempts: 9 } }]);
    await w.harness.reopen();
    assert.deepEqual(await mine(), [
      { type: `${w.type}.a`, policy: { ...policy, maxAttempts: 9 } },
      { type: `${w.type}.b`, policy: { ...policy, typeLimit: 3 } },
    ]);
  });

  test("live operations are counted by state; the oldest start that is due is known", async () => {
    const w = world();
    await w.done();
    await w.running();
    const start = w.store.clock.now() + 5_000_000;
    await w.started({ startAfter: start + 1 });
    await w.started({ startAfter: start, priority: -3, policy: { ...policy, typeLimit: 1 } });
    await w.started({ operationType: `${w.type}.later`, startAfter: start + 9_000_000 });
    w.harness.advance(6000);
    const mine = async (): Promise<unknown[]> =>
      (await w.store.liveCounts())
        .filter(({ type }) => type.startsWith(w.type))
        .map(({ service: _, ...row }) => row)
        .sort((a, b) => (`${a.type} ${a.state}` < `${b.type} ${b.state}` ? -1 : 1));
    const expected = [
      { type: w.type, state: "PENDING", count: 2, oldestStart: start },
      { type: w.type, state: "RUNNING", count: 1, oldestStart: null },
      { type: `${w.type}.later`, state: "PENDING", count: 1, oldestStart: null },
    ];
    assert.deepEqual(await mine(), expected);
    await w.harness.reopen();
    assert.deepEqual(await mine(), expected);
  });

  test("the history of a type says how long its cancels took; what never ran is no part of it", async () => {
    const w = world();
    for (const ms of [100, 300, 200]) {
      const grant = await w.running();
      await w.run(w.cancel(grant.record));
      w.harness.advance(ms);
      await w.run(w.stopped(grant));
    }
    await w.run(w.cancel(await w.started()));
    const history = { count: 3, p50Ms: 200, p90Ms: 300, maxMs: 300 };
    assert.deepEqual(await w.store.cancelHistory(w.service, w.tenant, w.type), history);
    const none = { count: 0, p50Ms: 0, p90Ms: 0, maxMs: 0 };
    assert.deepEqual(await w.store.cancelHistory(w.service, w.tenant, "other"), none);
  });
}
