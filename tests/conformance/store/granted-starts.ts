// Starts that are granted in their own batch.
import assert from "node:assert/strict";
import { test } from "node:test";
import { expectOutcome, expectRefused, payload, policy, type World } from "./store-harness.ts";

export function exerciseGrantedStarts(world: () => World): void {
  test("an acquire grants what its own batch has started, behind what was there, as one row", async () => {
    const w = world();
    const before = await w.started();
    w.harness.advance(1);
    const first = w.start({ request: payload("of the first") });
    const urgent = w.start({ priority: 1, labels: { a: "b" } });
    const later = w.start({ startAfter: w.store.clock.now() + 5_000_000 });
    const { outcomes, changed } = await w.commit(w.openSession(), first, urgent, later, w.acquire(4));
    const { grants } = expectOutcome(outcomes[4], "granted");
    assert.deepEqual(
      grants.map(({ record, request }) => [record.name, request]),
      [
        [urgent.key.name, payload("request")],
        [before.name, payload("request")],
        [first.key.name, payload("of the first")],
      ],
    );
    assert.equal(changed.length, 4);
    const { record, attempts, labels } = (await w.store.getOperationDetail(urgent.key)) ?? {};
    assert.deepEqual([record?.state, record?.leaseToken, record?.revision], ["RUNNING", 1, 2]);
    assert.deepEqual([attempts?.length, labels], [0, { a: "b" }]);
    assert.deepEqual(expectOutcome(await w.run(w.complete(grants[0]!)), "operation").record.attempt, 1);
  });

  test("an acquire of only what is started leaves what was there, and other sessions' starts, alone", async () => {
    const w = world();
    const before = await w.started();
    const [mine, other] = [w.start(), w.start({ operationType: `${w.type}-other` })];
    const acquire = w.acquire(4, { onlyStarted: true });
    const { outcomes } = await w.commit(w.openSession(), mine, other, acquire, w.start());
    const { grants } = expectOutcome(outcomes[3], "granted");
    assert.deepEqual(
      grants.map(({ record }) => record.name),
      [mine.key.name],
    );
    const again = await w.commit(w.start(), acquire);
    assert.equal(expectOutcome(again.outcomes[1], "granted").grants.length, 1);
    assert.deepEqual(expectOutcome(await w.run(acquire), "granted").grants, []);
    const left = expectOutcome(await w.run(w.acquire(4)), "granted").grants;
    assert.equal(left[0]?.record.name, before.name);
    assert.equal(left.length, 2);
  });

  test("an acquire of only what is started is refused for a session that is closed", async () => {
    const w = world();
    const acquire = w.acquire(4, { onlyStarted: true });
    await w.commit(w.openSession(), w.start(), acquire);
    await w.run({ type: "closeSession", session: w.session, survivors: [] });
    const { outcomes } = await w.commit(w.start(), acquire);
    expectRefused(outcomes[1], "SESSION_UNKNOWN");
    assert.equal(expectOutcome(outcomes[0], "operation").record.state, "PENDING");
  });

  test("a start with a limit is granted only where the store has counted who uses it", async () => {
    const w = world();
    const limited = { policy: { ...policy, typeLimit: 1 } };
    const { outcomes } = await w.commit(w.openSession(), w.start(limited), w.start(limited), w.acquire(4));
    assert.deepEqual(expectOutcome(outcomes[3], "granted").grants, []);
    assert.equal(expectOutcome(await w.run(w.acquire(10)), "granted").grants.length, 1);
  });
}
