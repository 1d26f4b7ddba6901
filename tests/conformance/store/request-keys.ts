// Request ids: one operation each, for as long as the operation lives (S4).
import assert from "node:assert/strict";
import { test } from "node:test";
import { DAY, expectOutcome, expectRefused, policy, type World } from "./store-harness.ts";

const requestKey = { method: "belay.v1.StartOperation", requestId: "r1", digest: "body-1" };

export function exerciseRequestKeys(world: () => World): void {
  test("the same request id and body answer the same operation", async () => {
    const w = world();
    const first = await w.started({ requestKey });
    const again = expectOutcome(await w.run(w.start({ requestKey })), "operation");
    assert.equal(again.changed, false);
    assert.deepEqual(again.record, first);
    await w.harness.reopen();
    assert.deepEqual(expectOutcome(await w.run(w.start({ requestKey })), "operation").record, first);
    assert.equal((await w.names()).length, 1);
  });

  test("the same request id within one batch makes one operation", async () => {
    const w = world();
    const { outcomes, changed } = await w.commit(w.start({ requestKey }), w.start({ requestKey }));
    const names = outcomes.map((outcome) => expectOutcome(outcome, "operation").record.name);
    assert.equal(names[0], names[1]);
    assert.equal(changed.length, 1);
  });

  test("a known request id is answered beside a report on its operation, too", async () => {
    const w = world();
    const start = w.start({ requestKey });
    const first = expectOutcome(await w.run(start), "operation").record;
    const begin = { type: "begin", key: start.key, session: w.session, token: 1 } as const;
    const { outcomes } = await w.commit(start, begin);
    const again = expectOutcome(outcomes[0], "operation");
    assert.deepEqual([again.changed, again.record], [false, first]);
    expectRefused(outcomes[1], "LEASE_LOST");
  });

  test("the same request id with another body is refused", async () => {
    const w = world();
    await w.started({ requestKey });
    expectRefused(
      await w.run(w.start({ requestKey: { ...requestKey, digest: "body-2" } })),
      "REQUEST_ID_REUSED",
    );
  });

  test("a request id belongs to one tenant and one method", async () => {
    const w = world();
    const other = new (w.constructor as typeof World)(w.harness);
    const names = [
      (await w.started({ requestKey })).name,
      (await other.started({ requestKey })).name,
      (await w.started({ requestKey: { ...requestKey, method: "other" } })).name,
    ];
    assert.equal(new Set(names).size, 3);
  });

  test("a request id answers its operation as it now stands, done or deleted", async () => {
    const w = world();
    const record = await w.done({ requestKey });
    assert.equal(expectOutcome(await w.run(w.start({ requestKey })), "operation").record.state, "SUCCEEDED");
    await w.run(w.delete(record));
    const deleted = expectOutcome(await w.run(w.start({ requestKey })), "operation").record;
    assert.equal(deleted.name, record.name);
    assert.notEqual(deleted.deleteTime, null);
  });

  test("a request id goes with its operation, and then makes a new one", async () => {
    const w = world();
    const record = await w.done({ requestKey, policy: { ...policy, retentionMs: DAY } });
    w.harness.advance(DAY + 1000);
    await w.store.purge(1000);
    assert.equal(await w.store.getOperation(record), undefined);
    assert.notEqual((await w.started({ requestKey })).name, record.name);
  });
}
