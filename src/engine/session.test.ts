// Sessions of remote workers over a real store: reserved grants, the races of a cancel, broken streams, restarts, leases.
import assert from "node:assert/strict";
import { test } from "node:test";
import { eventually } from "../testing/eventually.ts";
import {
  begun,
  cancelCall,
  completed,
  embedded,
  granted,
  grantOf,
  never,
  nextLife,
  openSession,
  Recording,
  remote,
  report,
  request,
  stopped,
  type World,
} from "../testing/test-engine.ts";
import type { Engine } from "./engine.ts";
import { BEGIN_MS_MAX } from "./reservation-watch.ts";
import type { HeldAttempt } from "./session.ts";

const PRINCIPAL = "worker:w";

/** The worker comes back on a new stream, with these attempts in hand. */
async function resume(
  engine: Engine,
  session: string,
  inHand: readonly HeldAttempt[],
): Promise<{ transport: Recording; lost: string[] }> {
  const transport = new Recording(true);
  const resumed = await engine.resumeSession(session, PRINCIPAL, transport, inHand);
  assert.ok(resumed, "the session is not open");
  assert.deepEqual(transport.heard, [], "the worker is told something before it is greeted");
  return { transport, lost: resumed.lost.map(({ key }) => key.name) };
}

async function stateOf({ engine }: Pick<World, "engine">, attempt: HeldAttempt): Promise<string> {
  return (await engine.get(attempt.key)).record.state;
}

test("a remote worker's grant only reserves; its work runs once begin is committed", async (context) => {
  const all = await remote(context);
  const attempt = await granted(all);
  assert.equal(await stateOf(all, attempt), "PENDING");
  assert.equal(all.transport.grants[0]?.record.lease?.begun, false);
  assert.equal((await report(all.session, attempt, { type: "begin" })).type, "operation");
  assert.equal(await stateOf(all, attempt), "RUNNING");
  const [worker] = await all.engine.workers();
  assert.deepEqual([worker?.connected, worker?.running, worker?.free, worker?.kind], [true, 1, 3, "remote"]);
});

test("reserved work that is cancelled never begins: it is revoked, and its slot is free when the worker says so", async (context) => {
  const all = await remote(context, { slots: 1 });
  const attempt = await granted(all);
  assert.equal((await all.engine.cancel(cancelCall(attempt.name))).verdict, "PREVENTED_START");
  assert.deepEqual(all.transport.revokedNames, [attempt.name]);
  const late = await report(all.session, attempt, { type: "begin" });
  assert.ok(late.type === "refused", "a cancelled operation began");
  const { operation } = await all.engine.start(request());
  const waited = await all.engine.wait(operation.record, { timeoutMs: 50, onCallerGone: never });
  assert.equal(waited.record.lease, null, "a slot was filled that the worker did not free");
  all.session.slotFreed();
  await grantOf(all.transport, operation.record.name);
});

test("what a worker that beats never begins is taken back, and goes to another; its slot stays used", async (context) => {
  const all = await remote(context, { slots: 1 });
  let aheadMs = 0;
  const now = performance.now.bind(performance);
  context.mock.method(performance, "now", () => now() + aheadMs);
  context.mock.timers.enable({ apis: ["setTimeout"] });
  const { operation } = await all.engine.start(request());
  while (all.transport.grants.length === 0) await new Promise((resolve) => setImmediate(resolve));
  aheadMs = BEGIN_MS_MAX;
  context.mock.timers.tick(BEGIN_MS_MAX + 1);
  context.mock.timers.reset();
  const attempt = await grantOf(all.transport, operation.record.name);
  await eventually("it is taken back", () => all.transport.revokedNames.includes(attempt.name));
  assert.notEqual(await all.session.heartbeat(), null, "the session is over");
  assert.equal(all.session.free, 0, "a slot was counted as free that the worker did not free");
  const late = await report(all.session, attempt, { type: "begin" });
  assert.ok(late.type === "refused" && late.reason === "LEASE_LOST");
  const transport = new Recording(true);
  const other = await openSession(all.engine, transport, { kind: "remote", leaseMs: 60_000, slots: 1 });
  await report(other, await grantOf(transport, attempt.name), { type: "begin" });
  const { record } = await all.engine.get(attempt.key);
  assert.deepEqual([record.state, record.attempt], ["RUNNING", 1], "it was not free of charge");
  all.session.slotFreed();
  await granted(all);
});

