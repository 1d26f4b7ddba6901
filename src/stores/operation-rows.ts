// Row <-> record. A row is an array in the order of OPERATION_COLUMNS; rows cross threads as they are, because an
// array of scalars is cloned 3.4 times faster than the record (4.0 against 13.5 us), and the main thread makes records.
import { assert } from "../base/assert.ts";
import type { Instant } from "../base/clock.ts";
import {
  type CancelRequest,
  type ChildCounts,
  type Lease,
  nextTimer,
  type OperationOutcome,
  type OperationPolicy,
  type OperationRecord,
  type OperationState,
  type ParentLink,
  type Payload,
  type StatusValue,
  type StoredOperation,
} from "../engine/operation.ts";

/** What a column can hold; node:sqlite binds and answers exactly these. */
export type SqlValue = null | number | string | Uint8Array;

/** An operation's hot row, in the order of the select list below. */
export type OperationRow = [
  service: string,
  tenant: string,
  name: string,
  id: string,
  parent: string,
  type: string,
  state: string,
  revision: number,
  createTime: Instant,
  updateTime: Instant,
  createdBy: string,
  description: string,
  cancellable: number,
  graceMs: number,
  criticalMs: number,
  cleanupMs: number,
  killMs: number,
  maxAttempts: number,
  backoffMs: number,
  backoffMaxMs: number,
  attemptTimeoutMs: number,
  stallTimeoutMs: number,
  retentionMs: number,
  onDelete: string,
  startAfter: Instant,
  deadline: Instant | null,
  attempt: number,
  leaseToken: number,
  leaseSession: string | null,
  leaseBegun: number | null,
  leaseGuarded: number | null,
  heldSession: string | null,
  heldBegun: number | null,
  heldGuarded: number | null,
  attemptStartTime: Instant | null,
  activityTime: Instant | null,
  progressPercent: number | null,
  progressMessage: string | null,
  cancel: string | null,
  outcome: string | null,
  outcomeDigest: string | null,
  error: string | null,
  doneTime: Instant | null,
  deleteTime: Instant | null,
  typeLimit: number,
  keyLimit: number,
  concurrencyKey: string,
  priority: number,
  supersedeKey: string,
  rerunOf: string,
  unwatchedMs: number,
  watchDeadline: Instant | null,
  parents: string | null,
  children: string | null,
  hasOwnCaller: number,
];

/** The columns of an OperationRow. */
export const OPERATION_COLUMNS: readonly string[] = columnNames(`
  service, tenant, name, id, parent, type, state, revision, create_time, update_time, created_by, description,
  cancellable, grace_ms, critical_ms, cleanup_ms, kill_ms, max_attempts, backoff_ms, backoff_max_ms,
  attempt_timeout_ms, stall_timeout_ms, retention_ms, on_delete, start_after, deadline, attempt, lease_token,
  lease_session, lease_begun, lease_guarded, held_session, held_begun, held_guarded, attempt_start_time,
  activity_time, progress_percent, progress_message, cancel, outcome, outcome_digest, error, done_time, delete_time,
  type_limit, key_limit, concurrency_key, priority, supersede_key, rerun_of, unwatched_ms, watch_deadline, parents,
  children, has_own_caller`);

/** The names of a list such as `a, b, c`. */
export function columnNames(list: string): string[] {
  return list.split(",").map((name) => name.trim());
}

/** The columns that the store derives from the record, for its indexes. */
export const DERIVED_COLUMNS: readonly string[] = ["next_timer", "expire_time", "start_class"];

/** When a done operation may be removed: done_time + retention (S19); null while it is not done. */
export function expireTime(record: OperationRecord): Instant | null {
  return record.doneTime === null ? null : record.doneTime + record.policy.retentionMs * 1000;
}

/** A payload as columns: type_url, bytes, encoding; all null where there is none. */
export type PayloadRow = [typeUrl: string | null, bytes: Uint8Array | null, encoding: string | null];

/** An operation with its response and metadata: what point reads and lists select. */
export type StoredRow = [...OperationRow, ...PayloadRow, ...PayloadRow];

