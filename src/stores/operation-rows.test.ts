// Rows: every record comes back as it went in.
import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { type OperationRecord, operationStates } from "../engine/operation.ts";
import {
  OPERATION_COLUMNS,
  recordToRow,
  rowToRecord,
  statusFromJson,
  statusToJson,
} from "./operation-rows.ts";

const instant = fc.integer({ min: 0, max: 2 ** 52 });
const maybe = <T>(value: fc.Arbitrary<T>): fc.Arbitrary<T | null> => fc.option(value, { nil: null });
const text = fc.string({ unit: "binary" }).map((value) => value.toWellFormed());
const count = fc.nat();

/** fast-check's objects may have no prototype; stored ones have the usual one. */
function plain<T>(value: T): T {
  if (Array.isArray(value)) return value.map(plain) as T;
  if (typeof value !== "object" || value === null || value instanceof Uint8Array) return value;
  return Object.fromEntries(Object.entries(value).map(([key, field]) => [key, plain(field)])) as T;
}

const statusArbitrary = fc.record({
  code: fc.nat({ max: 16 }),
  message: text,
  details: fc.array(fc.record({ typeUrl: text, bytes: fc.uint8Array() }), { maxLength: 3 }),
});

const leaseArbitrary = fc.record({ session: text, begun: fc.boolean(), guarded: fc.boolean() });

const cancelArbitrary = fc.record({
  cause: fc.constantFrom("cancel", "deadline", "parent", "superseded", "unwatched"),
  requestedBy: text,
  onBehalfOf: text,
  requestId: text,
  force: fc.boolean(),
  deferredBy: maybe(text),
  reason: text,
  origin: text,
  requestTime: instant,
  graceEndTime: instant,
  deadline: instant,
  deliverTime: maybe(instant),
  acknowledgeTime: maybe(instant),
  escalateTime: maybe(instant),
  stopTime: maybe(instant),
  evidence: maybe(fc.constantFrom("HANDLER_STOPPED", "PROCESS_EXITED")),
  mechanism: maybe(fc.constantFrom("SIGNAL", "SIGKILL")),
  stopConfirmedTime: maybe(instant),
});

const policyArbitrary = fc.record({
  cancel: fc.record({
    cancellable: fc.boolean(),
    graceMs: count,
    criticalMs: count,
    cleanupMs: count,
    killMs: count,
  }),
  maxAttempts: count,
  backoffMs: count,
  backoffMaxMs: count,
  attemptTimeoutMs: count,
  stallTimeoutMs: count,
  retentionMs: count,
  onDelete: fc.constantFrom("keep", "cancel", "refuse"),
  typeLimit: count,
  keyLimit: count,
  unwatchedMs: count,
});

const linkArbitrary = fc.record({
  service: text,
  name: text,
  policy: fc.constantFrom("cancel", "abandon", "wait"),
  detached: fc.boolean(),
});

const childrenArbitrary = fc.record({ started: count, awaited: count, unconfirmed: count, stopMs: count });

const outcomeArbitrary = fc.oneof(
  fc.record({ kind: fc.constant("response"), digest: text }),
  fc.record({ kind: fc.constant("error"), status: statusArbitrary, digest: text }),
);

const recordArbitrary = fc
  .record({
    service: text,
    tenant: text,
    name: text,
    id: text,
    parent: text,
    type: text,
    state: fc.constantFrom(...operationStates),
    revision: count,
    createTime: instant,
    updateTime: instant,
    createdBy: text,
    description: text,
    policy: policyArbitrary,
    priority: fc.integer({ min: -100, max: 100 }),
    concurrencyKey: text,
    supersedeKey: text,
    rerunOf: text,
    watchDeadline: maybe(instant),
    parents: fc.array(linkArbitrary, { maxLength: 3 }),
    hasOwnCaller: fc.boolean(),
    children: maybe(childrenArbitrary),
    startAfter: instant,
    deadline: maybe(instant),
    attempt: count,
    leaseToken: count,
    lease: maybe(leaseArbitrary),
    held: maybe(leaseArbitrary),
    attemptStartTime: maybe(instant),
    activityTime: maybe(instant),
    progress: maybe(fc.record({ percent: fc.double({ min: 0, max: 100, noNaN: true }), message: text })),
    cancel: maybe(cancelArbitrary),
    outcome: maybe(outcomeArbitrary),
    doneTime: maybe(instant),
    deleteTime: maybe(instant),
  })
  // A lease always carries the last token granted.
  .map(({ lease, held, ...record }) => {
    const token = record.leaseToken;
    const leases = { lease: lease && { ...lease, token }, held: held && { ...held, token } };
    return plain({ ...record, ...leases }) as OperationRecord;
  });

test("a record comes back from its row as it was", () => {
  fc.assert(
    fc.property(recordArbitrary, (record) => {
      const row = recordToRow(record);
      assert.equal(row.length, OPERATION_COLUMNS.length);
      assert.deepEqual(rowToRecord(row), record);
    }),
  );
});

test("a lease that is not the last one granted is a bug", () => {
  fc.assert(
    fc.property(recordArbitrary, (record) => {
      fc.pre(record.lease !== null);
      assert.throws(() => recordToRow({ ...record, leaseToken: record.leaseToken + 1 }), {
        name: "AssertionError",
      });
    }),
  );
});

test("a status comes back from its text with the bytes of its details", () => {
  fc.assert(
    fc.property(statusArbitrary.map(plain), (status) => {
      assert.deepEqual(statusFromJson(statusToJson(status)), status);
    }),
  );
});
