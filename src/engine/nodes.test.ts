import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { createLogger } from "../base/logger.ts";
import { RpcError } from "../base/rpc-error.ts";
import { SqliteStore } from "../stores/sqlite/sqlite-store.ts";
import { SharedClock } from "../stores/sqlite/store-clock.ts";
import { eventually } from "../testing/eventually.ts";
import { SharedStore } from "../testing/shared-store.ts";
import {
  begun,
  cancelCall,
  completed,
  granted,
  key,
  never,
  openSession,
  policy,
  Recording,
  report,
  request,
  stopped,
  type World,
} from "../testing/test-engine.ts";
import { Engine } from "./engine.ts";

interface Nodes {
  shared: SharedStore;
  sqlite: SqliteStore;
  a: Engine;
  b: Engine;
}

async function twoNodes(context: TestContext, options: { clock?: SharedClock } = {}): Promise<Nodes> {
  const folder = mkdtempSync(join(tmpdir(), "belay-nodes-"));
  const sqlite = await SqliteStore.open(folder, options);
  const shared = new SharedStore(sqlite);
  const [a, b] = ["a", "b"].map((node) => {
    const engine = new Engine({ store: shared.node(node), logger: createLogger("silent"), node });
    engine.registerType("test.work", policy);
    engine.startMaintenance();
    return engine;
  });
  assert.ok(a && b);
  context.after(async () => {
    await Promise.all([a.close(), b.close()]);
    await sqlite.close();
    rmSync(folder, { recursive: true });
  });
  return { shared, sqlite, a, b };
}

async function remoteWorker(
  engine: Engine,
  fields: Parameters<typeof openSession>[2] = {},
): Promise<Pick<World, "engine" | "transport" | "session">> {
  const transport = new Recording(true);
  const session = await openSession(engine, transport, { kind: "remote", leaseMs: 60_000, ...fields });
  return { engine, transport, session };
}

const wait = { timeoutMs: 20_000, onCallerGone: never };

test("what is started on one node is run by a worker of another, and waited for on the first", async (context) => {
  const { a, b } = await twoNodes(context);
  const { transport, session } = await remoteWorker(b);
  const attempt = await granted({ engine: a, transport });
  const waiting = a.wait(attempt.key, wait);
  await report(session, attempt, { type: "begin" });
  await report(session, attempt, completed);
  assert.equal((await waiting).record.state, "SUCCEEDED");
});

test("a wait for what was started here does not read it first, and is told of its end at another node", async (context) => {
  const { shared, sqlite, a, b } = await twoNodes(context);
  const { transport, session } = await remoteWorker(b);
  const attempt = await granted({ engine: a, transport });
  let reads = 0;
  shared.readsAs = (read, node) => {
    if (node === "a") reads++;
    return sqlite.getOperation(read);
  };
  const waiting = a.wait(attempt.key, wait);
  await report(session, attempt, { type: "begin" });
  assert.equal(reads, 0);
  await report(session, attempt, completed);
  assert.equal((await waiting).record.state, "SUCCEEDED");
  assert.equal((await a.wait(attempt.key, wait)).record.state, "SUCCEEDED");
});

for (const [delivery, how] of [
  ["push", "by push"],
  ["poll", "by the next look at the feed, where notifications are lost"],
] as const) {
  test(`a cancel of one node reaches the worker of another ${how}`, async (context) => {
    const { a, b, shared } = await twoNodes(context);
    const worker = await remoteWorker(b);
    const { name } = await begun(worker);
    shared.delivery = delivery;
    const { verdict } = await a.cancel(cancelCall(name));
    assert.equal(verdict, "STOPPING");
    await eventually("the cancel", () => worker.transport.cancels.length > 0);
    assert.equal(worker.transport.cancels.length, 1);
  });
}

test("a cancel that no node is told of is in the reply to the next heartbeat", async (context) => {
  const { a, b, shared } = await twoNodes(context);
  const worker = await remoteWorker(b);
  const { name } = await begun(worker);
  shared.delivery = "none";
  await a.cancel(cancelCall(name));
  const cancels = await worker.session.heartbeat();
  assert.deepEqual(
    cancels?.map((each) => each.key.name),
    [name],
  );
});