/** A row of a list or of the feed: the operation, and its labels as JSON, or null for none. */
export type ListedRow = [...StoredRow, labels: string | null];

const RESPONSE_AT = 55;
const METADATA_AT = RESPONSE_AT + 3;
const REQUEST_AT = METADATA_AT + 3;
const LABELS_AT = METADATA_AT + 3;

function flag(value: boolean): number {
  return value ? 1 : 0;
}

/** The record as a row. */
export function recordToRow(record: OperationRecord): OperationRow {
  const { policy, lease, held, progress, cancel, outcome } = record;
  assert(lease === null || lease.token === record.leaseToken, "a lease carries the last token granted");
  assert(held === null || held.token === record.leaseToken, "a held lease carries the last token granted");
  return [
    record.service,
    record.tenant,
    record.name,
    record.id,
    record.parent,
    record.type,
    record.state,
    record.revision,
    record.createTime,
    record.updateTime,
    record.createdBy,
    record.description,
    flag(policy.cancel.cancellable),
    policy.cancel.graceMs,
    policy.cancel.criticalMs,
    policy.cancel.cleanupMs,
    policy.cancel.killMs,
    policy.maxAttempts,
    policy.backoffMs,
    policy.backoffMaxMs,
    policy.attemptTimeoutMs,
    policy.stallTimeoutMs,
    policy.retentionMs,
    policy.onDelete,
    record.startAfter,
    record.deadline,
    record.attempt,
    record.leaseToken,
    ...leaseColumns(lease),
    ...leaseColumns(held),
    record.attemptStartTime,
    record.activityTime,
    progress?.percent ?? null,
    progress?.message ?? null,
    cancel === null ? null : JSON.stringify(cancel),
    ...outcomeColumns(outcome),
    record.doneTime,
    record.deleteTime,
    policy.typeLimit,
    policy.keyLimit,
    record.concurrencyKey,
    record.priority,
    record.supersedeKey,
    record.rerunOf,
    policy.unwatchedMs,
    ...kinValues(record),
  ];
}

/** The values of `kinOperation`, but the timer: the watch deadline, and who belongs to whom. */
export function kinValues(
  record: OperationRecord,
): [watchDeadline: Instant | null, parents: string | null, children: string | null, hasOwnCaller: number] {
  const { parents, children } = record;
  return [
    record.watchDeadline,
    parents.length === 0 ? null : JSON.stringify(parents),
    children === null ? null : JSON.stringify(children),
    flag(record.hasOwnCaller),
  ];
}

/** The columns of a lease, or of what is held: session, begun, guarded. */
export function leaseColumns(lease: Lease | null): [string | null, number | null, number | null] {
  return lease === null ? [null, null, null] : [lease.session, flag(lease.begun), flag(lease.guarded)];
}

/** The columns of an end: outcome, digest, error. */
export function outcomeColumns(
  outcome: OperationOutcome | null,
): [string | null, string | null, string | null] {
  if (outcome === null) return [null, null, null];
  return [outcome.kind, outcome.digest, outcome.kind === "error" ? statusToJson(outcome.status) : null];
}

/** The derived columns, in the order of DERIVED_COLUMNS. */
export function derivedColumns(
  record: OperationRecord,
): [nextTimer: Instant | null, expireTime: Instant | null, startClass: number | null] {
  return [nextTimer(record), expireTime(record), startClass(record)];
}

/** The index in which an operation waits for a worker: 1 where no slot can block it, 2 where one can; null for none. */
export function startClass({ state, lease, held, concurrencyKey, policy }: OperationRecord): number | null {
  if (state !== "PENDING" || lease !== null) return null;
  // What is held has its slots already.
  if (held !== null) return 1;
  return policy.typeLimit > 0 || (policy.keyLimit > 0 && concurrencyKey !== "") ? 2 : 1;
}

/** The values of the statement `updateOperation`: everything that changes while an operation is not done. */
export function updateValues(record: OperationRecord): SqlValue[] {
  const { lease, progress, cancel } = record;
  return [
    record.state,
    record.revision,
    record.updateTime,
    record.startAfter,
    record.attempt,
    record.leaseToken,
    ...leaseColumns(lease),
    record.attemptStartTime,
    record.activityTime,
    progress?.percent ?? null,
    progress?.message ?? null,
    cancel === null ? null : JSON.stringify(cancel),
    nextTimer(record),
    startClass(record),
  ];
}

