// Cancels and deletes, as far as they touch what is stored: every field of the request, held leases, tombstones.
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  expectOutcome,
  expectRefused,
  fencedBy,
  keyOf,
  policy,
  SECOND,
  type World,
} from "./store-harness.ts";

export function exerciseCancel(world: () => World): void {
  test("the cancel of a pending operation ends it in the same commit", async () => {
    const w = world();
    const record = await w.started();
    const outcome = expectOutcome(await w.run(w.cancel(record)), "cancel");
    assert.equal(outcome.verdict, "PREVENTED_START");
    const stored = await w.get(record);
    assert.deepEqual(stored.record, outcome.record);
    assert.equal(stored.record.state, "CANCELLED");
    assert.equal(stored.record.cancel?.evidence, "NEVER_STARTED");
    const granted = expectOutcome((await w.commit(w.openSession(), w.acquire(5))).outcomes[1], "granted");
    assert.deepEqual(granted.grants, [], "it is never granted (G5)");
  });

  test("a running operation goes through CANCELLING to CANCELLED with every phase stored", async () => {
    const w = world();
    const grant = await w.running();
    expectOutcome(await w.run(w.cancel(grant.record, { graceMs: 3000 })), "cancel");
    for (const phase of ["DELIVERED", "ACKNOWLEDGED", "ESCALATED"] as const) {
      w.harness.advance(10);
      await w.run({ type: "cancelPhase", ...fencedBy(grant), phase, detail: phase.toLowerCase() });
    }
    w.harness.advance(10);
    const { record } = expectOutcome(await w.run(w.stopped(grant)), "operation");
    await w.harness.reopen();
    const stored = await w.get(record);
    assert.deepEqual(stored.record, record);
    const { cancel } = stored.record;
    assert(cancel);
    const { requestTime, graceEndTime, deliverTime, acknowledgeTime, escalateTime, stopTime } = cancel;
    assert.equal(graceEndTime - requestTime, 3_000_000);
    assert.deepEqual(
      [deliverTime, acknowledgeTime, escalateTime, stopTime].map((time) => (time ?? 0) - requestTime),
      [10_000, 20_000, 30_000, 40_000],
    );
    assert.equal(cancel.requestedBy, "user:bob");
    assert.equal(cancel.mechanism, "SIGNAL");
  });

  test("the cancel of a done operation changes nothing", async () => {
    const w = world();
    const record = await w.done();
    const { outcomes, changed } = await w.commit(w.cancel(record));
    assert.equal(expectOutcome(outcomes[0], "cancel").verdict, "TOO_LATE_SUCCEEDED");
    assert.deepEqual(changed, []);
    assert.deepEqual((await w.get(record)).record, record);
  });

  test("a later cancel only shortens", async () => {
    const w = world();
    const grant = await w.running();
    const first = expectOutcome(await w.run(w.cancel(grant.record, { graceMs: 5000 })), "cancel").record
      .cancel;
    const longer = expectOutcome(await w.run(w.cancel(grant.record, { graceMs: 9000 })), "cancel").record
      .cancel;
    assert.deepEqual(longer, first);
    const shorter = expectOutcome(await w.run(w.cancel(grant.record, { graceMs: 1000 })), "cancel").record
      .cancel;
    assert(
      shorter && first && shorter.graceEndTime < first.graceEndTime && shorter.deadline < first.deadline,
    );
    assert.deepEqual((await w.get(grant.record)).record.cancel, shorter);
  });

  test("an unconfirmed end keeps the lease held until evidence comes, and the result stands", async () => {
    const w = world();
    const grant = await w.running();
    await w.run(w.cancel(grant.record, { graceMs: 1000 }));
    w.harness.advance(10 * SECOND);
    expectOutcome(await w.run({ type: "tick", key: keyOf(grant.record) }), "operation");
    await w.harness.reopen();
    const unconfirmed = (await w.get(grant.record)).record;
    assert.equal(unconfirmed.state, "FAILED");
    assert.deepEqual(unconfirmed.held, grant.record.lease);
    const late = expectOutcome(await w.run(w.stopped(grant)), "late").record;
    const stored = (await w.get(grant.record)).record;
    assert.deepEqual(stored, late);
    assert.equal(stored.held, null);
    assert.notEqual(stored.cancel?.stopConfirmedTime, null);
    assert.deepEqual(stored.outcome, unconfirmed.outcome);
    assert.equal(stored.doneTime, unconfirmed.doneTime);
  });

  test("a deleted operation stays readable with its delete time, and cannot be deleted twice", async () => {
    const w = world();
    const record = await w.done();
    expectOutcome(await w.run(w.delete(record)), "operation");
    await w.harness.reopen();
    assert.notEqual((await w.get(record)).record.deleteTime, null);
    expectRefused(await w.run(w.delete(record)), "NOT_FOUND");
    expectRefused(await w.run(w.start({ name: record.name })), "ALREADY_EXISTS");
  });

  test("an operation deleted while it runs goes on and ends", async () => {
    const w = world();
    const grant = await w.running();
    await w.run(w.delete(grant.record));
    const { record } = expectOutcome(await w.run(w.complete(grant)), "operation");
    const stored = (await w.get(record)).record;
    assert.equal(stored.state, "SUCCEEDED");
    assert.notEqual(stored.deleteTime, null);
  });

  test("a delete that cancels does both in one commit", async () => {
    const w = world();
    const record = await w.started({ policy: { ...policy, onDelete: "cancel" } });
    await w.run(w.delete(record));
    const stored = (await w.get(record)).record;
    assert.equal(stored.state, "CANCELLED");
    assert.notEqual(stored.deleteTime, null);
  });
}
