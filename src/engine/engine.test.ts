// The engine's shell over a real store in a temporary folder: waiting, waking, settling, timers.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { createLogger } from "../base/logger.ts";
import { SqliteStore } from "../stores/sqlite/sqlite-store.ts";
import { eventually } from "../testing/eventually.ts";
import type { CommandOutcome, Grant } from "./commands.ts";
import { Engine, type StartRequest } from "./engine.ts";
import type { CancelRequest, OperationKey, OperationPolicy, OperationRecord } from "./operation.ts";
import type { Session } from "./session.ts";
import type { WorkerTransport } from "./worker-transport.ts";

const policy: OperationPolicy = {
  cancel: { cancellable: true, graceMs: 60_000, criticalMs: 0, cleanupMs: 0, killMs: 100 },
  maxAttempts: 2,
  backoffMs: 10,
  backoffMaxMs: 10,
  attemptTimeoutMs: 60_000,
  stallTimeoutMs: 0,
  retentionMs: 60_000,
  onDelete: "keep",
};

const key = (name: string): OperationKey => ({ service: "default", tenant: "default", name });
const never = (): void => {};

function request(fields: Partial<StartRequest> = {}): StartRequest {
  return {
    service: "default",
    tenant: "default",
    idPrefix: "opr",
    parent: "",
    type: "test.work",
    createdBy: "user:ada",
    origin: "test",
    description: "",
    labels: {},
    request: null,
    metadata: null,
    requestId: "",
    requestDigest: "",
    method: "test",
    deadline: null,
    ...fields,
  };
}

/** A worker's end that only writes down what it is told. */
class Recording implements WorkerTransport {
  readonly grants: Grant[] = [];
  readonly cancels: CancelRequest[] = [];
  readonly revoked_: string[] = [];
  granted(grant: Grant): void {
    this.grants.push(grant);
  }
  cancelRequested(_record: OperationRecord, _token: number, cancel: CancelRequest): void {
    this.cancels.push(cancel);
  }
  revoked(revokedKey: OperationKey): void {
    this.revoked_.push(revokedKey.name);
  }
}

interface Rig {
  engine: Engine;
  store: SqliteStore;
  transport: Recording;
  session: Session;
}

async function rig(context: TestContext, fields: Partial<OperationPolicy> = {}, slots = 4): Promise<Rig> {
  const folder = mkdtempSync(join(tmpdir(), "belay-engine-"));
  const store = await SqliteStore.open(folder, {});
  const engine = new Engine({ store, logger: createLogger("silent") });
  context.after(async () => {
    await engine.close();
    await store.close();
    rmSync(folder, { recursive: true });
  });
  engine.registerType("test.work", { ...policy, ...fields });
  engine.startMaintenance();
  const transport = new Recording();
  const session = await openSession(engine, transport, slots);
  return { engine, store, transport, session };
}

function openSession(engine: Engine, transport: WorkerTransport, slots: number): Promise<Session> {
  const hello = {
    kind: "embedded",
    worker: "w",
    types: ["test.work"],
    slots,
    guarded: true,
    bootId: "b",
    leaseMs: 0,
  } as const;
  return engine.openSession(hello, transport);
}

async function started({ engine, transport }: Rig): Promise<{ name: string; token: number }> {
  const { operation } = await engine.start(request());
  const { name } = operation.record;
  const grant = await eventually("the grant", () =>
    transport.grants.find(({ record }) => record.name === name),
  );
  return { name, token: grant.record.leaseToken };
}

const empty = { typeUrl: "type.googleapis.com/google.protobuf.Empty", bytes: new Uint8Array() };

test("a started operation is granted, completed, and wakes its waiters in the commit's own turn", async (context) => {
  const all = await rig(context);
  const { name, token } = await started(all);
  const waiting = all.engine.wait(key(name), { timeoutMs: 60_000, onCallerGone: never });
  const complete = {
    type: "complete",
    key: key(name),
    session: all.session.id,
    token,
    response: empty,
    digest: "d",
  } as const;
  assert.equal((await all.session.report(complete)).type, "operation");
  const done = await waiting;
  assert.equal(done.record.state, "SUCCEEDED");
  assert.deepEqual(done.response, empty);
  assert.equal(all.engine.waiterCount, 0);
  assert.deepEqual(all.transport.revoked_, [], "its own report is no news to the worker");
});

test("a wait for a done operation answers at once; one that times out answers the present state", async (context) => {
  const all = await rig(context);
  const { name } = await started(all);
  const running = await all.engine.wait(key(name), { timeoutMs: 20, onCallerGone: never });
  assert.equal(running.record.state, "RUNNING");
  await all.session.report({
    type: "stopped",
    key: key(name),
    session: all.session.id,
    token: 9,
    evidence: "HANDLER_STOPPED",
    mechanism: "SIGNAL",
  });
  await all.engine.cancel({
    key: key(name),
    requestedBy: "user:bob",
    reason: "",
    origin: "test",
    graceMs: null,
  });
  const { grants } = all.transport;
  const token = grants[0]?.record.leaseToken ?? 0;
  await all.session.report({
    type: "stopped",
    key: key(name),
    session: all.session.id,
    token,
    evidence: "HANDLER_STOPPED",
    mechanism: "SIGNAL",
  });
  const done = await all.engine.wait(key(name), { timeoutMs: 60_000, onCallerGone: never });
  assert.equal(done.record.state, "CANCELLED");
});

