// The engine's shell over a real store in a temporary folder, with an embedded worker: waiting, waking, settling, timers.
import assert from "node:assert/strict";
import { test } from "node:test";
import { RpcError } from "../base/rpc-error.ts";
import { eventually } from "../testing/eventually.ts";
import {
  cancelCall,
  completed,
  embedded,
  empty,
  granted,
  key,
  never,
  nextLife,
  openSession,
  policy,
  Recording,
  report,
  request,
  stopped,
  type World,
} from "../testing/test-engine.ts";
import type { HeldAttempt } from "./session.ts";

const waitLong = { timeoutMs: 60_000, onCallerGone: never };
const waitShort = { timeoutMs: 50, onCallerGone: never };

test("a started operation is granted, completed, and wakes its waiters in the commit's own turn", async (context) => {
  const all = await embedded(context);
  const attempt = await granted(all);
  const waiting = all.engine.wait(attempt.key, waitLong);
  assert.equal((await report(all.session, attempt, completed)).type, "operation");
  const done = await waiting;
  assert.equal(done.record.state, "SUCCEEDED");
  assert.deepEqual(done.response, empty);
  assert.equal(all.engine.waiterCount, 0);
  assert.deepEqual(all.transport.revokedNames, [], "its own report is no news to the worker");
});

test("a wait for a done operation answers at once; one that times out answers the present state", async (context) => {
  const all = await embedded(context);
  const attempt = await granted(all);
  const running = await all.engine.wait(attempt.key, { timeoutMs: 20, onCallerGone: never });
  assert.equal(running.record.state, "RUNNING");
  await report(all.session, { key: attempt.key, token: 9 }, stopped);
  await all.engine.cancel(cancelCall(attempt.name));
  await report(all.session, attempt, stopped);
  const done = await all.engine.wait(attempt.key, waitLong);
  assert.equal(done.record.state, "CANCELLED");
});

test("when cancel answers, the worker has been told; a shorter grace tells it again, the same one does not", async (context) => {
  const all = await embedded(context);
  const { name } = await granted(all);
  assert.equal((await all.engine.cancel(cancelCall(name, { reason: "why" }))).verdict, "STOPPING");
  assert.equal(all.transport.cancels.length, 1);
  assert.equal(all.transport.cancels[0]?.reason, "why");
  assert.equal((await all.engine.cancel(cancelCall(name))).verdict, "ALREADY_STOPPING");
  assert.equal(all.transport.cancels.length, 1);
  assert.equal((await all.engine.cancel(cancelCall(name, { graceMs: 10 }))).verdict, "ALREADY_STOPPING");
  assert.equal(all.transport.cancels.length, 2);
  assert.equal((await all.engine.cancel(cancelCall(name, { force: true }))).verdict, "ALREADY_STOPPING");
  assert.equal(all.transport.cancels.length, 3);
  assert.equal(all.transport.cancels[2]?.force, true);
});

test("a cancel deadline without evidence ends the operation by itself, and holds the session's new work back", async (context) => {
  const all = await embedded(context, { cancel: { ...policy.cancel, graceMs: 10, killMs: 10 } });
  const attempt = await granted(all);
  const other = await granted(all);
  await all.engine.cancel(cancelCall(attempt.name));
  const done = await all.engine.wait(attempt.key, waitLong);
  assert.equal(done.record.state, "FAILED");
  assert.equal(done.record.held?.token, attempt.token);
  const { operation } = await all.engine.start(request());
  const next = operation.record.name;
  const still = await all.engine.wait(key(next), waitShort);
  assert.equal(still.record.state, "PENDING", "a session with a stuck handler got new work");
  const [worker] = await all.engine.workers();
  assert.deepEqual([worker?.stuck, worker?.free, worker?.held, worker?.running], [1, 0, 1, 1]);
  assert.equal(
    (await report(all.session, other, completed)).type,
    "operation",
    "its other work does not go on",
  );
  assert.equal((await report(all.session, attempt, stopped)).type, "late");
  await eventually("the next grant", () => all.transport.grants.some(({ record }) => record.name === next));
});

test("an operator's override frees what is held, and the session gets new work", async (context) => {
  const all = await embedded(context, { cancel: { ...policy.cancel, graceMs: 10, killMs: 10 } });
  const attempt = await granted(all);
  await all.engine.cancel(cancelCall(attempt.name));
  await all.engine.wait(attempt.key, waitLong);
  const call = {
    requestedBy: "user:op",
    onBehalfOf: "",
    requestId: "r",
    reason: "unplugged",
    origin: "test",
  };
  const { record } = await all.engine.override({ key: attempt.key, ...call });
  assert.equal(record.held, null);
  const { operation } = await all.engine.start(request());
  await eventually("the next grant", () =>
    all.transport.grants.some((grant) => grant.record.name === operation.record.name),
  );
  await assert.rejects(
    all.engine.override({ key: attempt.key, ...call }),
    (error: RpcError) => error.reason === "NOT_HELD",
  );
});

