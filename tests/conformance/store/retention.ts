// Retention: removes done operations after their time, and nothing else (S19).
import assert from "node:assert/strict";
import { test } from "node:test";
import { DAY, keyOf, policy, SECOND, type World } from "./store-harness.ts";

const shortLived = { policy: { ...policy, retentionMs: DAY } };

export function exerciseRetention(world: () => World): void {
  test("a done operation goes when its retention has passed, and not before", async () => {
    const w = world();
    const record = await w.done(shortLived);
    w.harness.advance(DAY - 1000);
    await w.store.purge(1000);
    assert(await w.store.getOperation(keyOf(record)));
    w.harness.advance(1001);
    assert.equal(await w.store.purge(1000), 1);
    assert.equal(w.store.peekOperation(keyOf(record)), undefined);
    assert.equal(await w.store.getOperation(keyOf(record)), undefined);
    assert.equal(await w.store.getOperationDetail(keyOf(record)), undefined);
    assert.deepEqual(await w.names(), []);
  });

  test("an operation that is not done never goes", async () => {
    const w = world();
    const running = await w.running(shortLived);
    const pending = await w.started(shortLived);
    w.harness.advance(1000 * DAY);
    await w.store.purge(1000);
    assert(await w.store.getOperation(keyOf(running.record)));
    assert(await w.store.getOperation(keyOf(pending)));
  });

  test("an operation whose work may still run stays until it is settled", async () => {
    const w = world();
    const grant = await w.running(shortLived);
    await w.run(w.cancel(grant.record, { graceMs: 0 }));
    w.harness.advance(10 * SECOND);
    await w.run({ type: "tick", key: keyOf(grant.record) });
    w.harness.advance(2 * DAY);
    await w.store.purge(1000);
    assert((await w.get(grant.record)).record.held);
    await w.run(w.stopped(grant));
    await w.store.purge(1000);
    assert.equal(await w.store.getOperation(keyOf(grant.record)), undefined);
  });

  test("a purge removes at most its limit, the oldest end first", async () => {
    const w = world();
    const records = [];
    for (let made = 0; made < 5; made++) {
      records.push(await w.done(shortLived));
      w.harness.advance(1);
    }
    w.harness.advance(2 * DAY);
    assert.equal(await w.store.purge(2), 2);
    const left = await Promise.all(
      records.map(async (record) => (await w.store.getOperation(keyOf(record))) !== undefined),
    );
    assert.deepEqual(left, [false, false, true, true, true]);
    assert.equal(await w.store.purge(1000), 3);
    assert.equal(await w.store.purge(1000), 0);
  });

  test("the feed goes after a week, the audit stays", async () => {
    const w = world();
    const record = await w.started();
    w.harness.advance(8 * DAY);
    await w.run(w.cancel(record));
    await w.store.purge(1000);
    const feed = await w.harness.feed(w.tenant);
    assert.deepEqual(
      feed.map(({ revision }) => revision),
      [2],
    );
    assert.deepEqual(
      (await w.harness.audit(w.tenant)).map(({ action }) => action),
      ["start", "cancel"],
    );
    w.harness.advance(401 * DAY);
    await w.store.purge(1000);
    assert.deepEqual(await w.harness.audit(w.tenant), []);
  });

  test("positions of the feed are not given again after all of it was removed", async () => {
    const w = world();
    await w.started();
    const [before] = await w.harness.feed(w.tenant);
    w.harness.advance(30 * DAY);
    await w.store.purge(1000);
    assert.deepEqual(await w.harness.feed(w.tenant), []);
    await w.harness.reopen();
    await w.started();
    const [after] = await w.harness.feed(w.tenant);
    assert(before && after && after.position > before.position);
  });
}
