// Watcher presence over a real store: an operation that may end unwatched runs on while somebody reads, waits or watches.
import assert from "node:assert/strict";
import { test } from "node:test";
import { SharedClock } from "../stores/sqlite/store-clock.ts";
import { eventually } from "../testing/eventually.ts";
import { key, never, nextLife, openEngine, request } from "../testing/test-engine.ts";
import type { Engine } from "./engine.ts";
import type { OperationRecord } from "./operation.ts";
import type { FeedPage } from "./store.ts";

const START = 1_800_000_000_000_000;

async function start(engine: Engine, unwatchedMs: number): Promise<OperationRecord> {
  return (await engine.start(request({ unwatchedMs }))).operation.record;
}

async function kept(engine: Engine, { name }: OperationRecord): Promise<OperationRecord> {
  return (await engine.detail(key(name))).record;
}

test("an operation that nobody watches is cancelled after its time, by the rule and with its reason", async (context) => {
  const { engine } = await openEngine(context);
  const record = await start(engine, 150);
  const done = await eventually("the end", async () => {
    const now = await kept(engine, record);
    return now.doneTime !== null && now;
  });
  assert.deepEqual(
    [done.state, done.cancel?.cause, done.cancel?.requestedBy],
    ["CANCELLED", "unwatched", ""],
  );
});

test("a wait keeps it alive as long as it is held", async (context) => {
  const { engine } = await openEngine(context);
  const record = await start(engine, 200);
  const waited = await engine.wait(key(record.name), { timeoutMs: 700, onCallerGone: never });
  assert.equal(waited.record.state, "PENDING");
  await eventually("the end, after the wait", async () => (await kept(engine, record)).state === "CANCELLED");
});

test("a watch by name keeps it alive, a watch of everything does not", async (context) => {
  const { engine } = await openEngine(context);
  const watched = await start(engine, 800);
  const scope = { service: "default", tenant: "default", parent: null, filter: "", after: null };
  const byName = engine.feed.open({ ...scope, names: [watched.name] }, never, never);
  const told: string[] = [];
  const begun = Promise.withResolvers<void>();
  const tell = ({ entries }: FeedPage): void => {
    told.push(...entries.map(({ name }) => name));
    begun.resolve();
  };
  engine.feed.open({ ...scope, names: null }, tell, never);
  await begun.promise;
  const unwatched = await start(engine, 800);
  await eventually("it is told of", () => told.includes(unwatched.name));
  await eventually("the end of the other", async () => (await kept(engine, unwatched)).state === "CANCELLED");
  const horizon = engine.clock.now() + 900_000;
  await eventually("more than its time", () => engine.clock.now() > horizon);
  assert.equal((await kept(engine, watched)).state, "PENDING");
  byName.close();
  await eventually(
    "the end, after the watch",
    async () => (await kept(engine, watched)).state === "CANCELLED",
  );
});

test("reads renew the deadline at most once per quarter of the time", async (context) => {
  const clock = new SharedClock(START);
  const { engine } = await openEngine(context, { store: { clock } });
  const record = await start(engine, 60_000);
  const first = record.watchDeadline ?? 0;
  assert.equal(first, record.createTime + 60_000_000);
  clock.advance(10_000);
  await engine.get(key(record.name));
  engine.watched(key(record.name));
  await engine.start(request()); // a commit: what had to be renewed is renewed by now
  assert.equal((await kept(engine, record)).watchDeadline, first);
  clock.advance(10_000);
  await engine.get(key(record.name));
  await eventually(
    "the renewal",
    async () => (await kept(engine, record)).watchDeadline === first + 20_000_000,
  );
  assert.equal((await kept(engine, record)).revision, 1, "nothing visible has changed");
});

test("a server that was away gives every watcher its time again before it cancels anything", async (context) => {
  const clock = new SharedClock(START);
  const { engine, store } = await openEngine(context, { store: { clock } });
  const overdue = await start(engine, 60_000);
  const nearly = await start(engine, 100_000);
  await engine.close();
  clock.advance(90_000);
  const next = nextLife(context, store);
  const now = clock.now();
  for (const { name, policy } of [overdue, nearly]) {
    await eventually("its time begins anew", async () => {
      return ((await next.detail(key(name))).record.watchDeadline ?? 0) >= now + policy.unwatchedMs * 1000;
    });
    assert.equal((await next.detail(key(name))).record.state, "PENDING");
  }
});
