// Children through the engine's shell: who may start them, how they are found again, how the sweep reaches them.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { RpcError } from "../base/rpc-error.ts";
import { eventually } from "../testing/eventually.ts";
import {
  begun,
  cancelCall,
  completed,
  grantOf,
  key,
  never,
  nextLife,
  remote,
  report,
  request,
  stopped,
  type World,
} from "../testing/test-engine.ts";
import type { EngineChildStart } from "./children.ts";
import type { HeldAttempt } from "./session.ts";

const waitLong = { timeoutMs: 60_000, onCallerGone: never };

function child(parent: HeldAttempt, fields: Partial<EngineChildStart> = {}): EngineChildStart {
  return {
    parent: { key: parent.key, token: parent.token },
    policy: "cancel",
    service: "default",
    idPrefix: "opr",
    resource: "",
    type: "test.work",
    request: null,
    metadata: null,
    requestId: "one",
    requestDigest: "d",
    shared: false,
    labels: {},
    description: "",
    deadline: null,
    ...fields,
  };
}

/** A child that runs. */
async function runningChild(
  all: World,
  parent: HeldAttempt,
  fields: Partial<EngineChildStart> = {},
): Promise<HeldAttempt & { name: string }> {
  const { record } = await all.engine.startChild(all.session, child(parent, fields));
  const attempt = await grantOf(all.transport, record.name);
  await report(all.session, attempt, { type: "begin" });
  return attempt;
}

const reasonOf =
  (expected: string) =>
  (error: RpcError): boolean =>
    error.reason === expected;

test("a child belongs to whoever started its parent, and the same id names the same child", async (context) => {
  const all = await remote(context);
  const parent = await begun(all, { createdBy: "user:ada" });
  const { record } = await all.engine.startChild(all.session, child(parent));
  assert.equal(record.createdBy, "user:ada");
  assert.deepEqual(
    record.parents.map(({ name, policy, detached }) => [name, policy, detached]),
    [[parent.name, "cancel", false]],
  );
  const again = await all.engine.startChild(all.session, child(parent));
  assert.equal(again.record.name, record.name);
  const other = await all.engine.startChild(all.session, child(parent, { requestId: "two" }));
  assert.notEqual(other.record.name, record.name);
  assert.deepEqual(
    (await all.engine.children(parent.key, 10)).map(({ name }) => name),
    [record.name, other.record.name],
  );
  await assert.rejects(
    all.engine.startChild(all.session, child(parent, { requestDigest: "e" })),
    reasonOf("REQUEST_ID_REUSED"),
  );
  await assert.rejects(
    all.engine.startChild(all.session, child(parent, { requestId: "three", policy: "wait" })),
    reasonOf("INVALID_FIELD"),
  );
});

test("only the attempt that runs starts children, and none once its operation is cancelled", async (context) => {
  const all = await remote(context);
  const parent = await begun(all);
  const stale = { key: parent.key, token: parent.token + 1 };
  await assert.rejects(all.engine.startChild(all.session, child(stale)), reasonOf("LEASE_LOST"));
  await all.engine.cancel(cancelCall(parent.name));
  await assert.rejects(all.engine.startChild(all.session, child(parent)), reasonOf("PARENT_CLOSED"));
  await report(all.session, parent, stopped);
  await assert.rejects(all.engine.startChild(all.session, child(parent)), reasonOf("LEASE_LOST"));
});

test("the cancel of a parent reaches its children and theirs, and the parent ends last", async (context) => {
  const all = await remote(context, { slots: 8 });
  const parent = await begun(all);
  const first = await runningChild(all, parent);
  const grandchild = await runningChild(all, first, { requestId: "grand" });
  const alone = await runningChild(all, parent, { requestId: "alone", policy: "abandon" });
  await all.engine.cancel(cancelCall(parent.name, { reason: "enough" }));
  await eventually("the whole family is told", () => all.transport.cancels.length === 3);
  assert.deepEqual(
    all.transport.cancels.map(({ name, cause }) => [name, cause]),
    [
      [parent.name, "cancel"],
      [first.name, "parent"],
      [grandchild.name, "parent"],
    ],
  );
  await report(all.session, parent, stopped);
  assert.equal((await all.engine.get(parent.key)).record.state, "CANCELLING", "it ended before its children");
  await report(all.session, first, stopped);
  await report(all.session, grandchild, stopped);
  for (const attempt of [grandchild, first, parent]) {
    assert.equal((await all.engine.wait(attempt.key, waitLong)).record.state, "CANCELLED");
  }
  assert.equal((await all.engine.get(alone.key)).record.state, "RUNNING");
});

test("force on a parent that is being cancelled is told to the workers of its children", async (context) => {
  const all = await remote(context, { slots: 8 });
  const parent = await begun(all);
  const first = await runningChild(all, parent);
  const grandchild = await runningChild(all, first, { requestId: "grand" });
  await all.engine.cancel(cancelCall(parent.name));
  await eventually("the whole family is told", () => all.transport.cancels.length === 3);
  await all.engine.cancel(cancelCall(parent.name, { force: true }));
  await eventually("the whole family is forced", () => all.transport.cancels.length === 6);
  assert.deepEqual(
    all.transport.cancels.slice(3).map(({ name, force }) => [name, force]),
    [
      [parent.name, true],
      [first.name, true],
      [grandchild.name, true],
    ],
  );
});

test("a sweep that a crash cut off goes on in the next life", async (context) => {
  const all = await remote(context, { slots: 8 });
  const parent = await begun(all);
  const first = await runningChild(all, parent);
  await all.engine.close(); // its maintenance sweeps nothing any more
  await all.engine.cancel(cancelCall(parent.name));
  assert.equal((await all.engine.get(first.key)).record.state, "RUNNING");
  const engine = nextLife(context, all.store);
  await eventually(
    "the child is told",
    async () => (await engine.get(first.key)).record.state === "CANCELLING",
  );
});

test("a shared child runs on while another parent wants it", async (context) => {
  const all = await remote(context, { slots: 8 });
  const one = await begun(all);
  const two = await begun(all);
  const shared = await runningChild(all, one, { shared: true });
  const joined = await all.engine.startChild(all.session, child(two, { shared: true }));
  assert.equal(joined.record.name, shared.name);
  await all.engine.cancel(cancelCall(one.name));
  await report(all.session, one, stopped);
  assert.equal((await all.engine.wait(one.key, waitLong)).record.state, "CANCELLED");
  assert.equal((await all.engine.get(shared.key)).record.state, "RUNNING");
  await all.engine.cancel(cancelCall(two.name));
  await eventually("the child is told", () => all.transport.cancels.some(({ name }) => name === shared.name));
});

test("a parent waits for its child, and for nothing else", async (context) => {
  const all = await remote(context, { slots: 8 });
  const parent = await begun(all);
  const first = await runningChild(all, parent);
  const { operation } = await all.engine.start(request());
  const waitFor = (name: string, timeoutMs: number) =>
    all.engine.waitChild(all.session, parent, { service: "default", name }, timeoutMs);
  assert.equal((await waitFor(first.name, 20)).record.state, "RUNNING");
  const waiting = waitFor(first.name, 60_000);
  await report(all.session, first, completed);
  assert.equal((await waiting).record.state, "SUCCEEDED");
  await assert.rejects(waitFor(operation.record.name, 10), reasonOf("OPERATION_NOT_FOUND"));
  await assert.rejects(waitFor(key("operations/none").name, 10), reasonOf("OPERATION_NOT_FOUND"));
});
