// The live feed over a real store: every visible change once and in order, for names, parents and filters; what it costs;
// who is held up by whom.
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import type { RpcError } from "../base/rpc-error.ts";
import { eventually } from "../testing/eventually.ts";
import {
  cancelCall,
  completed,
  embedded,
  granted,
  key,
  openEngine,
  report,
  request,
} from "../testing/test-engine.ts";
import type { Engine } from "./engine.ts";
import type { FeedSubscription, FeedWatch } from "./feed-hub.ts";
import type { FeedPage, FeedQuery } from "./store.ts";

const all: FeedWatch = {
  service: "default",
  tenant: "default",
  parent: null,
  filter: "",
  names: null,
  after: null,
};

interface Watching {
  pages: FeedPage[];
  errors: unknown[];
  subscription: FeedSubscription;
  /** `a 1`: the last part of the name, and the revision. */
  seen(): string[];
}

function watch(engine: Engine, fields: Partial<FeedWatch> = {}, hold?: () => Promise<void>): Watching {
  const pages: FeedPage[] = [];
  const errors: unknown[] = [];
  const take = async (page: FeedPage): Promise<void> => {
    pages.push(page);
    await hold?.();
  };
  const subscription = engine.feed.open({ ...all, ...fields }, take, (error) => errors.push(error));
  const seen = (): string[] =>
    pages.flatMap(({ entries }) => entries.map(({ name, revision }) => `${name} ${revision}`));
  return { pages, errors, subscription, seen };
}

async function begunWatch(engine: Engine, fields: Partial<FeedWatch> = {}): Promise<Watching> {
  const watching = watch(engine, fields);
  await eventually("the first page", () => watching.pages.length === 1);
  assert.deepEqual(watching.pages[0]?.entries, [], "the first page only says where the watch begins");
  return watching;
}

async function startOne(engine: Engine, fields: Parameters<typeof request>[0] = {}): Promise<string> {
  return (await engine.start(request(fields))).operation.record.name;
}

test("a watch tells each visible change once, in order, from now on", async (context) => {
  const world = await embedded(context);
  const before = await granted(world);
  const watching = await begunWatch(world.engine);
  const attempt = await granted(world);
  await report(world.session, attempt, { type: "progress", progress: { percent: 50, message: "" } });
  await report(world.session, attempt, { type: "progress", progress: { percent: 50, message: "" } });
  await report(world.session, attempt, completed);
  await eventually("four changes", () => watching.seen().length === 4);
  assert.deepEqual(
    watching.seen(),
    [1, 2, 3, 4].map((revision) => `${attempt.name} ${revision}`),
  );
  assert.ok(!watching.seen().some((line) => line.startsWith(before.name)));
  const positions = watching.pages.flatMap(({ entries }) => entries.map(({ position }) => position));
  assert.deepEqual(
    positions,
    positions.toSorted((a, b) => a - b),
  );
  const last = watching.pages.at(-1)?.entries.at(-1);
  assert.equal(last?.operation?.record.state, "SUCCEEDED");
});

test("a watch that resumes gets what it missed, and then what comes, without a gap", async (context) => {
  const { engine } = await openEngine(context);
  const first = await begunWatch(engine);
  const names = [await startOne(engine)];
  await eventually("the first", () => first.seen().length === 1);
  first.subscription.close();
  for (let more = 0; more < 1200; more += 300) {
    const batch = await engine.batchStart(Array.from({ length: 300 }, () => request()));
    for (const started of batch) if ("operation" in started) names.push(started.operation.record.name);
  }
  const resumed = watch(engine, { after: first.pages.at(-1)?.position ?? 0 });
  names.push(await startOne(engine));
  await eventually("all that came after", () => resumed.seen().length === names.length - 1);
  assert.deepEqual(
    resumed.seen(),
    names.slice(1).map((name) => `${name} 1`),
  );
  assert.ok(
    resumed.pages.every(({ entries }) => entries.length <= 500),
    "pages are bounded",
  );
  assert.equal(first.seen().length, 1, "a closed watch is told nothing");
});

test("watches that go on from different places share a read, and each is told what it has missed", async (context) => {
  const { engine } = await openEngine(context);
  const first = await begunWatch(engine);
  const names: string[] = [];
  for (let more = 0; more < 6; more++) names.push(await startOne(engine));
  await eventually("all six", () => first.seen().length === 6);
  const positions = first.pages.flatMap(({ entries }) => entries.map(({ position }) => position));
  // The first is read for at once, the others while that goes on: together.
  const resumed = [0, 2, 4].map((index) => watch(engine, { after: positions[index] ?? 0 }));
  await eventually("the last one is told to each", () =>
    resumed.every((each) => each.seen().includes(`${names[5]} 1`)),
  );
  assert.deepEqual(
    resumed.map((each) => each.seen()),
    [1, 3, 5].map((index) => names.slice(index).map((name) => `${name} 1`)),
  );
});

test("names, parents and filters see their own only", async (context) => {
  const { engine } = await openEngine(context);
  const wanted = await startOne(engine);
  const byName = await begunWatch(engine, { names: [wanted] });
  const byParent = await begunWatch(engine, { parent: "projects/p" });
  const atRoot = await begunWatch(engine, { parent: "" });
  const byFilter = await begunWatch(engine, { filter: 'labels.team = "ads"' });
  const elsewhere = await begunWatch(engine, { tenant: "other" });
  const inProject = await startOne(engine, { parent: "projects/p" });
  const labelled = await startOne(engine, { labels: { team: "ads" } });
  await engine.cancel(cancelCall(wanted));
  await startOne(engine, { tenant: "other" });
  await eventually(
    "all of them",
    () =>
      [byName, byParent, byFilter, elsewhere].every((each) => each.seen().length === 1) &&
      atRoot.seen().length === 2,
  );
  assert.deepEqual(byName.seen(), [`${wanted} 2`]);
  assert.deepEqual(byParent.seen(), [`${inProject} 1`]);
  assert.deepEqual(atRoot.seen(), [`${labelled} 1`, `${wanted} 2`]);
  assert.deepEqual(byFilter.seen(), [`${labelled} 1`]);
  assert.deepEqual(byFilter.pages.at(-1)?.entries[0]?.operation?.labels, { team: "ads" });
});

