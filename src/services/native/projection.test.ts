import assert from "node:assert/strict";
import { test } from "node:test";
import type {
  CancelRequest,
  OperationDetail,
  OperationRecord,
  StoredReceipt,
} from "../../engine/operation.ts";
import { messageToJson } from "../../protocol/any.ts";
import { OperationSchema, ReceiptSchema } from "../../protocol/gen/belay/v1/operations_pb.ts";
import { structPayload } from "../../protocol/struct.ts";
import { baseTypeRegistry } from "../../protocol/type-registry.ts";
import type { JsonObject } from "../../protocol/worker-connection.ts";
import { storedOperation } from "../../testing/stored-operation.ts";
import { projectOperation } from "./projection.ts";
import { projectReceipt } from "./receipt-projection.ts";

const T = 1_800_000_000_000_000;
const lease = { session: "ses1", token: 7, begun: true, guarded: true };

const cancel: CancelRequest = {
  cause: "cancel",
  requestedBy: "user:ada",
  onBehalfOf: "",
  requestId: "req-1",
  force: false,
  reason: "wrong file",
  origin: "native/rest",
  requestTime: T,
  graceEndTime: T + 10_000_000,
  deadline: T + 15_000_000,
  deliverTime: null,
  deferredBy: null,
  acknowledgeTime: null,
  escalateTime: null,
  stopTime: null,
  evidence: null,
  mechanism: null,
  stopConfirmedTime: null,
};

function json(changes: Partial<OperationRecord>, beside: Partial<OperationDetail> = {}): JsonObject {
  const detail: OperationDetail = {
    ...storedOperation(changes),
    labels: {},
    request: null,
    checkpoint: null,
    attempts: [],
    ...beside,
  };
  return messageToJson(
    OperationSchema,
    projectOperation(detail, baseTypeRegistry),
    baseTypeRegistry,
  ) as JsonObject;
}

test("a pending operation shows its name, type, state and times", () => {
  assert.deepEqual(
    json({ description: "d" }, { labels: { team: "a" }, request: structPayload({ page: 1 }) }),
    {
      name: "operations/opr0mh1k2j3c4v5b6n7q8",
      type: "ocr.recognize",
      state: "PENDING",
      createTime: "2027-01-15T08:00:00Z",
      updateTime: "2027-01-15T08:00:00.000001Z",
      maxAttempts: 2,
      createdBy: "anonymous",
      description: "d",
      labels: { team: "a" },
      payload: { page: 1 },
      etag: '"3"',
    },
  );
});

test("a running operation shows its attempt, worker and progress", () => {
  const shown = json({
    state: "RUNNING",
    attempt: 1,
    lease,
    attemptStartTime: T,
    progress: { percent: 40, message: "page 2 of 5" },
  });
  assert.deepEqual(
    [shown["state"], shown["attempt"], shown["worker"], shown["startTime"], shown["progress"], shown["done"]],
    ["RUNNING", 1, "ses1", "2027-01-15T08:00:00Z", { percent: 40, message: "page 2 of 5" }, undefined],
  );
});

test("a failed operation shows its error with all details, and the errors of its attempts", () => {
  const status = {
    code: 9,
    message: "no disk",
    details: [{ typeUrl: "example.com/foo.Bar", bytes: new Uint8Array([1]) }],
  };
  const attempts = [
    {
      attempt: 1,
      session: "ses1",
      startTime: T,
      endTime: T + 1_000_000,
      outcome: "RETRIED",
      error: status,
    } as const,
  ];
  const shown = json(
    { state: "FAILED", outcome: { kind: "error", status, digest: "" }, doneTime: T },
    { attempts },
  );
  const error = { code: 9, message: "no disk", details: [{ "@type": "example.com/foo.Bar", value: "AQ==" }] };
  assert.deepEqual(shown["error"], error);
  assert.deepEqual([shown["done"], shown["endTime"]], [true, "2027-01-15T08:00:00Z"]);
  assert.deepEqual(shown["attempts"], [
    {
      attempt: 1,
      worker: "ses1",
      startTime: "2027-01-15T08:00:00Z",
      endTime: "2027-01-15T08:00:01Z",
      outcome: "RETRIED",
      error,
    },
  ]);
});

const phases: readonly [string, Partial<CancelRequest>, Partial<OperationRecord>][] = [
  ["REQUESTED", {}, {}],
  ["DELIVERED", { deliverTime: T }, {}],
  ["ACKNOWLEDGED", { deliverTime: T, acknowledgeTime: T }, {}],
  ["ESCALATED", { deliverTime: T, escalateTime: T }, {}],
  ["DEFERRED", { deliverTime: T, deferredBy: "commit" }, {}],
  // Its own work has stopped; children have not.
  ["CHILDREN", { stopTime: T, evidence: "HANDLER_STOPPED" }, { lease: null }],
  ["STOPPED", { stopTime: T, evidence: "HANDLER_STOPPED", mechanism: "SIGNAL" }, { state: "CANCELLED" }],
  ["UNCONFIRMED", { escalateTime: T }, { state: "FAILED", held: lease }],
  // The stop was confirmed after the operation had ended: nothing is held any more.
  ["STOPPED", { escalateTime: T, stopConfirmedTime: T, evidence: "PROCESS_EXITED" }, { state: "FAILED" }],
];