/** An operation whose attempt was taken away, and whose worker has not said that it stopped. */
async function timedOut(all: World): Promise<HeldAttempt & { name: string }> {
  const attempt = await granted(all);
  await eventually("the revocation", () => all.transport.revokedNames.includes(attempt.name));
  return attempt;
}

test("an attempt timeout takes the attempt away, tells the worker, and grants it again once the worker's work has stopped", async (context) => {
  const all = await embedded(context, { attemptTimeoutMs: 400, maxAttempts: 3 });
  const attempt = await timedOut(all);
  const { name, token } = attempt;
  const { operation } = await all.engine.start(request());
  const next = operation.record.name;
  const still = await all.engine.wait(key(next), waitShort);
  assert.equal(still.record.state, "PENDING", "a session with a stuck handler got new work");
  assert.equal((await report(all.session, attempt, stopped)).type, "late");
  const second = await eventually("the second grant", () =>
    all.transport.grants.find(({ record }) => record.name === name && record.leaseToken > token),
  );
  assert.equal(second.record.attempt, 2);
  await eventually("the next grant", () => all.transport.grants.some(({ record }) => record.name === next));
  const late = await report(all.session, attempt, completed);
  assert.ok(late.type === "refused" && late.reason === "LEASE_LOST", JSON.stringify(late));
});

test("an attempt that never says that it stopped is given up after the time of an attempt, to another worker", async (context) => {
  const all = await embedded(context, { attemptTimeoutMs: 500, maxAttempts: 3 });
  const attempt = await timedOut(all);
  const transport = new Recording();
  await openSession(all.engine, transport);
  assert.deepEqual(transport.grants, []);
  const second = await eventually("the second grant", () =>
    transport.grants.find(({ record }) => record.name === attempt.name),
  );
  assert.equal(second.record.attempt, 2);
  assert.ok(
    second.record.updateTime - (await all.engine.detail(attempt.key)).attempts[0]!.endTime >= 500_000,
    "the second attempt did not wait",
  );
  const late = await report(all.session, attempt, stopped);
  assert.ok(late.type === "refused" && late.reason === "LEASE_LOST", JSON.stringify(late));
});

test("a session whose held attempt was given up for one elsewhere gets new work again", async (context) => {
  const all = await embedded(context, { attemptTimeoutMs: 300, maxAttempts: 2 }, 4);
  const attempt = await timedOut(all);
  const transport = new Recording();
  await openSession(all.engine, transport, { slots: 1 });
  await eventually("the second attempt, elsewhere", () => transport.grants.length === 1);
  assert.equal(transport.grants[0]?.record.name, attempt.name);
  const { operation } = await all.engine.start(request());
  await eventually("new work for the first worker", () =>
    all.transport.grants.some(({ record }) => record.name === operation.record.name),
  );
});

test("a cancel after an attempt timeout waits for the worker's evidence", async (context) => {
  const all = await embedded(context, { attemptTimeoutMs: 50 });
  const attempt = await timedOut(all);
  assert.equal((await all.engine.cancel(cancelCall(attempt.name))).verdict, "STOPPING");
  const { operation } = await all.engine.start(request());
  const next = operation.record.name;
  const still = await all.engine.wait(key(next), waitShort);
  assert.equal(still.record.state, "PENDING", "a session with a stuck handler got new work");
  assert.equal((await report(all.session, attempt, stopped)).type, "operation");
  const done = await all.engine.wait(attempt.key, waitLong);
  assert.equal(done.record.state, "CANCELLED");
  assert.equal(done.record.cancel?.evidence, "HANDLER_STOPPED");
  await eventually("the next grant", () => all.transport.grants.some(({ record }) => record.name === next));
});

test("a cancel after an attempt timeout ends unconfirmed where no evidence comes", async (context) => {
  const cancel = { ...policy.cancel, graceMs: 10, killMs: 10 };
  const all = await embedded(context, { attemptTimeoutMs: 50, cancel });
  const attempt = await timedOut(all);
  assert.equal((await all.engine.cancel(cancelCall(attempt.name))).verdict, "STOPPING");
  const done = await all.engine.wait(attempt.key, waitLong);
  const { outcome } = done.record;
  assert.ok(outcome?.kind === "error" && outcome.status.message.startsWith("STOP_UNCONFIRMED"));
  assert.equal(done.record.held?.token, attempt.token);
  assert.equal((await report(all.session, attempt, stopped)).type, "late");
  assert.equal((await all.engine.receipt(attempt.key)).events.at(-1)?.kind, "CONFIRMED_LATER");
});

