// Every reachable state of the real `transition` and `decide`, breadth first: the invariants hold on every edge, and an
// end can be reached from every state. A failure prints the shortest trace. Larger variants are in search.long.test.ts.
import assert from "node:assert/strict";
import { test } from "node:test";
import { isDone, nextTimer, type OperationRecord } from "../../src/engine/operation.ts";
import { transition } from "../../src/engine/transition.ts";
import { simple, UNIT } from "../../src/testing/sample-operation.ts";
import { batchModel, isSettled } from "./batch-model.ts";
import { type OperationState, operationModel, type StartChoice } from "./operation-model.ts";
import { runSearch } from "./run-search.ts";

const starts: readonly StartChoice[] = [
  { maxAttempts: 1 },
  { maxAttempts: 2 },
  { maxAttempts: 3 },
  { maxAttempts: 2, deadlineUnits: 3 },
  { maxAttempts: 2, onDelete: "cancel" },
  { maxAttempts: 1, onDelete: "refuse" },
  { maxAttempts: 2, cancellable: false, onDelete: "cancel", deadlineUnits: 2 },
];

function isOver({ record }: OperationState): boolean {
  return record === null || isDone(record.state);
}

/** What time alone must do to a live operation, whatever the worker does or does not. */
function checkTimers(record: OperationRecord, now: number): void {
  const timer = nextTimer(record);
  if (record.state === "PENDING") {
    const free = transition(record, simple.expire(record.lease?.session ?? ""), now);
    const due = Math.max(now, record.startAfter);
    const assigned = transition(free.record, simple.assign("w1", { guarded: true, begin: true }), due);
    if (timer === null || timer > due)
      assert.equal(assigned.record?.state, "RUNNING", "a pending operation cannot start");
    return;
  }
  assert.notEqual(timer, null, `${record.state} without a timer`);
  const result = transition(record, simple.tick(), Math.max(now, timer ?? 0));
  const after = result.record?.state;
  if (record.state === "CANCELLING") assert.equal(after, "FAILED", "the cancel deadline does not end it");
  else assert.notEqual(after, "RUNNING", "a running operation outlives its timers");
}

test("one operation, two workers: no reachable step breaks an invariant, and every state can end", (t) => {
  const { reached } = runSearch(t, "operation", operationModel(starts), isOver);
  for (const { record, now } of reached) if (record && !isDone(record.state)) checkTimers(record, now);
  // A timer longer than the search waits would hide its edges.
  assert.ok(reached.some(({ record }) => record?.cancel?.cause === "deadline"));
  assert.ok(reached.some(({ record, now }) => record?.state === "PENDING" && record.startAfter > now + UNIT));
});

test("a batch of two commands does what two batches do, and leaves nothing with a closed session", (t) => {
  const policy = { maxAttempts: 2, stallTimeoutMs: 0, attemptTimeoutMs: 2 };
  runSearch(t, "batch pairs", batchModel({ operations: { a: policy }, withPairs: true }), isSettled);
});

test("two operations, two sessions: no reachable batch breaks an invariant, and every state can end", (t) => {
  const policy = { maxAttempts: 1, stallTimeoutMs: 0, attemptTimeoutMs: 2 };
  const operations = { a: policy, b: { ...policy, maxAttempts: 2, backoffMs: 0 } };
  runSearch(t, "two operations", batchModel({ operations, withPairs: false }), isSettled);
});
