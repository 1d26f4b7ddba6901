// Receipts: the durable record of a cancel, with every line in order; they outlive their operations.
import assert from "node:assert/strict";
import { test } from "node:test";
import { DAY, fencedBy, keyOf, payload, policy, SECOND, type World } from "./store-harness.ts";

export function exerciseReceipts(world: () => World): void {
  test("an operation without a cancel has no receipt", async () => {
    const w = world();
    assert.equal(await w.store.getReceipt(keyOf(await w.done())), undefined);
  });

  test("the receipt of a running cancel is there at once, and grows", async () => {
    const w = world();
    const grant = await w.running();
    await w.run(w.cancel(grant.record));
    const open = await w.store.getReceipt(keyOf(grant.record));
    assert(open);
    assert.equal(open.outcome, null);
    assert.equal(open.session, w.session);
    assert.deepEqual(
      open.events.map(({ kind }) => kind),
      ["REQUESTED"],
    );
    await w.commit(
      { type: "cancelPhase", ...fencedBy(grant), phase: "DELIVERED", detail: "pushed" },
      { type: "checkpoint", ...fencedBy(grant), checkpoint: payload("half") },
      w.stopped(grant),
    );
    const closed = await w.store.getReceipt(keyOf(grant.record));
    const { record } = await w.get(grant.record);
    assert.deepEqual(closed, {
      ...keyOf(record),
      type: w.type,
      cancel: record.cancel,
      outcome: "CANCELLED",
      doneTime: record.doneTime,
      attempt: 1,
      session: w.session,
      checkpoint: payload("half"),
      events: closed?.events,
    });
    assert.deepEqual(
      closed?.events.map(({ kind, by }) => [kind, by]),
      [
        ["REQUESTED", "user:bob"],
        ["DELIVERED", w.session],
        ["STOPPED", w.session],
        ["ENDED", ""],
      ],
    );
  });

  test("a cancel requested and ended in one batch names the session that held it", async () => {
    const w = world();
    const grant = await w.running();
    await w.commit(w.cancel(grant.record), w.stopped(grant));
    assert.equal((await w.store.getReceipt(keyOf(grant.record)))?.session, w.session);
  });

  test("late evidence is appended to a closed receipt", async () => {
    const w = world();
    const grant = await w.running();
    await w.run(w.cancel(grant.record, { graceMs: 0 }));
    w.harness.advance(10 * SECOND);
    await w.run({ type: "tick", key: keyOf(grant.record) });
    await w.run(w.stopped(grant));
    const receipt = await w.store.getReceipt(keyOf(grant.record));
    assert.deepEqual(
      receipt?.events.map(({ kind }) => kind),
      ["REQUESTED", "UNCONFIRMED", "ENDED", "CONFIRMED_LATER"],
    );
    assert.equal(receipt?.outcome, "FAILED");
    assert.notEqual(receipt?.cancel.stopConfirmedTime, null);
  });

  test("the receipt of a pending operation's cancel has no session", async () => {
    const w = world();
    const record = await w.started();
    await w.run(w.cancel(record));
    const receipt = await w.store.getReceipt(keyOf(record));
    assert.equal(receipt?.session, "");
    assert.equal(receipt?.attempt, 0);
    assert.equal(receipt?.cancel.evidence, "NEVER_STARTED");
  });

  test("a receipt and its checkpoint outlive the operation", async () => {
    const w = world();
    const grant = await w.running({ policy: { ...policy, retentionMs: DAY } });
    await w.commit(
      w.cancel(grant.record),
      { type: "checkpoint", ...fencedBy(grant), checkpoint: payload("partial result") },
      w.stopped(grant),
    );
    const before = await w.store.getReceipt(keyOf(grant.record));
    w.harness.advance(2 * DAY);
    await w.store.purge(1000);
    assert.equal(await w.store.getOperation(keyOf(grant.record)), undefined);
    assert.deepEqual(await w.store.getReceipt(keyOf(grant.record)), before);
    assert.deepEqual(before?.checkpoint, payload("partial result"));
  });

  test("a receipt goes after 400 days", async () => {
    const w = world();
    const record = await w.started({ policy: { ...policy, retentionMs: DAY } });
    await w.run(w.cancel(record));
    const events = await w.store.unchainedEvents(10_000);
    const own = events.filter(({ tenant }) => tenant === w.tenant);
    await w.store.appendChain(
      own.map(({ event, type: _, ...entry }, index) => ({
        ...entry,
        sequence: index + 1,
        content: event.kind,
        hash: "",
      })),
      [],
    );
    w.harness.advance(399 * DAY);
    await w.store.purge(1000);
    assert(await w.store.getReceipt(keyOf(record)));
    w.harness.advance(2 * DAY);
    await w.store.purge(1000);
    assert.equal(await w.store.getReceipt(keyOf(record)), undefined);
  });
}
