// Reading the feed: in commit order, without a gap, by names, parents and filters, and resumed by sealed tokens.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { FeedEntry, FeedPage, FeedQuery } from "../../../src/engine/store.ts";
import { DAY, expectOutcome, World as NewWorld, policy, type World } from "./store-harness.ts";

export function exerciseFeedReads(world: () => World): void {
  function read(w: World, after: number, changes: Partial<FeedQuery> = {}): Promise<FeedPage> {
    const { service, tenant } = w;
    return w.store.readFeed({
      service,
      tenant,
      parent: null,
      filter: "",
      names: null,
      after,
      limit: 100,
      ...changes,
    });
  }

  /** From a position to the end. */
  async function readAll(w: World, after: number, changes: Partial<FeedQuery> = {}): Promise<FeedEntry[]> {
    const entries: FeedEntry[] = [];
    let at = after;
    for (;;) {
      const page = await read(w, at, changes);
      entries.push(...page.entries);
      if (page.isAtEnd) return entries;
      assert(page.position > at, "each read goes on");
      at = page.position;
    }
  }

  const changes = (entries: readonly FeedEntry[]): unknown[] =>
    entries.map(({ name, revision }) => [name, revision]);

  test("an event carries the operation as it stands, with its labels", async () => {
    const w = world();
    const from = await w.store.feedPosition();
    const record = await w.started({ labels: { team: "ads" } });
    await w.run(w.cancel(record));
    const { entries, position, isAtEnd } = await read(w, from);
    assert.deepEqual(
      entries.map(({ revision, state, operation }) => [
        revision,
        state,
        operation?.record.revision,
        operation?.labels,
      ]),
      [
        [1, "PENDING", 2, { team: "ads" }],
        [2, "CANCELLED", 2, { team: "ads" }],
      ],
    );
    assert.equal(isAtEnd, true);
    assert.equal(position, await w.store.feedPosition());
    assert.deepEqual(await read(w, position), { entries: [], position, isAtEnd: true });
  });

  for (const limit of [1, 3, 1000]) {
    test(`reads of ${limit} give each event of a tenant once, in commit order`, async () => {
      const w = world();
      const other = new NewWorld(w.harness);
      const from = await w.store.feedPosition();
      for (let made = 0; made < 5; made++) {
        await w.commit(w.start(), other.start(), w.start(), w.start());
        await other.started();
      }
      const entries = await readAll(w, from, { limit });
      const rows = await w.harness.feed(w.tenant);
      assert.deepEqual(
        entries.map(({ position, name, revision, state }) => ({ position, name, revision, state })),
        rows,
      );
    });
  }

  test("only the events of given names, of a parent, or of what matches a filter now", async () => {
    const w = world();
    const from = await w.store.feedPosition();
    const plain = await w.started();
    const below = await w.started({ parent: "projects/p" });
    const urgent = await w.started({ priority: 50 });
    await w.run(w.cancel(urgent));
    assert.deepEqual(changes(await readAll(w, from, { names: [below.name] })), [[below.name, 1]]);
    assert.deepEqual(changes(await readAll(w, from, { parent: "projects/p" })), [[below.name, 1]]);
    assert.deepEqual(changes(await readAll(w, from, { filter: "priority>10" })), [
      [urgent.name, 1],
      [urgent.name, 2],
    ]);
    assert.deepEqual(changes(await readAll(w, from, { filter: "done=false", parent: "" })), [
      [plain.name, 1],
    ]);
    assert.deepEqual(changes(await readAll(w, from, { names: [] })), []);
    await assert.rejects(read(w, from, { filter: "nonsense" }), { reason: "INVALID_FILTER" });
  });

  test("10,000 names are one restriction, read by read, also after the store was opened again", async () => {
    const w = world();
    const from = await w.store.feedPosition();
    const wanted = await w.started();
    await w.started();
    const names = [...Array.from({ length: 9999 }, (_, index) => `operations/none-${index}`), wanted.name];
    assert.deepEqual(changes(await readAll(w, from, { names })), [[wanted.name, 1]]);
    await w.run(w.cancel(wanted));
    assert.deepEqual(changes(await readAll(w, from, { names })), [
      [wanted.name, 1],
      [wanted.name, 2],
    ]);
    await w.harness.reopen();
    assert.equal((await readAll(w, from, { names })).length, 2);
    // More lists than a store keeps at hand.
    for (let list = 0; list < 70; list++)
      assert.equal((await readAll(w, from, { names: [`x-${list}`] })).length, 0);
    assert.equal((await readAll(w, from, { names })).length, 2);
  });

  test("a long way without a match is gone in bounded steps", async () => {
    const w = world();
    const from = await w.store.feedPosition();
    for (let made = 0; made < 12_000; made += 1000) {
      await w.commit(...Array.from({ length: 1000 }, () => w.start({ request: null })));
    }
    const last = await w.started({ priority: 7 });
    const page = await read(w, from, { filter: "priority=7" });
    assert.deepEqual([page.entries.length, page.isAtEnd], [0, false]);
    assert.deepEqual(changes(await readAll(w, from, { filter: "priority=7" })), [[last.name, 1]]);
  });

  test("an operation that is purged is told without its state, unless a filter asks for it", async () => {
    const w = world();
    const from = await w.store.feedPosition();
    const record = await w.done({ policy: { ...policy, retentionMs: 1000 } });
    w.harness.advance(DAY);
    await w.store.purge(1000);
    const entries = await readAll(w, from);
    assert.deepEqual(
      entries.map(({ name, operation }) => [name, operation]),
      [1, 2, 3].map(() => [record.name, null]),
    );
    assert.equal((await readAll(w, from, { parent: "" })).length, 3);
    assert.equal((await readAll(w, from, { parent: "projects/p" })).length, 0);
    assert.equal((await readAll(w, from, { filter: "done=true" })).length, 0);
  });

  test("a position whose events were removed is refused, also when nothing is left and after a restart", async () => {
    const w = world();
    const before = await w.store.feedPosition();
    await w.started();
    const last = await w.store.feedPosition();
    w.harness.advance(8 * DAY);
    await w.store.purge(1000);
    for (let time = 0; time < 2; time++) {
      await assert.rejects(read(w, before), { reason: "RESUME_TOKEN_EXPIRED" });
      assert.equal(await w.store.feedPosition(), last, "the newest event was there, and is not forgotten");
      assert.deepEqual(await read(w, last), { entries: [], position: last, isAtEnd: true });
      await w.harness.reopen();
    }
    const record = await w.started();
    assert.deepEqual(changes(await readAll(w, last)), [[record.name, 1]]);
  });

  test("a resume token opens to its position for its own service and tenant alone", async () => {
    const w = world();
    const { service, tenant } = w;
    const token = await w.store.sealToken({ service, tenant }, 4711);
    assert.equal(await w.store.openToken({ service, tenant }, token), 4711);
    const changed = (token.startsWith("B") ? "C" : "B") + token.slice(1);
    const refused = { reason: "INVALID_RESUME_TOKEN" };
    for (const other of ["", "x", changed, `${token}A`]) {
      await assert.rejects(w.store.openToken({ service, tenant }, other), refused);
    }
    await assert.rejects(w.store.openToken({ service, tenant: "x" }, token), refused);
    await assert.rejects(w.store.openToken({ service: "x", tenant }, token), refused);
    await w.harness.reopen();
    assert.equal(await w.store.openToken({ service, tenant }, token), 4711);
  });

  test("a resume token lives as long as the events that it resumes, over changes of keys", async () => {
    const w = world();
    const { service, tenant } = w;
    w.harness.advance(6 * DAY);
    const token = await w.store.sealToken({ service, tenant }, 5);
    for (let week = 0; week < 2; week++) {
      w.harness.advance(4 * DAY);
      await w.store.purge(10);
    }
    await w.harness.reopen();
    assert.equal(await w.store.openToken({ service, tenant }, token), 5);
    assert.notEqual(await w.store.sealToken({ service, tenant }, 5), token);
  });

  test("what was acknowledged before a read is in it", async () => {
    const w = world();
    let at = await w.store.feedPosition();
    for (let round = 0; round < 30; round++) {
      const { record } = expectOutcome(await w.run(w.start()), "operation");
      const page = await read(w, at);
      assert.deepEqual(changes(page.entries), [[record.name, 1]]);
      at = page.position;
    }
  });
}