/** Counts the reads of the feed, and lets a test see what they asked for. */
function spyOnReads(
  context: TestContext,
  store: { readFeed(query: FeedQuery): Promise<FeedPage> },
): FeedQuery[] {
  const queries: FeedQuery[] = [];
  const readFeed = store.readFeed.bind(store);
  store.readFeed = (query) => {
    queries.push(query);
    return readFeed(query);
  };
  context.after(() => {
    store.readFeed = readFeed;
  });
  return queries;
}

test("a commit costs a thousand watches of other names nothing, and those that it concerns one read together", async (context) => {
  const { engine, store } = await openEngine(context);
  const started = await engine.batchStart(Array.from({ length: 500 }, () => request()));
  const names = started.flatMap((each) => ("operation" in each ? [each.operation.record.name] : []));
  const watches = names.flatMap((name) => [
    watch(engine, { names: [name] }),
    watch(engine, { names: [name] }),
  ]);
  await eventually("all have begun", () => watches.every(({ pages }) => pages.length === 1));
  const queries = spyOnReads(context, store);
  await startOne(engine);
  await engine.cancel(cancelCall(names[0] ?? ""));
  await eventually(
    "both watches of the name",
    () => watches.filter((each) => each.seen().length === 1).length === 2,
  );
  assert.deepEqual(
    queries.map((query) => query.names),
    [[names[0]]],
  );
  queries.length = 0;
  await Promise.all(names.slice(1, 101).map((name) => engine.cancel(cancelCall(name))));
  await eventually("their watches", () => watches.filter((each) => each.seen().length === 1).length === 202);
  assert.ok(queries.length <= 4, `100 watched names of one commit took ${queries.length} reads`);
});

test("a watcher that does not take its page holds up nobody, and gets all of it later", async (context) => {
  const { engine } = await openEngine(context);
  const gate = Promise.withResolvers<void>();
  const slow = watch(engine, {}, () => gate.promise);
  const quick = await begunWatch(engine);
  const names: string[] = [];
  for (let started = 0; started < 5; started++) names.push(await startOne(engine));
  await eventually("the quick one", () => quick.seen().length === 5);
  assert.equal(slow.pages.length, 1);
  gate.resolve();
  await eventually("the slow one", () => slow.seen().length === 5);
  assert.deepEqual(slow.seen(), quick.seen());
  assert.ok(slow.pages.length <= 3, "what waited comes together");
});

test("changes that are committed while a watch begins are told, or lie before its beginning", async (context) => {
  const { engine, store } = await openEngine(context);
  for (let round = 0; round < 10; round++) {
    const watching = watch(engine);
    const starting = Promise.all([startOne(engine), startOne(engine), startOne(engine)]);
    await eventually("the first page", () => watching.pages.length >= 1);
    await starting;
    const end = await store.feedPosition();
    await eventually("the end", () => (watching.pages.at(-1)?.position ?? 0) >= end);
    const begin = watching.pages[0]?.position ?? 0;
    assert.equal(watching.seen().length, end - begin);
    watching.subscription.close();
  }
});

test("a quiet watch on a busy server does not fall behind", async (context) => {
  const { engine, store } = await openEngine(context);
  const quiet = await startOne(engine);
  const watching = await begunWatch(engine, { names: [quiet] });
  const queries = spyOnReads(context, store);
  for (let started = 0; started < 10; started++) await startOne(engine);
  const passed = await store.feedPosition();
  const horizon = engine.clock.now() + 1_500_000;
  await eventually("the watch was moved on", async () => {
    await startOne(engine);
    return engine.clock.now() > horizon;
  });
  await engine.cancel(cancelCall(quiet));
  await eventually("the change", () => watching.seen().length === 1);
  assert.equal(queries.length, 1);
  assert.ok((queries[0]?.after ?? 0) >= passed, "the read began before what had been looked at");
});

test("a filter that cannot be read, or a token that is too old, ends the watch with the error", async (context) => {
  const { engine } = await openEngine(context);
  await startOne(engine);
  const wrong = watch(engine, { filter: "state = ", after: 0 });
  await eventually("the error", () => wrong.errors.length === 1);
  assert.equal((wrong.errors[0] as RpcError).reason, "INVALID_FILTER");
  assert.equal(engine.feed.count, 0);
});

test("a subscriber that fails is closed, with its error", async (context) => {
  const { engine } = await openEngine(context);
  const errors: unknown[] = [];
  engine.feed.open(
    all,
    () => Promise.reject(new Error("no")),
    (error) => errors.push(error),
  );
  await eventually("the error", () => errors.length === 1);
  assert.equal(engine.feed.count, 0);
});

test("a draining server ends every watch", async (context) => {
  const { engine } = await openEngine(context);
  const watches = [await begunWatch(engine), await begunWatch(engine, { names: [key("operations/a").name] })];
  engine.releaseWaiters();
  for (const { errors } of watches)
    assert.deepEqual(
      errors.map((error) => (error as RpcError).reason),
      ["SHUTTING_DOWN"],
    );
  assert.equal(engine.feed.count, 0);
});
