// Reads: they see every acknowledged commit and never go back (S14).
import assert from "node:assert/strict";
import { test } from "node:test";
import { fencedBy, keyOf, World } from "./store-harness.ts";

export function exerciseReads(world: () => World): void {
  test("what does not exist is undefined", async () => {
    const w = world();
    const { key } = w.start();
    assert.equal(await w.store.getOperation(key), undefined);
    assert.equal(await w.store.getOperationDetail(key), undefined);
    assert.equal(await w.store.getReceipt(key), undefined);
    assert.equal(w.store.peekOperation(key), undefined);
  });

  test("an operation is found only under its own service and tenant", async () => {
    const w = world();
    const record = await w.started();
    for (const foreign of [{ tenant: `${w.tenant}x` }, { service: "vault" }]) {
      assert.equal(await w.store.getOperation({ ...keyOf(record), ...foreign }), undefined);
      assert.equal(w.store.peekOperation({ ...keyOf(record), ...foreign }), undefined);
    }
  });

  test("a read that follows a commit sees it, from memory and from the database", async () => {
    const w = world();
    const grant = await w.running();
    for (let percent = 1; percent <= 30; percent++) {
      await w.run({ type: "progress", ...fencedBy(grant), progress: { percent, message: "" } });
      assert.equal((await w.get(grant.record)).record.progress?.percent, percent);
      assert.equal(
        (await w.store.getOperationDetail(keyOf(grant.record)))?.record.progress?.percent,
        percent,
      );
      const peeked = w.store.peekOperation(keyOf(grant.record));
      assert.equal(peeked?.record.progress?.percent ?? percent, percent);
    }
  });

  test("reads in parallel with commits never go back", async () => {
    const w = world();
    const grant = await w.running();
    const key = keyOf(grant.record);
    let seen = 0;
    const see = (revision: number, floor: number): void => {
      assert(revision >= floor, `revision ${revision} was read after ${floor} had been seen`);
      seen = Math.max(seen, revision);
    };
    let committing = true;
    const reading = (async () => {
      while (committing) {
        const floor = seen;
        const reads = [w.store.getOperation(key), w.store.getOperationDetail(key), w.store.getOperation(key)];
        for (const stored of await Promise.all(reads)) see(stored!.record.revision, floor);
        const page = await w.store.listOperations(w.query({ filter: "state=RUNNING" }));
        for (const { record } of page.operations) see(record.revision, floor);
        see(w.store.peekOperation(key)?.record.revision ?? seen, seen);
      }
    })();
    for (let percent = 1; percent <= 100; percent++) {
      await w.run({ type: "progress", ...fencedBy(grant), progress: { percent, message: "" } });
    }
    committing = false;
    await reading;
    assert.equal((await w.get(key)).record.revision, 102);
  });

  test("many reads of one moment are each answered with their own operation", async () => {
    const w = world();
    const starts = Array.from({ length: 300 }, () => w.start());
    await w.commit(...starts);
    await w.harness.reopen();
    const absent = w.start().key;
    const found = await Promise.all(
      [...starts.map(({ key }) => key), absent].map((key) => w.store.getOperation(key)),
    );
    assert.deepEqual(
      found.map((stored) => stored?.record.name),
      [...starts.map(({ key }) => key.name), undefined],
    );
  });

  test("pendingWork tells the earliest timer and the earliest start", async () => {
    const w = world();
    const now = w.store.clock.now();
    const before = await w.store.pendingWork();
    assert(before.nextStart === null || before.nextStart <= now);
    const early = now - 1_000_000;
    // Of types with no earlier pending operation: the earliest of all types counts.
    await w.started({ operationType: `${w.type}.z`, deadline: early });
    const { nextTimer } = await w.store.pendingWork();
    assert(nextTimer !== null && nextTimer <= early);
  });

  test("a store without work has no timer and no start", async () => {
    const w = world();
    await w.run({ type: "tickDue", limit: 1000 });
    await w.run(w.openSession());
    w.harness.advance(1000);
    await w.run(w.acquire(1000, { types: World.types().flatMap((type) => [type, `${type}.z`]) }));
    assert.equal((await w.store.pendingWork()).nextStart, null);
    for (const { session } of await w.store.listSessions()) {
      await w.run({ type: "closeSession", session, survivors: [] });
    }
    assert.equal((await w.store.pendingWork()).nextTimer, null);
  });
}