/** The values of `stepOperation`: what changes while an attempt goes on. */
export function stepValues(record: OperationRecord): SqlValue[] {
  const { progress, cancel } = record;
  return [
    record.state,
    record.revision,
    record.updateTime,
    record.activityTime,
    progress?.percent ?? null,
    progress?.message ?? null,
    cancel === null ? null : JSON.stringify(cancel),
    nextTimer(record),
  ];
}

/** The values of `holdOperation`: those of `updateOperation`, and `held`. */
export function holdValues(record: OperationRecord): SqlValue[] {
  return [...updateValues(record), ...leaseColumns(record.held)];
}

/** The values of `finishOperation`: those of `updateOperation`, and the end. */
export function finishValues(record: OperationRecord): SqlValue[] {
  return [...holdValues(record), ...outcomeColumns(record.outcome), record.doneTime, expireTime(record)];
}

/** The values of `amendOperation`: what may still change once an operation is done (S1). */
export function amendValues(record: OperationRecord): SqlValue[] {
  const { cancel } = record;
  return [
    record.revision,
    record.updateTime,
    cancel === null ? null : JSON.stringify(cancel),
    ...leaseColumns(record.held),
  ];
}

const noParents: readonly ParentLink[] = [];

/** The record of a row; longer rows are fine, the rest is left alone. */
export function rowToRecord(row: OperationRow | StoredRow): OperationRecord {
  const [service, tenant, name, id, parent, type, state, revision, createTime, updateTime] = row;
  const [, , , , , , , , , , createdBy, description] = row;
  const leaseToken = row[27];
  return {
    service,
    tenant,
    name,
    id,
    parent,
    type,
    state: state as OperationState,
    revision,
    createTime,
    updateTime,
    createdBy,
    description,
    policy: rowToPolicy(row),
    priority: row[47],
    concurrencyKey: row[46],
    supersedeKey: row[48],
    rerunOf: row[49],
    watchDeadline: row[51],
    parents: row[52] === null ? noParents : (JSON.parse(row[52]) as ParentLink[]),
    children: row[53] === null ? null : (JSON.parse(row[53]) as ChildCounts),
    hasOwnCaller: row[54] === 1,
    startAfter: row[24],
    deadline: row[25],
    attempt: row[26],
    leaseToken,
    lease: rowToLease(row[28], leaseToken, row[29], row[30]),
    held: rowToLease(row[31], leaseToken, row[32], row[33]),
    attemptStartTime: row[34],
    activityTime: row[35],
    progress: row[36] === null ? null : { percent: row[36], message: row[37] ?? "" },
    cancel: row[38] === null ? null : (JSON.parse(row[38]) as CancelRequest),
    outcome: rowToOutcome(row[39], row[40], row[41]),
    doneTime: row[42],
    deleteTime: row[43],
  };
}

/** Those read last; records are never changed, so that all of one policy can share it. */
let sharedPolicy: OperationPolicy | null = null;

/** One type's operations come in rows: shared, a policy costs a look at 14 numbers, and not 250 bytes for each record. */
function rowToPolicy(row: OperationRow | StoredRow): OperationPolicy {
  if (sharedPolicy !== null && isPolicyOf(row, sharedPolicy)) return sharedPolicy;
  sharedPolicy = {
    cancel: {
      cancellable: row[12] === 1,
      graceMs: row[13],
      criticalMs: row[14],
      cleanupMs: row[15],
      killMs: row[16],
    },
    maxAttempts: row[17],
    backoffMs: row[18],
    backoffMaxMs: row[19],
    attemptTimeoutMs: row[20],
    stallTimeoutMs: row[21],
    retentionMs: row[22],
    onDelete: row[23] as OperationPolicy["onDelete"],
    typeLimit: row[44],
    keyLimit: row[45],
    unwatchedMs: row[50],
  };
  return sharedPolicy;
}