test("a cancel in the batch of the begin reaches the worker, before and after the begin is acknowledged", async (context) => {
  const all = await remote(context);
  const attempt = await granted(all);
  // Both in one turn: one batch.
  const beginning = report(all.session, attempt, { type: "begin" });
  const cancelling = all.engine.cancel(cancelCall(attempt.name));
  assert.equal((await beginning).type, "operation");
  const told = all.transport.cancels.length;
  assert.equal((await cancelling).verdict, "STOPPING");
  assert.equal(told, 1, "the cancel is told with its commit");
  await eventually("it is told again after the acknowledgement", () => all.transport.cancels.length === 2);
  assert.deepEqual(await all.session.heartbeat().then((open) => open?.map(({ key }) => key.name)), [
    attempt.name,
  ]);
});

test("a cancel that is committed before the begin wins, in one batch, too", async (context) => {
  const all = await remote(context);
  const attempt = await granted(all);
  const cancelling = all.engine.cancel(cancelCall(attempt.name));
  const beginning = await report(all.session, attempt, { type: "begin" });
  assert.equal((await cancelling).verdict, "PREVENTED_START");
  assert.equal(beginning.type, "refused");
});

test("every heartbeat answers the cancels that are open, until the work has ended", async (context) => {
  const all = await remote(context);
  const first = await begun(all);
  const second = await begun(all);
  assert.deepEqual(await all.session.heartbeat(), []);
  await all.engine.cancel(cancelCall(first.name, { reason: "why" }));
  for (let beat = 0; beat < 2; beat++) {
    const open = await all.session.heartbeat();
    assert.deepEqual(
      open?.map(({ key, token, cancel }) => [key.name, token, cancel.reason]),
      [[first.name, first.token, "why"]],
    );
  }
  await report(all.session, first, stopped);
  await all.engine.cancel(cancelCall(second.name));
  assert.deepEqual(
    (await all.session.heartbeat())?.map(({ key }) => key.name),
    [second.name],
  );
});

test("work that is returned goes to another worker, uncounted", async (context) => {
  const all = await remote(context, { slots: 1 });
  const attempt = await granted(all);
  const other = new Recording(true);
  await openSession(all.engine, other, { kind: "remote", leaseMs: 60_000 });
  assert.equal((await report(all.session, attempt, { type: "return" })).type, "operation");
  const again = await grantOf(other, attempt.name);
  assert.ok(again.token > attempt.token);
  assert.equal(other.grants[0]?.record.attempt, 0);
  assert.deepEqual(all.transport.revokedNames, [], "its own report is no news to the worker");
});

test("a broken stream ends nothing: begun work runs on, reserved work goes to others at once", async (context) => {
  const all = await remote(context, { slots: 2 });
  const running = await begun(all);
  const reserved = await granted(all);
  all.session.detach(all.transport);
  const other = new Recording(true);
  await openSession(all.engine, other, { kind: "remote", leaseMs: 60_000 });
  await grantOf(other, reserved.name);
  assert.equal(await stateOf(all, running), "RUNNING");
  assert.equal(
    (await all.engine.workers()).find(({ session }) => session === all.session.id)?.connected,
    false,
  );
  const back = await resume(all.engine, all.session.id, [running, reserved]);
  assert.deepEqual(back.lost, [reserved.name]);
  assert.equal((await report(all.session, running, completed)).type, "operation");
});