test("when cancel answers, the worker has been told; a shorter grace tells it again, the same one does not", async (context) => {
  const all = await rig(context);
  const { name } = await started(all);
  const call = { key: key(name), requestedBy: "user:bob", reason: "why", origin: "test" };
  assert.equal((await all.engine.cancel({ ...call, graceMs: null })).verdict, "STOPPING");
  assert.equal(all.transport.cancels.length, 1);
  assert.equal(all.transport.cancels[0]?.reason, "why");
  assert.equal((await all.engine.cancel({ ...call, graceMs: null })).verdict, "ALREADY_STOPPING");
  assert.equal(all.transport.cancels.length, 1);
  assert.equal((await all.engine.cancel({ ...call, graceMs: 10 })).verdict, "ALREADY_STOPPING");
  assert.equal(all.transport.cancels.length, 2);
});

test("a cancel deadline without evidence ends the operation by itself, and holds the session's new work back", async (context) => {
  const all = await rig(context, { cancel: { ...policy.cancel, graceMs: 10, killMs: 10 } });
  const { name, token } = await started(all);
  await all.engine.cancel({
    key: key(name),
    requestedBy: "user:bob",
    reason: "",
    origin: "test",
    graceMs: null,
  });
  const done = await all.engine.wait(key(name), { timeoutMs: 60_000, onCallerGone: never });
  assert.equal(done.record.state, "FAILED");
  assert.equal(done.record.held?.token, token);
  const { operation } = await all.engine.start(request());
  const next = operation.record.name;
  const still = await all.engine.wait(key(next), { timeoutMs: 50, onCallerGone: never });
  assert.equal(still.record.state, "PENDING", "a session with a stuck handler got new work");
  const report = {
    type: "stopped",
    key: key(name),
    session: all.session.id,
    token,
    evidence: "HANDLER_STOPPED",
    mechanism: "SIGNAL",
  } as const;
  assert.equal((await all.session.report(report)).type, "late");
  await eventually("the next grant", () => all.transport.grants.some(({ record }) => record.name === next));
});

/** What a worker reports when the handler of a cancelled or revoked attempt has settled. */
function stoppedBy(all: Rig, { name, token }: { name: string; token: number }): Promise<CommandOutcome> {
  return all.session.report({
    type: "stopped",
    key: key(name),
    session: all.session.id,
    token,
    evidence: "HANDLER_STOPPED",
    mechanism: "SIGNAL",
  });
}

/** An operation whose attempt was taken away, and whose worker has not said that it stopped. */
async function timedOut(all: Rig): Promise<{ name: string; token: number }> {
  const attempt = await started(all);
  await eventually("the revocation", () => all.transport.revoked_.includes(attempt.name));
  return attempt;
}

test("an attempt timeout takes the attempt away, tells the worker, and grants it again once the worker's work has stopped", async (context) => {
  const all = await rig(context, { attemptTimeoutMs: 400, maxAttempts: 3 });
  const { name, token } = await timedOut(all);
  const { operation } = await all.engine.start(request());
  const next = operation.record.name;
  const still = await all.engine.wait(key(next), { timeoutMs: 50, onCallerGone: never });
  assert.equal(still.record.state, "PENDING", "a session with a stuck handler got new work");
  assert.equal((await stoppedBy(all, { name, token })).type, "late");
  const second = await eventually("the second grant", () =>
    all.transport.grants.find(({ record }) => record.name === name && record.leaseToken > token),
  );
  assert.equal(second.record.attempt, 2);
  await eventually("the next grant", () => all.transport.grants.some(({ record }) => record.name === next));
  const late = await all.session.report({
    type: "complete",
    key: key(name),
    session: all.session.id,
    token,
    response: empty,
    digest: "d",
  });
  assert.ok(late.type === "refused" && late.reason === "LEASE_LOST", JSON.stringify(late));
});

test("an attempt that never says that it stopped is given up after the time of an attempt, to another worker", async (context) => {
  const all = await rig(context, { attemptTimeoutMs: 500, maxAttempts: 3 });
  const { name, token } = await timedOut(all);
  const transport = new Recording();
  await openSession(all.engine, transport, 4);
  assert.deepEqual(transport.grants, []);
  const second = await eventually("the second grant", () =>
    transport.grants.find(({ record }) => record.name === name),
  );
  assert.equal(second.record.attempt, 2);
  assert.ok(
    second.record.updateTime - (await all.engine.detail(key(name))).attempts[0]!.endTime >= 500_000,
    "the second attempt did not wait",
  );
  const late = await stoppedBy(all, { name, token });
  assert.ok(late.type === "refused" && late.reason === "LEASE_LOST", JSON.stringify(late));
});

