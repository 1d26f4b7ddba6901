// A stored operation that tests change as they need.
import type { OperationRecord, Payload, StoredOperation } from "../engine/operation.ts";

/** A pending operation, with what the test changes. */
export function storedOperation(
  changes: Partial<OperationRecord> = {},
  response: Payload | null = null,
): StoredOperation {
  const record: OperationRecord = {
    service: "default",
    tenant: "default",
    name: "operations/opr0mh1k2j3c4v5b6n7q8",
    id: "opr0mh1k2j3c4v5b6n7q8",
    parent: "",
    type: "ocr.recognize",
    state: "PENDING",
    revision: 3,
    createTime: 1_800_000_000_000_000,
    updateTime: 1_800_000_000_000_001,
    createdBy: "anonymous",
    description: "",
    policy: {
      cancel: { cancellable: true, graceMs: 10_000, criticalMs: 0, cleanupMs: 0, killMs: 5000 },
      maxAttempts: 2,
      backoffMs: 1000,
      backoffMaxMs: 60_000,
      attemptTimeoutMs: 3_600_000,
      stallTimeoutMs: 0,
      retentionMs: 86_400_000,
      onDelete: "keep",
      typeLimit: 0,
      keyLimit: 0,
      unwatchedMs: 0,
    },
    priority: 0,
    concurrencyKey: "",
    supersedeKey: "",
    rerunOf: "",
    watchDeadline: null,
    parents: [],
    hasOwnCaller: true,
    children: null,
    startAfter: 0,
    deadline: null,
    attempt: 0,
    leaseToken: 0,
    lease: null,
    held: null,
    attemptStartTime: null,
    activityTime: null,
    progress: null,
    cancel: null,
    outcome: null,
    doneTime: null,
    deleteTime: null,
    ...changes,
  };
  return { record, response, metadata: null };
}
