// Parents and children: links, who is told when a parent ends, who ends last.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Grant, ParentAttempt, StartCommand } from "../../../src/engine/commands.ts";
import type { OperationRecord } from "../../../src/engine/operation.ts";
import { DAY, expectOutcome, expectRefused, fencedBy, keyOf, policy, type World } from "./store-harness.ts";

export function exerciseChildren(world: () => World): void {
  function childOf(parent: Grant, policyOfChild: ParentAttempt["policy"] = "cancel"): Partial<StartCommand> {
    return { parentAttempt: { ...fencedBy(parent), policy: policyOfChild } };
  }

  async function child(
    w: World,
    parent: Grant,
    changes: Partial<StartCommand> = {},
  ): Promise<OperationRecord> {
    w.harness.advance(1);
    return w.started({ ...childOf(parent), ...changes });
  }

  /** Sweeps until nothing changes. */
  async function sweep(w: World): Promise<void> {
    while (expectOutcome(await w.run({ type: "sweepChildren", limit: 100 }), "settled").count > 0);
  }

  const stateOf = async (w: World, record: OperationRecord): Promise<string> =>
    (await w.get(record)).record.state;

  test("children are listed oldest first, with type, state and policy", async () => {
    const w = world();
    const parent = await w.running();
    const records = [
      await child(w, parent),
      await child(w, parent, { ...childOf(parent, "wait"), deadline: w.store.clock.now() + 60_000_000 }),
      await child(w, parent, childOf(parent, "abandon")),
    ];
    await w.run(w.cancel(records[0]!));
    const listed = await w.store.listChildren(keyOf(parent.record), 10);
    assert.deepEqual(
      listed,
      (["cancel", "wait", "abandon"] as const).map((policyOfChild, index) => ({
        service: w.service,
        name: records[index]?.name,
        type: w.type,
        state: index === 0 ? "CANCELLED" : "PENDING",
        policy: policyOfChild,
        detached: false,
      })),
    );
    assert.equal((await w.store.listChildren(keyOf(parent.record), 2)).length, 2);
    assert.deepEqual(await w.store.listChildren(keyOf(records[0]!), 10), []);
    assert.deepEqual(
      await w.names({ filter: `parents:${parent.record.name}` }),
      [...records].reverse().map(({ name }) => name),
    );
    await w.harness.reopen();
    assert.deepEqual(await w.store.listChildren(keyOf(parent.record), 10), listed);
  });

  test("the cancel of a parent reaches grandchildren by sweeps, and ends it after them", async () => {
    const w = world();
    const parent = await w.running();
    await child(w, parent);
    const [middle] = expectOutcome(await w.run(w.acquire(1)), "granted").grants;
    const leaf = await child(w, middle!);
    assert.equal((await w.store.pendingWork()).hasUnsweptChildren, false);
    await w.run(w.cancel(parent.record));
    assert.equal((await w.store.pendingWork()).hasUnsweptChildren, true);
    await w.harness.reopen();
    assert.equal((await w.store.pendingWork()).hasUnsweptChildren, true);
    await sweep(w);
    assert.equal((await w.store.pendingWork()).hasUnsweptChildren, false);
    assert.equal(await stateOf(w, leaf), "CANCELLED");
    assert.equal(await stateOf(w, middle!.record), "CANCELLING");
    await w.run(w.stopped(parent));
    const waiting = (await w.get(parent.record)).record;
    assert.deepEqual([waiting.state, waiting.lease, waiting.children?.awaited], ["CANCELLING", null, 1]);
    await w.harness.reopen();
    await w.run(w.stopped(middle!));
    assert.equal(await stateOf(w, middle!.record), "CANCELLED");
    assert.equal(await stateOf(w, parent.record), "CANCELLED");
  });

  test("the end of a parent tells its children; those that may run on are left alone", async () => {
    const w = world();
    const parent = await w.running();
    const told = await child(w, parent);
    const left = await child(w, parent, childOf(parent, "abandon"));
    await w.run(w.complete(parent));
    await sweep(w);
    assert.equal((await w.get(told)).record.cancel?.cause, "parent");
    assert.equal(await stateOf(w, left), "PENDING");
    assert.equal((await w.store.pendingWork()).hasUnsweptChildren, false);
    assert.deepEqual(await w.names({ filter: "cancel.cause=parent" }), [told.name]);
  });

  test("a closed parent takes no child, a stale attempt starts none", async () => {
    const w = world();
    const parent = await w.running();
    const stale = { ...fencedBy(parent), token: 7, policy: "cancel" } as const;
    expectRefused(await w.run(w.start({ parentAttempt: stale })), "LEASE_LOST");
    await w.run(w.cancel(parent.record));
    expectRefused(await w.run(w.start(childOf(parent))), "PARENT_CLOSED");
    assert.deepEqual(await w.store.listChildren(keyOf(parent.record), 10), []);
  });

  for (const stricter of [{ force: true }, { graceMs: 500 }] as const) {
    const what = Object.keys(stricter)[0];
    test(`a cancel that gets stricter (${what}) reaches children and theirs by sweeps, after a restart too`, async () => {
      const w = world();
      const parent = await w.running();
      await child(w, parent);
      const [middle] = expectOutcome(await w.run(w.acquire(1)), "granted").grants;
      await child(w, middle!);
      const [leaf] = expectOutcome(await w.run(w.acquire(1)), "granted").grants;
      await w.run(w.cancel(parent.record));
      await sweep(w);
      assert.equal((await w.get(leaf!.record)).record.cancel?.cause, "parent");
      assert.equal((await w.store.pendingWork()).hasUnsweptChildren, false);
      w.harness.advance(100);
      const { record } = expectOutcome(await w.run(w.cancel(parent.record, stricter)), "cancel");
      assert.equal((await w.store.pendingWork()).hasUnsweptChildren, true);
      // What a worker tells of the first cancel meanwhile makes nobody forget the second.
      await w.run({ type: "cancelPhase", ...fencedBy(middle!), phase: "ACKNOWLEDGED", detail: "" });
      await w.harness.reopen();
      assert.equal((await w.store.pendingWork()).hasUnsweptChildren, true);
      w.harness.advance(1000);
      await sweep(w);
      assert.equal((await w.store.pendingWork()).hasUnsweptChildren, false);
      for (const below of [middle!, leaf!]) {
        const { cancel } = (await w.get(below.record)).record;
        assert.equal(cancel?.force, "force" in stricter);
        if ("graceMs" in stricter) assert.equal(cancel?.graceEndTime, record.cancel?.graceEndTime);
        const { events = [] } = (await w.store.getReceipt(keyOf(below.record))) ?? {};
        assert.equal(events.filter(({ kind }) => kind === "REPEATED").length, 1);
      }
    });
  }

  test("a shared child outlives one of its parents, and stops with the last", async () => {
    const w = world();
    const [first, second] = [await w.running(), await w.running()];
    const requestKey = { method: "child", requestId: "r", digest: "d" };
    const shared = await child(w, first, { requestKey, shared: true });
    const joined = expectOutcome(
      await w.run(w.start({ ...childOf(second), requestKey, shared: true })),
      "operation",
    );
    assert.equal(joined.record.name, shared.name);
    assert.equal(joined.record.parents.length, 2);
    await w.run(w.cancel(first.record));
    await sweep(w);
    assert.equal(await stateOf(w, shared), "PENDING");
    const [summary] = await w.store.listChildren(keyOf(first.record), 10);
    assert.equal(summary?.detached, true);
    await w.run(w.complete(second));
    await sweep(w);
    assert.equal(await stateOf(w, shared), "CANCELLED");
  });

  test("parent and child in one batch: the child of a parent that is cancelled there is told", async () => {
    const w = world();
    const parent = await w.running();
    const start = w.start(childOf(parent));
    await w.commit(start, w.cancel(parent.record));
    assert.equal((await w.store.pendingWork()).hasUnsweptChildren, true);
    await sweep(w);
    assert.equal((await w.get(start.key)).record.state, "CANCELLED");
  });

  test("a child that is purged leaves its parent's list", async () => {
    const w = world();
    const parent = await w.running();
    const gone = await child(w, parent, { policy: { ...policy, retentionMs: DAY } });
    await w.run(w.cancel(gone));
    w.harness.advance(2 * DAY);
    await w.store.purge(1000);
    assert.deepEqual(await w.store.listChildren(keyOf(parent.record), 10), []);
    await w.run(w.complete(parent));
  });
}