test("a cancel after an attempt timeout waits for the worker's evidence", async (context) => {
  const all = await rig(context, { attemptTimeoutMs: 50 });
  const attempt = await timedOut(all);
  const call = { key: key(attempt.name), requestedBy: "user:bob", reason: "", origin: "test", graceMs: null };
  assert.equal((await all.engine.cancel(call)).verdict, "STOPPING");
  const { operation } = await all.engine.start(request());
  const next = operation.record.name;
  const still = await all.engine.wait(key(next), { timeoutMs: 50, onCallerGone: never });
  assert.equal(still.record.state, "PENDING", "a session with a stuck handler got new work");
  assert.equal((await stoppedBy(all, attempt)).type, "operation");
  const done = await all.engine.wait(key(attempt.name), { timeoutMs: 60_000, onCallerGone: never });
  assert.equal(done.record.state, "CANCELLED");
  assert.equal(done.record.cancel?.evidence, "HANDLER_STOPPED");
  await eventually("the next grant", () => all.transport.grants.some(({ record }) => record.name === next));
});

test("a cancel after an attempt timeout ends unconfirmed where no evidence comes", async (context) => {
  const cancel = { ...policy.cancel, graceMs: 10, killMs: 10 };
  const all = await rig(context, { attemptTimeoutMs: 50, cancel });
  const attempt = await timedOut(all);
  const call = { key: key(attempt.name), requestedBy: "user:bob", reason: "", origin: "test", graceMs: null };
  assert.equal((await all.engine.cancel(call)).verdict, "STOPPING");
  const done = await all.engine.wait(key(attempt.name), { timeoutMs: 60_000, onCallerGone: never });
  assert.ok(
    done.record.outcome?.kind === "error" &&
      done.record.outcome.status.message.startsWith("STOP_UNCONFIRMED"),
  );
  assert.equal(done.record.held?.token, attempt.token);
  assert.equal((await stoppedBy(all, attempt)).type, "late");
  assert.equal((await all.engine.receipt(key(attempt.name))).events.at(-1)?.kind, "CONFIRMED_LATER");
});

test("the work of a former server process is settled: retried, or cancelled where a cancel was committed", async (context) => {
  const all = await rig(context);
  const retried = await started(all);
  const cancelled = await started(all);
  await all.engine.cancel({
    key: key(cancelled.name),
    requestedBy: "user:bob",
    reason: "",
    origin: "test",
    graceMs: null,
  });
  const engine = new Engine({ store: all.store, logger: createLogger("silent") }); // as after a crash: it knows no session
  context.after(() => engine.close());
  engine.startMaintenance();
  await engine.settleFormerSessions([]);
  const done = await engine.wait(key(cancelled.name), { timeoutMs: 60_000, onCallerGone: never });
  assert.equal(done.record.state, "CANCELLED");
  assert.equal(done.record.cancel?.evidence, "LEASE_EXPIRED");
  const transport = new Recording();
  await openSession(engine, transport, 4);
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
  const all = await rig(context);
  const { name } = await started(all);
  await all.engine.cancel({
    key: key(name),
    requestedBy: "user:bob",
    reason: "",
    origin: "test",
    graceMs: null,
  });
  await all.engine.closeSession(all.session.id, [name]);
  const { record } = await all.engine.get(key(name));
  assert.equal(record.state, "FAILED");
  assert.ok(record.outcome?.kind === "error" && record.outcome.status.message.startsWith("STOP_UNCONFIRMED"));
});

test("a session never holds more than its slots, and takes more as they are freed", async (context) => {
  const all = await rig(context, {}, 2);
  await Promise.all(Array.from({ length: 5 }, () => all.engine.start(request())));
  await eventually("two grants", () => all.transport.grants.length === 2);
  for (let done = 0; done < 3; done++) {
    const { record } = all.transport.grants[done]!;
    const { name, leaseToken: token } = record;
    await all.session.report({
      type: "complete",
      key: key(name),
      session: all.session.id,
      token,
      response: empty,
      digest: "d",
    });
    assert.equal(all.transport.grants.length, 2 + done, "a grant came before the slot was freed");
    all.session.slotFreed();
    await eventually("the next grant", () => all.transport.grants.length === 3 + done);
  }
});

test("releaseWaiters answers every wait with the present state", async (context) => {
  const all = await rig(context);
  const { name } = await started(all);
  const waits = Array.from({ length: 3 }, () =>
    all.engine.wait(key(name), { timeoutMs: 60_000, onCallerGone: never }),
  );
  await eventually("three waits", () => all.engine.waiterCount === 3);
  all.engine.releaseWaiters();
  for (const { record } of await Promise.all(waits)) assert.equal(record.state, "RUNNING");
});