test("the work of a former server process is settled: retried, or cancelled where a cancel was committed", async (context) => {
  const all = await embedded(context);
  const retried = await granted(all);
  const cancelled = await granted(all);
  await all.engine.cancel(cancelCall(cancelled.name));
  const engine = nextLife(context, all.store);
  await engine.settleFormerSessions([]);
  const done = await engine.wait(cancelled.key, waitLong);
  assert.equal(done.record.state, "CANCELLED");
  assert.equal(done.record.cancel?.evidence, "LEASE_EXPIRED");
  const transport = new Recording();
  await openSession(engine, transport);
  const grant = await eventually("the retry", () =>
    transport.grants.find(({ record }) => record.name === retried.name),
  );
  assert.equal(grant.record.attempt, 2);
  assert.ok(
    !transport.grants.some(({ record }) => record.name === cancelled.name),
    "a cancelled operation ran again",
  );
});

test("a process of a former life that could not be ended is no evidence: the operation ends unconfirmed", async (context) => {
  const all = await embedded(context);
  const { name } = await granted(all);
  await all.engine.cancel(cancelCall(name));
  await all.engine.closeSession(all.session.id, [name]);
  const { record } = await all.engine.get(key(name));
  assert.equal(record.state, "FAILED");
  assert.ok(record.outcome?.kind === "error" && record.outcome.status.message.startsWith("STOP_UNCONFIRMED"));
});

test("an idle worker is given an operation in the commit that starts it", async (context) => {
  const all = await embedded(context, {}, 2);
  await eventually("it has found nothing to do", () => all.session.free === 2);
  const { operation } = await all.engine.start(request());
  assert.deepEqual([operation.record.state, operation.record.attempt], ["RUNNING", 1]);
  assert.deepEqual(
    all.transport.grants.map(({ record, request: asked }) => [record.name, asked]),
    [[operation.record.name, request().request]],
  );
});

test("idle workers share what is started at once", async (context) => {
  const all = await embedded(context, {}, 4);
  const other = new Recording(false);
  const second = await openSession(all.engine, other);
  await eventually("they have found nothing to do", () => all.session.free + second.free === 8);
  await Promise.all(Array.from({ length: 4 }, () => all.engine.start(request())));
  assert.deepEqual([all.transport.grants.length, other.grants.length], [2, 2]);
});

test("a session never holds more than its slots, and takes more as they are freed, several at a time", async (context) => {
  const all = await embedded(context, {}, 2);
  await Promise.all(Array.from({ length: 7 }, () => all.engine.start(request())));
  await eventually("two grants", () => all.transport.grants.length === 2);
  const finish = async (index: number): Promise<void> => {
    const { record } = all.transport.grants[index]!;
    await report(all.session, { key: key(record.name), token: record.leaseToken }, completed);
  };
  for (let done = 0; done < 3; done++) {
    await finish(done);
    assert.equal(all.transport.grants.length, 2 + done, "a grant came before the slot was freed");
    all.session.slotFreed();
    await eventually("the next grant", () => all.transport.grants.length === 3 + done);
  }
  await finish(3);
  await finish(4);
  all.session.slotFreed(2);
  await eventually("two more grants", () => all.transport.grants.length === 7);
});

test("releaseWaiters answers every wait with the present state", async (context) => {
  const all = await embedded(context);
  const { name } = await granted(all);
  const waits = Array.from({ length: 3 }, () => all.engine.wait(key(name), waitLong));
  await eventually("three waits", () => all.engine.waiterCount === 3);
  all.engine.releaseWaiters();
  for (const { record } of await Promise.all(waits)) assert.equal(record.state, "RUNNING");
});

test("a limit of a type lets so many run on all workers, and the end of one wakes another worker", async (context) => {
  const all = await embedded(context, { typeLimit: 1 });
  const first = await granted(all);
  const { operation } = await all.engine.start(request());
  const next = operation.record.name;
  assert.equal((await all.engine.wait(key(next), waitShort)).record.state, "PENDING");
  await report(all.session, first, completed);
  await eventually("the next grant", () => all.transport.grants.some(({ record }) => record.name === next));
});

test("an operation with a start delay is granted once it is due", async (context) => {
  const all = await embedded(context);
  const { operation } = await all.engine.start(request({ startDelayMs: 100 }));
  const { name, createTime, startAfter } = operation.record;
  assert.ok(startAfter > createTime + 50_000);
  const grant = await eventually("the grant", () =>
    all.transport.grants.find(({ record }) => record.name === name),
  );
  assert.ok((grant.record.attemptStartTime ?? 0) >= startAfter, "it was granted too early");
});