test("an older sight of an operation that is read late takes nothing away from its worker", async (context) => {
  const { a, b, shared } = await twoNodes(context);
  const { transport, session } = await remoteWorker(b);
  const attempt = await granted({ engine: a, transport });
  await report(session, attempt, { type: "return" });
  const { promise: held, resolve: release } = Promise.withResolvers<void>();
  const free = await a.get(attempt.key);
  assert.equal(free.record.lease, null);
  // Read while it was free; the answer comes when it was granted again, and has begun.
  shared.readsAs = async (key) => {
    if (key.name !== attempt.name) return undefined;
    await held;
    return free;
  };
  session.slotFreed();
  const again = await eventually("the next grant", () => transport.grants[1]);
  const looking = session.heartbeat();
  await report(session, { key: attempt.key, token: again.record.leaseToken }, { type: "begin" });
  release();
  await looking;
  shared.readsAs = null;
  assert.deepEqual(transport.revokedNames, []);
  assert.ok(session.holds({ key: attempt.key, token: again.record.leaseToken }));
});

test("a cancel that is heard of before the grant it belongs to reaches the worker", async (context) => {
  const { a, b, shared } = await twoNodes(context);
  const { promise: held, resolve: release } = Promise.withResolvers<void>();
  let name = "";
  // The acquire is committed, and answered only after another node's cancel was heard of.
  shared.afterCommit = async ({ outcomes }) => {
    const outcome = outcomes.find((each) => each.type === "granted" && each.grants.length > 0);
    if (outcome?.type !== "granted") return;
    shared.afterCommit = null;
    name = outcome.grants[0]?.record.name ?? "";
    await held;
  };
  const transport = new Recording();
  await openSession(b, transport);
  await a.start(request());
  await eventually("the acquire", () => name);
  await a.cancel(cancelCall(name));
  await new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
  release();
  // Before the next heartbeat, which would find it, too.
  await eventually("the cancel", () => transport.cancels.length > 0, { timeoutMs: 3000 });
  assert.deepEqual(transport.heard.slice(0, 2), [`granted ${name}`, `cancel ${name}`]);
});

test("work that was granted by a commit whose answer was lost reaches its worker, once", async (context) => {
  const { a, b, shared } = await twoNodes(context);
  const { transport, session } = await remoteWorker(b, { slots: 4 });
  let isLost = false;
  shared.afterCommit = async ({ outcomes }) => {
    if (!outcomes.some((each) => each.type === "granted" && each.grants.length > 0)) return;
    shared.afterCommit = null;
    isLost = true;
    throw new RpcError("STORAGE_UNAVAILABLE");
  };
  const { operation } = await a.start(request());
  await eventually("the acquire", () => isLost);
  assert.equal(transport.grants.length, 0);
  await session.heartbeat();
  await eventually("the grant", () => transport.grants.length > 0);
  assert.equal(transport.grants[0]?.record.name, operation.record.name);
  await session.heartbeat();
  const next = await a.start(request());
  await eventually("another grant", () => transport.grants.length > 1);
  assert.deepEqual(
    transport.grants.map(({ record }) => record.name),
    [operation.record.name, next.operation.record.name],
  );
});

test("a worker that comes to another node goes on there, and the first node lets go of it", async (context) => {
  const { a, b, shared } = await twoNodes(context);
  const worker = await remoteWorker(a, { slots: 2 });
  const attempt = await begun(worker);
  // Nobody tells the first node: its stream is broken, and it has not noticed.
  shared.delivery = "none";
  const there = new Recording(true);
  const resumed = await b.resumeSession(worker.session.id, "worker:w", there, [attempt]);
  assert.ok(resumed);
  assert.deepEqual(resumed.lost, []);
  shared.delivery = "push";
  const next = await a.start(request());
  await eventually("the grant", () => there.grants.length > 0);
  assert.equal(there.grants[0]?.record.name, next.operation.record.name);
  await eventually("the end", () => worker.transport.heard.includes("ended replaced"));
  assert.equal(worker.transport.grants.length, 1);
  await a.cancel(cancelCall(attempt.name));
  await eventually("the cancel", () => there.cancels.length > 0);
  assert.equal(worker.transport.cancels.length, 0);
  await report(resumed.session, attempt, stopped);
  assert.equal((await a.wait(key(attempt.name), wait)).record.state, "CANCELLED");
});

test("a worker that comes back from another node still has what it was given there", async (context) => {
  const { a, b, shared } = await twoNodes(context);
  // The first node hears of nothing: it still believes that the worker is its own.
  shared.delivery = "none";
  const worker = await remoteWorker(a);
  const elsewhere = new Recording(true);
  const there = await b.resumeSession(worker.session.id, "worker:w", elsewhere, []);
  assert.ok(there);
  const attempt = await granted({ engine: b, transport: elsewhere });
  await report(there.session, attempt, { type: "begin" });
  const back = new Recording(true);
  const resumed = await a.resumeSession(worker.session.id, "worker:w", back, [attempt]);
  assert.deepEqual(resumed?.lost, []);
  await a.cancel(cancelCall(attempt.name));
  await eventually("the cancel", () => back.cancels.length > 0);
  assert.equal(await b.resumeSession(worker.session.id, "somebody else", new Recording(true), []), null);
});