test("a cancel during the break is told when the worker is back", async (context) => {
  const all = await remote(context);
  const attempt = await begun(all);
  all.session.detach(all.transport);
  assert.equal((await all.engine.cancel(cancelCall(attempt.name))).verdict, "STOPPING");
  assert.deepEqual(all.transport.cancels, []);
  const { transport, lost } = await resume(all.engine, all.session.id, [attempt]);
  assert.deepEqual(lost, []);
  await eventually("the cancel", () => transport.cancels.length === 1);
  assert.equal(transport.cancels[0]?.token, attempt.token);
});

test("what the worker does not have in hand is sent again, cancelled or not", async (context) => {
  const all = await remote(context, { slots: 3 });
  const kept = await begun(all);
  const missed = await begun(all);
  const cancelled = await begun(all);
  await all.engine.cancel(cancelCall(cancelled.name));
  const { transport } = await resume(all.engine, all.session.id, [kept]);
  assert.deepEqual(all.transport.heard.at(-1), "ended replaced");
  await eventually("both come again", () => transport.grants.length === 2 && transport.cancels.length === 1);
  assert.deepEqual(
    transport.heard.toSorted(),
    [`cancel ${cancelled.name}`, `granted ${cancelled.name}`, `granted ${missed.name}`].toSorted(),
  );
  assert.ok(
    transport.heard.indexOf(`cancel ${cancelled.name}`) >
      transport.heard.indexOf(`granted ${cancelled.name}`),
  );
});

test("a worker that comes back has its slots counted by what it has in hand", async (context) => {
  const all = await remote(context, { slots: 2 });
  const first = await begun(all);
  const second = await begun(all);
  // Both end, and the word that their slots are free is lost with the stream.
  await report(all.session, first, completed);
  await report(all.session, second, completed);
  all.session.detach(all.transport);
  const { transport } = await resume(all.engine, all.session.id, []);
  for (let started = 0; started < 3; started++) await all.engine.start(request());
  await eventually("two grants", () => transport.grants.length === 2);
  assert.equal(all.session.free, 0);
});

test("reserved work that goes back while the worker comes back leaves its slot free", async (context) => {
  const all = await remote(context, { slots: 1 });
  await granted(all);
  const transport = new Recording(true);
  // In one turn: the return is not committed yet when the new stream takes over.
  all.session.detach(all.transport);
  assert.deepEqual(all.session.attach(transport, []), []);
  await eventually("it is granted again, on the new stream", () => transport.grants.length === 1);
  assert.deepEqual(transport.revokedNames, [], "what was never sent need not be revoked");
  assert.equal(all.session.free, 0);
});

test("of two streams of one session the later one is heard", async (context) => {
  const all = await remote(context);
  const attempt = await begun(all);
  const [one, two] = [new Recording(true), new Recording(true)];
  await Promise.all(
    [one, two].map((each) => all.engine.resumeSession(all.session.id, PRINCIPAL, each, [attempt])),
  );
  assert.deepEqual(
    [all.transport.heard.at(-1), one.heard, two.heard],
    ["ended replaced", ["ended replaced"], []],
  );
  await all.engine.cancel(cancelCall(attempt.name));
  assert.deepEqual([one.cancels.length, two.cancels.length], [0, 1]);
  all.session.detach(one);
  assert.equal(all.session.isConnected, true, "the end of a replaced stream is no end of the session's");
});

test("work that ended during the break is lost to the worker that has it in hand", async (context) => {
  const all = await remote(context, { policy: { attemptTimeoutMs: 100, maxAttempts: 1 }, slots: 1 });
  const attempt = await begun(all);
  all.session.detach(all.transport);
  await all.engine.wait(attempt.key, { timeoutMs: 60_000, onCallerGone: never });
  const { lost } = await resume(all.engine, all.session.id, [attempt]);
  assert.deepEqual(lost, [attempt.name]);
  assert.equal(all.session.stuckCount, 1, "it may still run there");
  assert.equal((await report(all.session, attempt, stopped)).type, "late");
  assert.equal(all.session.stuckCount, 0);
});