function isPolicyOf(row: OperationRow | StoredRow, policy: OperationPolicy): boolean {
  return (
    isCancelOf(row, policy.cancel) &&
    row[17] === policy.maxAttempts &&
    row[18] === policy.backoffMs &&
    row[19] === policy.backoffMaxMs &&
    row[20] === policy.attemptTimeoutMs &&
    row[21] === policy.stallTimeoutMs &&
    row[22] === policy.retentionMs &&
    row[23] === policy.onDelete &&
    row[44] === policy.typeLimit &&
    row[45] === policy.keyLimit &&
    row[50] === policy.unwatchedMs
  );
}

function isCancelOf(row: OperationRow | StoredRow, cancel: OperationPolicy["cancel"]): boolean {
  return (
    (row[12] === 1) === cancel.cancellable &&
    row[13] === cancel.graceMs &&
    row[14] === cancel.criticalMs &&
    row[15] === cancel.cleanupMs &&
    row[16] === cancel.killMs
  );
}

function rowToLease(
  session: string | null,
  token: number,
  begun: number | null,
  guarded: number | null,
): Lease | null {
  return session === null ? null : { session, token, begun: begun === 1, guarded: guarded === 1 };
}

function rowToOutcome(
  kind: string | null,
  digest: string | null,
  error: string | null,
): OperationOutcome | null {
  if (kind === null || digest === null) return null;
  if (error === null) return { kind: "response", digest };
  return { kind: "error", status: statusFromJson(error), digest };
}

/** The stored operation of a row. */
export function rowToStoredOperation(row: StoredRow): StoredOperation {
  return {
    record: rowToRecord(row),
    response: rowToPayload([row[RESPONSE_AT], row[RESPONSE_AT + 1], row[RESPONSE_AT + 2]] as PayloadRow),
    metadata: rowToPayload([row[METADATA_AT], row[METADATA_AT + 1], row[METADATA_AT + 2]] as PayloadRow),
  };
}

/** The payload of its columns; throws where this version cannot read how it is stored. */
export function rowToPayload([typeUrl, bytes, encoding]: PayloadRow): Payload | null {
  if (typeUrl === null || bytes === null) return null;
  if (encoding !== "") throw new Error(`a payload is stored as ${encoding}, which this version cannot read`);
  return { typeUrl, bytes };
}

/** The labels of a listed row. */
export function rowToLabels(row: ListedRow): Record<string, string> {
  const text = row[LABELS_AT] as string | null;
  return text === null ? {} : (JSON.parse(text) as Record<string, string>);
}

/** What a grant carries beside its record: the last columns of its row. */
export function grantedPayloads(row: readonly (SqlValue | undefined)[]): {
  request: Payload | null;
  checkpoint: Payload | null;
} {
  const [requestType, requestBytes, requestEncoding, ...checkpoint] = row.slice(REQUEST_AT) as [
    ...PayloadRow,
    ...PayloadRow,
  ];
  return {
    request: rowToPayload([requestType, requestBytes, requestEncoding]),
    checkpoint: rowToPayload(checkpoint),
  };
}

/** A status as JSON text; the bytes of its details in base64. */
export function statusToJson(status: StatusValue): string {
  const { code, message, details } = status;
  return JSON.stringify({
    code,
    message,
    details: details.map(({ typeUrl, bytes }) => ({ typeUrl, bytes: Buffer.from(bytes).toString("base64") })),
  });
}

/** Reads what statusToJson wrote. */
export function statusFromJson(text: string): StatusValue {
  const status = JSON.parse(text) as {
    code: number;
    message: string;
    details: { typeUrl: string; bytes: string }[];
  };
  const details = status.details.map(({ typeUrl, bytes }) => ({
    typeUrl,
    bytes: new Uint8Array(Buffer.from(bytes, "base64")),
  }));
  return { code: status.code, message: status.message, details };
}

/** About how many bytes a row is: its texts and blobs, and 8 for each other column. */
export function rowBytes(row: readonly (SqlValue | undefined)[]): number {
  let bytes = 0;
  for (const value of row) {
    bytes += typeof value === "string" ? value.length : value instanceof Uint8Array ? value.byteLength : 8;
  }
  return bytes;
}