for (const [phase, times, changes] of phases) {
  test(`a cancel with ${Object.keys(times).join(", ") || "no times"} is ${phase}`, () => {
    const shown = json({ state: "CANCELLING", lease, ...changes, cancel: { ...cancel, ...times } });
    const cancellation = shown["cancellation"] as JsonObject;
    assert.deepEqual(
      [cancellation["phase"], cancellation["requestedBy"], cancellation["cancelDeadline"]],
      [phase, "user:ada", "2027-01-15T08:00:15Z"],
    );
  });
}

test("a receipt tells who, why, how it stopped, how that is known, and how long it took", () => {
  const stored: StoredReceipt = {
    service: "default",
    tenant: "default",
    name: "operations/a",
    type: "ocr.recognize",
    cancel: { ...cancel, stopTime: T + 250_000, evidence: "THREAD_TERMINATED", mechanism: "TERMINATE" },
    outcome: "CANCELLED",
    doneTime: T + 250_000,
    attempt: 1,
    session: "ses1",
    checkpoint: structPayload({ pages: [1, 2] }),
    events: [{ time: T, kind: "REQUESTED", detail: "wrong file", by: "user:ada" }],
  };
  assert.deepEqual(messageToJson(ReceiptSchema, projectReceipt(stored, baseTypeRegistry), baseTypeRegistry), {
    name: "operations/a",
    type: "ocr.recognize",
    requestedBy: "user:ada",
    requestId: "req-1",
    reason: "wrong file",
    origin: "native/rest",
    cause: "cancel",
    requestTime: "2027-01-15T08:00:00Z",
    cancelDeadline: "2027-01-15T08:00:15Z",
    outcome: "CANCELLED",
    mechanism: "TERMINATE",
    evidence: "THREAD_TERMINATED",
    attempt: 1,
    worker: "ses1",
    stopTime: "2027-01-15T08:00:00.250Z",
    latency: "0.250s",
    checkpoint: { pages: [1, 2] },
    events: [{ time: "2027-01-15T08:00:00Z", kind: "REQUESTED", detail: "wrong file", by: "user:ada" }],
  });
});

test("a family shows its links, with the policy of each", () => {
  const parents = [{ service: "default", name: "operations/p", policy: "wait", detached: true }] as const;
  const children = { started: 3, awaited: 1, unconfirmed: 0, stopMs: 0 };
  const child = {
    service: "default",
    name: "operations/c",
    type: "ocr.page",
    state: "RUNNING",
    policy: "cancel",
    detached: false,
  } as const;
  const detail: OperationDetail = {
    ...storedOperation({ parents, children }),
    labels: {},
    request: null,
    checkpoint: null,
    attempts: [],
  };
  const shown = messageToJson(
    OperationSchema,
    projectOperation(detail, baseTypeRegistry, [child]),
    baseTypeRegistry,
  ) as JsonObject;
  assert.deepEqual(
    [shown["parents"], shown["children"], shown["childCount"]],
    [
      [{ service: "default", name: "operations/p", policy: "WAIT", detached: true }],
      [{ service: "default", name: "operations/c", type: "ocr.page", state: "RUNNING", policy: "CANCEL" }],
      3,
    ],
  );
});

test("a delay is shown while it holds the operation back, a watch deadline while there is something to cancel", () => {
  const later = storedOperation().record.createTime + 5_000_000;
  const pending = json({ startAfter: later, watchDeadline: later });
  assert.deepEqual(
    [pending["notBefore"], pending["watchDeadline"]],
    ["2027-01-15T08:00:05Z", "2027-01-15T08:00:05Z"],
  );
  assert.equal(json({ startAfter: storedOperation().record.createTime })["notBefore"], undefined);
  const done = json({ state: "SUCCEEDED", startAfter: later, watchDeadline: later, doneTime: T });
  assert.deepEqual([done["notBefore"], done["watchDeadline"]], [undefined, undefined]);
});

test("an attempt that was taken away and may still run is shown as held", () => {
  assert.equal(json({ state: "PENDING", held: lease })["held"], true);
});

test("the parents are on a receipt only where one of them brought the cancel, the children only where they were told", () => {
  const link = { service: "default", name: "operations/p", policy: "cancel", detached: false } as const;
  const child = {
    service: "default",
    name: "operations/c",
    type: "t",
    state: "CANCELLED",
    detached: false,
  } as const;
  const family = {
    parents: [link],
    children: [
      { ...child, policy: "cancel" },
      { ...child, policy: "abandon" },
    ] as const,
  };
  const stored = (cause: CancelRequest["cause"]): StoredReceipt => ({
    service: "default",
    tenant: "default",
    name: "operations/a",
    type: "t",
    cancel: { ...cancel, cause },
    outcome: null,
    doneTime: null,
    attempt: 1,
    session: "ses1",
    checkpoint: null,
    events: [],
  });
  const ofCancel = projectReceipt(stored("cancel"), baseTypeRegistry, family);
  const ofParent = projectReceipt(stored("parent"), baseTypeRegistry, family);
  assert.deepEqual([ofCancel.parents.length, ofParent.parents.length, ofCancel.children.length], [0, 1, 1]);
});