test("a session outlives the server: the next life knows what it runs, and tells it the open cancels", async (context) => {
  const all = await remote(context, { slots: 3 });
  const running = await begun(all);
  const cancelled = await begun(all);
  const reserved = await granted(all);
  await all.engine.cancel(cancelCall(cancelled.name));
  const engine = nextLife(context, all.store);
  await engine.settleFormerSessions([]);
  const { transport, lost } = await resume(engine, all.session.id, [running, cancelled]);
  assert.deepEqual(lost, []);
  await eventually("the open cancel and what it has not got", () => transport.heard.length === 2);
  assert.deepEqual(transport.heard.toSorted(), [`cancel ${cancelled.name}`, `granted ${reserved.name}`]);
  assert.deepEqual(
    (await engine.workers()).map(({ running: runs, reserved: waits, free }) => [runs, waits, free]),
    [[2, 1, 0]],
  );
});

test("a session that held a stuck handler before a restart gets no new work after it", async (context) => {
  const all = await remote(context, { policy: { attemptTimeoutMs: 100, maxAttempts: 1 } });
  const attempt = await begun(all);
  await all.engine.wait(attempt.key, { timeoutMs: 60_000, onCallerGone: never });
  const engine = nextLife(context, all.store);
  const { transport } = await resume(engine, all.session.id, [attempt]);
  const { operation } = await engine.start(request());
  const waited = await engine.wait(operation.record, { timeoutMs: 50, onCallerGone: never });
  assert.equal(waited.record.lease, null, "a session with a stuck handler got new work");
  const session = { session: all.session.id, token: attempt.token };
  assert.equal((await engine.workers())[0]?.stuck, 1);
  const resumed = await engine.resumeSession(all.session.id, PRINCIPAL, transport, [attempt]);
  assert.equal((await resumed?.session.report({ ...stopped, ...session, key: attempt.key }))?.type, "late");
  await grantOf(transport, operation.record.name);
});

test("a cancel that is committed while a former session is read reaches its worker", async (context) => {
  const all = await remote(context);
  const attempt = await begun(all);
  const engine = nextLife(context, all.store);
  const transport = new Recording(true);
  const sessionGrants = all.store.sessionGrants.bind(all.store);
  all.store.sessionGrants = async (session) => {
    const read = await sessionGrants(session);
    assert.equal((await engine.cancel(cancelCall(attempt.name))).verdict, "STOPPING");
    return read;
  };
  const resumed = await engine.resumeSession(all.session.id, PRINCIPAL, transport, [attempt]);
  assert.deepEqual(resumed?.lost, []);
  await eventually("the cancel", () => transport.cancels.length > 0);
});

test("nobody takes up a session that is another's, an embedded one, or unknown", async (context) => {
  const all = await remote(context);
  const transport = new Recording(true);
  assert.equal(await all.engine.resumeSession(all.session.id, "worker:other", transport, []), null);
  assert.equal(await all.engine.resumeSession("ses00000000000000000", PRINCIPAL, transport, []), null);
  const inside = await embedded(context);
  assert.equal(await inside.engine.resumeSession(inside.session.id, PRINCIPAL, transport, []), null);
  assert.equal(all.session.isConnected, true, "a stranger took the stream's place");
});

