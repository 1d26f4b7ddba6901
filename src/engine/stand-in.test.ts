// Stand-ins: what they are made of, and where their rules differ from those of other operations.
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  cancelCommand,
  completeCommand,
  EPOCH,
  failCommand,
  type Holder,
  simple,
  startCommand,
  stoppedCommand,
} from "../testing/sample-operation.ts";
import { policy } from "../testing/test-engine.ts";
import type { EngineChildStart } from "./children.ts";
import type { OperationCommand } from "./commands.ts";
import type { OperationRecord } from "./operation.ts";
import { CHILD_ELSEWHERE_TYPE, standInOf } from "./stand-in.ts";
import { transition } from "./transition.ts";
import { mayStillRun } from "./transitions/children.ts";

const w1: Holder = { session: "w1", token: 1 };
const lease = simple.assign("w1", { guarded: false, begin: true });
const expiry = simple.expire("w1");
const order = { typeUrl: "type.googleapis.com/google.protobuf.Struct", bytes: new Uint8Array() };

function run(...commands: OperationCommand[]): OperationRecord {
  const start = { ...startCommand({ maxAttempts: 3 }), operationType: CHILD_ELSEWHERE_TYPE };
  return commands.reduce((record, command) => after(record, command), after(null, start));
}

function after(record: OperationRecord | null, command: OperationCommand): OperationRecord {
  const result = transition(record, command, EPOCH);
  if (result.type === "refused") assert.fail(`${command.type} was refused: ${result.reason}`);
  return result.record;
}

function standIn(fields: Partial<EngineChildStart> = {}): ReturnType<typeof standInOf> {
  const parent = run(lease);
  const start = {
    ...{ parent: { key: parent, token: 1 }, policy: "cancel", service: "other", idPrefix: "oth" },
    ...{ resource: "folders/f", type: "test.child", request: null, metadata: null, requestId: "1" },
    ...{ requestDigest: "d", shared: false, labels: {}, description: "the child", deadline: null },
    ...fields,
  } as EngineChildStart;
  return standInOf(start, parent, policy, order);
}

test("a stand-in is beside its parent, says what it stands for, and has some seconds more to stop", () => {
  const { start, policy: own } = standIn({ deadline: EPOCH });
  const parent = run(lease);
  assert.equal(start.service, parent.service);
  assert.equal(start.resource, parent.parent);
  assert.equal(start.type, CHILD_ELSEWHERE_TYPE);
  assert.equal(start.request, order);
  assert.equal(start.description, "test.child in service other, in another database: the child");
  const { graceMs, criticalMs, cleanupMs, killMs } = policy.cancel;
  assert.deepEqual(own.cancel, { ...policy.cancel, killMs: killMs + 5000 });
  assert.equal(start.deadline, EPOCH + (graceMs + criticalMs + cleanupMs + killMs + 5000) * 1000);
});

test("a shared child cannot be in another database", () => {
  assert.throws(() => standIn({ shared: true }), { reason: "INVALID_FIELD", message: /another database/ });
});

test("a stand-in whose server is lost may have its next attempt at once, and is held until then", () => {
  const record = run(lease, expiry);
  assert.equal(record.state, "PENDING");
  assert.equal(record.held?.session, "w1");
  assert.ok(record.startAfter <= EPOCH + record.policy.backoffMaxMs * 1000);
  assert.equal(after(record, cancelCommand()).state, "CANCELLING");
});

test("the end of a session says nothing of a stand-in that is stopping: its end is still reported under the old token", () => {
  for (const isGone of [false, true]) {
    const stopping = run(lease, cancelCommand());
    const record = after(stopping, { ...expiry, isGone } as OperationCommand);
    assert.equal(record, stopping);
    assert.equal(after(record, stoppedCommand(w1)).state, "CANCELLED");
  }
});

test("an end of which not all is known to have stopped is held until it is", () => {
  const ends = [completeCommand(w1), failCommand(w1)];
  for (const end of ends) {
    const open = { ...end, mayStillRun: true };
    const record = run(lease, open);
    assert.equal(record.state, end.type === "complete" ? "SUCCEEDED" : "FAILED");
    assert.ok(mayStillRun(record));
    assert.equal(after(record, open), record);
    assert.ok(!mayStillRun(after(record, stoppedCommand(w1))));
  }
});

test("a failure of which not all is known to have stopped does not confirm a cancel", () => {
  const open = { ...failCommand(w1), mayStillRun: true };
  const record = run(lease, cancelCommand(), open);
  assert.equal(record.state, "FAILED");
  assert.match(record.outcome?.kind === "error" ? record.outcome.status.message : "", /^STOP_UNCONFIRMED/);
  assert.equal(after(record, open), record);
  const late = after(record, stoppedCommand(w1));
  assert.equal(late.held, null);
  assert.notEqual(late.cancel?.stopConfirmedTime, null);
});