test("starts with higher priority are granted first", async (context) => {
  const all = await embedded(context, {}, 1);
  const running = await granted(all);
  for (const priority of [0, 5, -5]) await all.engine.start(request({ priority }));
  for (let freed = 1; freed <= 3; freed++) {
    if (freed === 1) await report(all.session, running, completed);
    all.session.slotFreed();
    await eventually("the next grant", () => all.transport.grants.length === 1 + freed);
  }
  assert.deepEqual(
    all.transport.grants.slice(1).map(({ record }) => record.priority),
    [5, 0, -5],
  );
});

test("a start resolves its policy: overrides are stored with the operation", async (context) => {
  const { engine } = await embedded(context, {}, 1);
  const { operation } = await engine.start(
    request({
      graceMs: 5,
      cancellable: false,
      keyLimit: 3,
      concurrencyKey: "gpu",
      unwatchedMs: 90_000,
      runPolicy: { maxAttempts: 7, retentionMs: 2000 },
    }),
  );
  const { policy: stored, concurrencyKey } = operation.record;
  assert.equal(concurrencyKey, "gpu");
  assert.deepEqual(stored, {
    ...policy,
    cancel: { ...policy.cancel, graceMs: 5, cancellable: false },
    maxAttempts: 7,
    retentionMs: 2000,
    keyLimit: 3,
    unwatchedMs: 90_000,
  });
});

test("a batch of starts is one outcome each: what is refused does not stop the others", async (context) => {
  const { engine } = await embedded(context);
  const outcomes = await engine.batchStart([
    request(),
    request({ type: "no.such" }),
    request({ requestId: "one", requestDigest: "a" }),
    request({ requestId: "one", requestDigest: "a" }),
    request({ requestId: "one", requestDigest: "b" }),
  ]);
  const said = outcomes.map((outcome) => (outcome instanceof RpcError ? outcome.reason : outcome.created));
  assert.deepEqual(said, [true, "OPERATION_TYPE_UNKNOWN", true, false, "REQUEST_ID_REUSED"]);
});

test("a newer operation with the same supersede key cancels the older one, and its worker is told", async (context) => {
  const all = await embedded(context);
  const old = await granted(all, { supersedeKey: "nightly" });
  const { operation } = await all.engine.start(request({ supersedeKey: "nightly" }));
  const { record } = await all.engine.get(old.key);
  assert.equal(record.state, "CANCELLING");
  assert.equal(record.cancel?.cause, "superseded");
  assert.match(record.cancel?.reason ?? "", new RegExp(operation.record.name));
  assert.equal(all.transport.cancels.length, 1);
});

test("only the revision that a caller names is cancelled", async (context) => {
  const all = await embedded(context);
  const { name } = await granted(all);
  await assert.rejects(all.engine.cancel(cancelCall(name, { ifRevision: 1 })), (error: RpcError) => {
    assert.equal(error.reason, "ETAG_MISMATCH");
    assert.match(error.message, /its etag is "2", not "1"/);
    return true;
  });
  assert.equal((await all.engine.cancel(cancelCall(name, { ifRevision: 2 }))).verdict, "STOPPING");
});

test("a failed or cancelled operation runs again as a new one, once for each request id", async (context) => {
  const all = await embedded(context);
  const attempt = await granted(all, { labels: { team: "ads" }, priority: 3, description: "count" });
  const call = { key: attempt.key, requestedBy: "user:eve", origin: "test", requestId: "r", method: "rerun" };
  await assert.rejects(all.engine.rerun(call), (error: RpcError) => error.reason === "NOT_RERUNNABLE");
  await all.engine.cancel(cancelCall(attempt.name));
  await report(all.session, attempt, stopped);
  const { operation, created } = await all.engine.rerun(call);
  const { record } = operation;
  assert.equal(created, true);
  assert.notEqual(record.name, attempt.name);
  assert.equal(record.rerunOf, attempt.name);
  assert.deepEqual([record.createdBy, record.priority, record.description], ["user:eve", 3, "count"]);
  assert.deepEqual((await all.engine.detail(key(record.name))).labels, { team: "ads" });
  const again = await all.engine.rerun(call);
  assert.equal(again.created, false);
  assert.equal(again.operation.record.name, record.name);
});

test("the types of remote workers outlive the process; its own types win", async (context) => {
  const { engine, store } = await embedded(context);
  const far = { ...policy, maxAttempts: 9 };
  await engine.declareRemoteTypes([
    { type: "far.work", policy: far },
    { type: "test.work", policy: far },
  ]);
  assert.deepEqual(engine.types, ["far.work", "test.work"]);
  assert.equal(engine.policyOf("test.work")?.maxAttempts, 2);
  const next = nextLife(context, store);
  await next.settleFormerSessions([]);
  assert.equal(next.policyOf("far.work")?.maxAttempts, 9);
  assert.equal(next.hasType("no.such"), false);
});