test("a lease that passes settles all that the session holds, and ends its stream", async (context) => {
  const all = await remote(context, { leaseMs: 300 });
  const cancelled = await begun(all);
  const retried = await begun(all);
  const reserved = await granted(all);
  await all.engine.cancel(cancelCall(cancelled.name));
  await eventually("the end of the session", () => all.transport.heard.includes("ended expired"));
  const { record } = await all.engine.get(cancelled.key);
  assert.deepEqual([record.state, record.cancel?.evidence], ["CANCELLED", "LEASE_EXPIRED"]);
  const other = new Recording();
  await openSession(all.engine, other);
  await grantOf(other, retried.name);
  assert.equal((await all.engine.get(retried.key)).record.attempt, 2);
  await grantOf(other, reserved.name);
  assert.equal(await all.session.heartbeat(), null);
  assert.equal(await all.engine.resumeSession(all.session.id, PRINCIPAL, new Recording(true), []), null);
  const late = await report(all.session, retried, completed);
  assert.ok(late.type === "refused" && late.reason === "LEASE_LOST", "a lost worker changed something");
});

test("an idle worker whose lease passes is told, though nothing of it had to be settled", async (context) => {
  const { transport } = await remote(context, { leaseMs: 300 });
  await eventually("the end of the session", () => transport.heard.includes("ended expired"));
});

test("an unguarded worker's lost lease is no evidence: its cancelled work ends unconfirmed", async (context) => {
  const all = await remote(context, { leaseMs: 300, guarded: false });
  const attempt = await begun(all);
  await all.engine.cancel(cancelCall(attempt.name));
  await eventually("the end of the session", () => all.transport.heard.includes("ended expired"));
  const { record } = await all.engine.get(attempt.key);
  assert.ok(record.outcome?.kind === "error" && record.outcome.status.message.startsWith("STOP_UNCONFIRMED"));
});

test("heartbeats keep a session open past the time of its lease", async (context) => {
  const all = await remote(context, { leaseMs: 600 });
  const attempt = await begun(all);
  const openTime = (await all.engine.workers())[0]?.openTime ?? 0;
  await eventually("twice the lease has passed", async () => {
    assert.ok(await all.session.heartbeat());
    return all.engine.clock.now() > openTime + 1_200_000;
  });
  assert.equal(await stateOf(all, attempt), "RUNNING");
});

test("a lease of a former life passes, too", async (context) => {
  const all = await remote(context, { leaseMs: 300 });
  const attempt = await begun(all);
  const engine = nextLife(context, all.store);
  const done = await eventually("the work is free", async () => {
    const { record } = await engine.get(attempt.key);
    return record.lease === null && record;
  });
  assert.equal(done.state, "PENDING");
});

test("a closing worker's work is settled at once", async (context) => {
  const all = await remote(context);
  const attempt = await begun(all);
  await all.engine.cancel(cancelCall(attempt.name));
  await all.engine.closeSession(all.session.id);
  assert.equal(await stateOf(all, attempt), "CANCELLED");
  assert.deepEqual(await all.engine.workers(), []);
});

test("a draining server tells its remote workers, gives them nothing more, and takes their reports", async (context) => {
  const all = await remote(context);
  const attempt = await begun(all);
  const reserved = await granted(all);
  all.engine.drain();
  assert.equal(all.transport.heard.at(-1), "drain");
  await report(all.session, reserved, { type: "return" });
  const { operation } = await all.engine.start(request());
  assert.equal((await report(all.session, attempt, { type: "release" })).type, "operation");
  all.session.slotFreed(2);
  for (const name of [operation.record.name, attempt.name, reserved.name]) {
    const { record } = await all.engine.get({ ...attempt.key, name });
    assert.deepEqual([record.state, record.lease], ["PENDING", null]);
  }
  const { transport } = await resume(all.engine, all.session.id, []);
  await eventually("the new stream is told, too", () => transport.heard.includes("drain"));
  assert.deepEqual(transport.grants, []);
});

test("a draining worker gets no new work, on a new stream neither", async (context) => {
  const all = await remote(context);
  all.session.drain();
  const { transport } = await resume(all.engine, all.session.id, []);
  const { operation } = await all.engine.start(request());
  const waited = await all.engine.wait(operation.record, { timeoutMs: 50, onCallerGone: never });
  assert.equal(waited.record.lease, null);
  assert.deepEqual([...all.transport.grants, ...transport.grants], []);
});
