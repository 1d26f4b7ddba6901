// Every reachable state of the real `transition` and `decide`, breadth first: the invariants hold on every edge, and an
// end can be reached from every state. A failure prints the shortest trace. Larger variants are in search.long.test.ts.
import assert from "node:assert/strict";
import { test } from "node:test";
import { isDone, nextTimer, type OperationRecord } from "../../src/engine/operation.ts";
import { transition } from "../../src/engine/transition.ts";
import { simple, UNIT } from "../../src/testing/sample-operation.ts";
import type { BatchState } from "./batch-checks.ts";
import { batchModel, isSettled } from "./batch-model.ts";
import { type OperationState, operationModel, type StartChoice } from "./operation-model.ts";
import { runSearch } from "./run-search.ts";
import type { SearchResult } from "./search.ts";

const starts: readonly StartChoice[] = [
  { maxAttempts: 1 },
  { maxAttempts: 2, unwatchedMs: 2 },
  { maxAttempts: 1, deadlineUnits: 3 },
  { maxAttempts: 2, onDelete: "cancel" },
  { maxAttempts: 1, onDelete: "refuse" },
  { maxAttempts: 1, cancellable: false, onDelete: "cancel", deadlineUnits: 2, unwatchedMs: 1 },
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
  const causes = new Set(reached.map(({ record }) => record?.cancel?.cause));
  assert.ok(causes.has("deadline") && causes.has("unwatched") && causes.has("cancel"));
  assert.ok(reached.some(({ record, now }) => record?.state === "PENDING" && record.startAfter > now + UNIT));
  assert.ok(reached.some(({ record }) => record?.cancel?.evidence === "OPERATOR"));
  assert.ok(reached.some(({ record }) => record?.cancel?.deferredBy === "commit" && record.cancel.force));
});

const quick = { maxAttempts: 1, stallTimeoutMs: 0, attemptTimeoutMs: 2 } as const;

/** The records of all reached ledgers. */
function recordsOf(result: SearchResult<BatchState>): OperationRecord[] {
  return result.reached.flatMap(({ ledger }) => [...ledger.operations.values()]);
}

test("a batch of two commands does what two batches do, and leaves nothing with a closed session", (t) => {
  const a = { ...quick, maxAttempts: 2 };
  runSearch(t, "batch pairs", batchModel({ operations: { a }, withPairs: true }), isSettled);
});

test("a parent and its child on two sessions: the parent settles last, however both end", (t) => {
  const operations = { p: quick, c: { ...quick, child: { of: ["p"], policy: "cancel" } } } as const;
  const parts = ["children", "force", "override", "second session", "sessions"] as const;
  const result = runSearch(
    t,
    "parent and child",
    batchModel({ operations, parts, withPairs: false }),
    isSettled,
  );
  const records = recordsOf(result);
  assert.ok(records.some(({ state, lease }) => state === "CANCELLING" && lease === null));
  assert.ok(records.some(({ cancel, parents }) => cancel?.cause === "parent" && parents.length === 1));
  assert.ok(records.some(({ children, cancel }) => children !== null && cancel?.stopConfirmedTime != null));
});

test("a parent with a child to cancel and one to wait for: every state can end", (t) => {
  const c = { ...quick, child: { of: ["p"], policy: "cancel" } } as const;
  const d = { ...quick, child: { of: ["p"], policy: "wait" } } as const;
  const model = batchModel({ operations: { p: quick, c, d }, parts: ["children"], withPairs: false });
  runSearch(t, "two children", model, isSettled);
});

test("a child that a caller wants, too, is left to the caller", (t) => {
  const c = { ...quick, child: { of: ["p"], policy: "cancel", shared: true } } as const;
  const model = batchModel({ operations: { p: quick, c }, parts: ["children"], withPairs: true });
  const result = runSearch(t, "shared child", model, isSettled);
  const isLeft = ({ parents, hasOwnCaller }: OperationRecord): boolean =>
    hasOwnCaller && parents.some((link) => link.detached);
  assert.ok(recordsOf(result).some(isLeft));
});

test("a family comes to the same by one batch of two commands as by two batches", (t) => {
  const c = { ...quick, child: { of: ["p"], policy: "cancel" } } as const;
  const model = batchModel({ operations: { p: quick, c }, parts: ["children"], withPairs: true });
  runSearch(t, "family pairs", model, isSettled);
});

test("a limited type: no more run than may, and every slot is freed", (t) => {
  const limited = { ...quick, typeLimit: 1 };
  const parts = ["override", "reserve", "sessions"] as const;
  const model = batchModel({ operations: { a: limited, b: limited }, parts, withPairs: false });
  runSearch(t, "slots", model, isSettled);
});

test("a newer operation supersedes the older one, in one batch too", (t) => {
  const keyed = { ...quick, supersedeKey: "page" };
  const model = batchModel({ operations: { a: keyed, b: keyed }, parts: ["reserve"], withPairs: true });
  const result = runSearch(t, "superseded", model, isSettled);
  assert.ok(recordsOf(result).some(({ cancel }) => cancel?.cause === "superseded"));
});

test("sessions whose lease has passed leave nothing behind", (t) => {
  const a = { ...quick, maxAttempts: 2 };
  const parts = ["expiry", "reserve", "sessions", "second session"] as const;
  const model = batchModel({ operations: { a }, parts, leaseMs: 2, withPairs: true });
  runSearch(t, "sessions expire", model, isSettled);
});