test("a node that comes back knows that what ran in its former life is gone", async (context) => {
  const { a, b, shared } = await twoNodes(context);
  const transport = new Recording();
  await openSession(a, transport);
  const { name } = await granted({ engine: b, transport });
  const next = new Engine({ store: shared.node("a"), logger: createLogger("silent"), node: "a" });
  context.after(() => next.close());
  await next.settleFormerSessions([], "b");
  const { record } = await b.get(key(name));
  assert.equal(record.state, "PENDING");
  assert.equal(record.held, null, "nobody waits for it to end");
});

test("a session whose lease passes is settled by whichever node is there, and ends on its own", async (context) => {
  const clock = new SharedClock(1_800_000_000_000_000);
  const { a, b } = await twoNodes(context, { clock });
  const worker = await remoteWorker(a, { leaseMs: 2000 });
  const attempt = await begun(worker);
  clock.advance(3000);
  const { record } = await eventually("the end of the attempt", async () => {
    const stored = await b.get(attempt.key);
    return stored.record.state === "PENDING" ? stored : undefined;
  });
  assert.equal(record.lease, null);
  await eventually("the end", () => worker.transport.heard.includes("ended expired"));
  assert.equal(await worker.session.heartbeat(), null);
});

test("an embedded session has a timed lease, is not guarded, and ends when another node settles it", async (context) => {
  const clock = new SharedClock(1_800_000_000_000_000);
  const { a, b } = await twoNodes(context, { clock });
  const transport = new Recording();
  const session = await openSession(a, transport);
  assert.equal(session.facts.leaseMs, 15_000);
  assert.equal(session.facts.guarded, false);
  assert.ok(session.leaseEndMs < Number.POSITIVE_INFINITY);
  await b.settleFormerSessions([]);
  assert.equal((await b.workers()).length, 1);
  clock.advance(16_000);
  await eventually("the end", () => transport.heard.includes("ended expired"));
  assert.equal((await b.workers()).length, 0);
});

test("a type that a worker declared at one node a moment ago can be started at another", async (context) => {
  const { a, b, sqlite } = await twoNodes(context);
  for (const type of ["test.new", "exec.local-abc"]) {
    await assert.rejects(b.start(request({ type })), (error) => error instanceof RpcError);
    await a.declareRemoteTypes([{ type, policy }]);
    const { operation } = await b.start(request({ type }));
    assert.equal(operation.record.type, type);
  }
  assert.deepEqual(b.types, ["test.new", "test.work"]);
  const { session } = await remoteWorker(a, { types: ["exec.local-abc"] });
  await a.closeSession(session.id);
  const types = (await sqlite.listTypes()).map(({ type }) => type);
  assert.deepEqual(types.sort(), ["test.new", "test.work"], "what was made for one run is forgotten");
});

test("a request id that is known answers at another node with the response that it ended with", async (context) => {
  const { a, b } = await twoNodes(context);
  const worker = await remoteWorker(a);
  const call = request({ requestId: "0c7a4f0e-0000-4000-8000-000000000000", requestDigest: "d" });
  const attempt = await granted(worker, call);
  await report(worker.session, attempt, { type: "begin" });
  await report(worker.session, attempt, completed);
  const { operation, created } = await b.start(call);
  assert.equal(created, false);
  assert.equal(operation.response?.typeUrl, completed.response.typeUrl);
});

test("a watch of one node tells what another one commits", async (context) => {
  const { a, b } = await twoNodes(context);
  const seen: string[] = [];
  const watch = { service: "default", tenant: "default", parent: null, filter: "", names: null, after: null };
  let isOpen = false;
  const subscription = b.feed.open(
    watch,
    ({ entries }) => {
      isOpen = true;
      seen.push(...entries.map(({ name, state }) => `${name} ${state}`));
    },
    (error) => assert.fail(String(error)),
  );
  await eventually("the watch", () => isOpen);
  const { operation } = await a.start(request());
  const { name } = operation.record;
  await a.cancel(cancelCall(name));
  await eventually("both changes", () => seen.length >= 2);
  assert.deepEqual(seen, [`${name} PENDING`, `${name} CANCELLED`]);
  subscription.close();
});
