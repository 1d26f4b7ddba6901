// The operation as the engine knows it: plain data, no protobuf, no functions. It crosses threads and is stored as it is.
import type { Instant } from "../base/clock.ts";

export type OperationState = "PENDING" | "RUNNING" | "CANCELLING" | "SUCCEEDED" | "FAILED" | "CANCELLED";

export const operationStates: readonly OperationState[] = [
  "PENDING",
  "RUNNING",
  "CANCELLING",
  "SUCCEEDED",
  "FAILED",
  "CANCELLED",
];

/** True for the three final states. */
export function isDone(state: OperationState): boolean {
  return state === "SUCCEEDED" || state === "FAILED" || state === "CANCELLED";
}

/** What identifies an operation. Every row, index, token and call carries all three. */
export interface OperationKey {
  service: string;
  tenant: string;
  /** For instance `operations/opr0mh...` or `projects/p/locations/l/operations/opr0mh...`. */
  name: string;
}

/** Bytes with their type, as in google.protobuf.Any. The engine never looks inside. */
export interface Payload {
  typeUrl: string;
  bytes: Uint8Array;
}

/** google.rpc.Status as data. */
export interface StatusValue {
  code: number;
  message: string;
  details: readonly Payload[];
}

/** How a cancel of an operation proceeds; resolved when it starts, stored with it. Durations in milliseconds. */
export interface CancelPolicy {
  cancellable: boolean;
  /** How long the handler may take by itself before the worker escalates. */
  graceMs: number;
  /** The longest critical section that may delay the abort. */
  criticalMs: number;
  /** How long clean-up may take after the handler stopped. */
  cleanupMs: number;
  /** How long the escalation may take (SIGTERM to SIGKILL, terminate). */
  killMs: number;
}

/** How an operation runs; resolved when it starts, stored with it. Durations in milliseconds. */
export interface OperationPolicy {
  cancel: CancelPolicy;
  /** 1 means at most once: a lost worker ends it with ABORTED. */
  maxAttempts: number;
  /** The delay before attempt n+1 is backoffMs * 2^(n-1), at most backoffMaxMs. */
  backoffMs: number;
  backoffMaxMs: number;
  /** Each attempt's longest run. */
  attemptTimeoutMs: number;
  /** The longest time without progress or checkpoint; 0 means no limit. */
  stallTimeoutMs: number;
  /** How long a done operation is kept. */
  retentionMs: number;
  onDelete: "keep" | "cancel" | "refuse";
  /** How many operations of this type may run at once for one (service, tenant), on all workers; 0 means no limit. */
  typeLimit: number;
  /** How many of this type and concurrency key may run at once; 0 means no limit. */
  keyLimit: number;
  /** Cancelled when nobody has watched or waited for this long; 0: it runs on unwatched. */
  unwatchedMs: number;
}

/** What becomes of a child when its parent is cancelled or ends. */
export type ChildPolicy =
  /** It is cancelled too, and a cancelled parent ends after it. */
  | "cancel"
  /** It runs on, and nobody waits. */
  | "abandon"
  /** It runs on, and a cancelled parent ends after it. Such a child has a deadline of its own. */
  | "wait";

/** One of the operations that started, or share, a child. They are of the child's tenant. */
export interface ParentLink {
  service: string;
  name: string;
  policy: ChildPolicy;
  /** The parent ended, or was cancelled while others still want the child: it is no concern of this child any more. */
  detached: boolean;
}

/** What a parent must know of its children to settle last. */
export interface ChildCounts {
  /** All that were ever started. */
  started: number;
  /** Those that have not ended with all that they themselves await, are not detached and have the policy cancel or wait. */
  awaited: number;
  /** Those that ended, and of which it is not known whether they (and their own) stopped. */
  unconfirmed: number;
  /** Some of the unconfirmed, for people; absent for none. */
  unconfirmedNames?: readonly string[];
  /** The longest time that a child (with its own children) may take to stop, in milliseconds: part of the deadline (G3). */
  stopMs: number;
}

/** Why we know that the work stopped. */
export type Evidence =
  /** An operator's word, given by the override. */
  "OPERATOR" | "NEVER_STARTED" | "HANDLER_STOPPED" | "THREAD_TERMINATED" | "PROCESS_EXITED" | "LEASE_EXPIRED";

/** What made the work stop. */
export type Mechanism = "NONE" | "SIGNAL" | "TERMINATE" | "SIGTERM" | "SIGKILL" | "LEASE" | "OVERRIDE";

/** A worker's hold on an operation. */
export interface Lease {
  session: string;
  /** The fencing number of this grant; grows with each grant. */
  token: number;
  /** False while the operation is only reserved (prefetched): its work has not begun. */
  begun: boolean;
  /** True if the work cannot outlive its lease (design: watchdog, supervisor). */
  guarded: boolean;
}

/**
 * Who or what asked: a caller; the overall deadline; the cancel or end of the parent; a newer operation with the same
 * supersede key; nobody watching. All but the deadline end as CANCELLED.
 */
export type CancelCause = "cancel" | "deadline" | "parent" | "superseded" | "unwatched";

/** A committed cancel, or a deadline that acts like one. Set once, never reset. */
export interface CancelRequest {
  cause: CancelCause;
  requestedBy: string;
  /** For whom the caller said it acts, or "". */
  onBehalfOf: string;
  /** The id of the request that asked, as in the server's logs; "" for a rule. */
  requestId: string;
  /** No grace and no critical section: the worker uses force at once. */
  force: boolean;
  reason: string;
  /** Where it came in: `google/grpc`, `native/rest`, `deadline`, ... */
  origin: string;
  requestTime: Instant;
  /** When the worker escalates; only ever moves earlier. */
  graceEndTime: Instant;
  /** When the operation ends with or without evidence; only ever moves earlier. */
  deadline: Instant;
  deliverTime: Instant | null;
  /** The critical section that holds the abort back, as its handler named it; null when none does (any more). */
  deferredBy: string | null;
  acknowledgeTime: Instant | null;
  escalateTime: Instant | null;
  stopTime: Instant | null;
  evidence: Evidence | null;
  mechanism: Mechanism | null;
  /** Evidence that came after the operation had ended as STOP_UNCONFIRMED. */
  stopConfirmedTime: Instant | null;
}

export interface Progress {
  /** 0-100. */
  percent: number;
  message: string;
}

/** How an operation ended. The response's bytes live in the payloads table under kind "response". */
export type OperationOutcome =
  | { kind: "response"; digest: string }
  | { kind: "error"; status: StatusValue; digest: string };

/** The hot row of an operation. */
export interface OperationRecord extends OperationKey {
  id: string;
  /** `""` for `operations/{id}`. */
  parent: string;
  type: string;
  state: OperationState;
  /** +1 for every visible change; the etag. */
  revision: number;
  createTime: Instant;
  updateTime: Instant;
  createdBy: string;
  description: string;
  policy: OperationPolicy;
  /** Higher ones start first; -100 to 100, 0 unless asked for. */
  priority: number;
  /** Operations of one type with the same key share policy.keyLimit; "" has no key. */
  concurrencyKey: string;
  /** A later start with the same key (and type and parent) cancels this one; "" has no key. */
  supersedeKey: string;
  /** The operation of which this one is a rerun, or "". */
  rerunOf: string;
  /** When it is cancelled unless somebody watches; null where policy.unwatchedMs is 0. */
  watchDeadline: Instant | null;
  /** Its parents; several where the child is shared. */
  parents: readonly ParentLink[];
  /** True if it was started by somebody else than its parents too: the end of all parents does not cancel it. */
  hasOwnCaller: boolean;
  /** null as long as it has started no children. */
  children: ChildCounts | null;
  /** Not before this instant: start delay, retry backoff. */
  startAfter: Instant;
  /** The operation's overall deadline. */
  deadline: Instant | null;
  /** Attempts begun; never more than policy.maxAttempts. */
  attempt: number;
  /** The last lease token granted. */
  leaseToken: number;
  lease: Lease | null;
  /**
   * The lease of an attempt that was taken away and may still run: its slot and key stay held until evidence comes.
   * Set by STOP_UNCONFIRMED, by a timeout, and by the loss of a worker that was not guarded; never beside a lease.
   */
  held: Lease | null;
  attemptStartTime: Instant | null;
  /** The last progress or checkpoint of the attempt, or its start. */
  activityTime: Instant | null;
  progress: Progress | null;
  cancel: CancelRequest | null;
  outcome: OperationOutcome | null;
  doneTime: Instant | null;
  /** A tombstone for clients. */
  deleteTime: Instant | null;
}

export type PayloadKind = "request" | "response" | "metadata" | "checkpoint";

/** An ended attempt. */
export interface AttemptRecord {
  attempt: number;
  session: string;
  startTime: Instant;
  endTime: Instant;
  outcome: "SUCCEEDED" | "FAILED" | "RETRIED" | "LEASE_EXPIRED" | "RELEASED" | "CANCELLED" | "TIMED_OUT";
  error: StatusValue | null;
}

/** One line of a receipt. */
export interface ReceiptEvent {
  time: Instant;
  kind:
    | "REQUESTED"
    | "REPEATED"
    | "DELIVERED"
    /** A critical section holds the abort back. */
    | "DEFERRED"
    /** The critical section did not end in its time, and was not waited for. */
    | "CUT"
    | "ACKNOWLEDGED"
    | "ESCALATED"
    /** A child: that it was told to stop, was left alone, or has ended. Its name is in the detail. */
    | "CHILD"
    | "STOPPED"
    | "ENDED"
    | "UNCONFIRMED"
    | "CONFIRMED_LATER"
    /** An operator said that the work is gone. */
    | "OVERRIDDEN";
  detail: string;
  /** A principal, or the session of a worker. */
  by: string;
  /** For whom `by` said it acts; absent for nobody. */
  onBehalfOf?: string;
  /** Of a caller's request; absent elsewhere. */
  requestId?: string;
}

/** An operation as it is read: the hot row, and what a reader asked for beside it. */
export interface StoredOperation {
  record: OperationRecord;
  /** Set when the operation ended with a response. */
  response: Payload | null;
  /** The declared metadata, if the service has any. */
  metadata: Payload | null;
}

/** Everything that is known of an operation; what the native surface shows. */
export interface OperationDetail extends StoredOperation {
  labels: Readonly<Record<string, string>>;
  request: Payload | null;
  checkpoint: Payload | null;
  attempts: readonly AttemptRecord[];
}

/** The durable record of a cancel. It is kept when the operation itself is purged. */
export interface StoredReceipt extends OperationKey {
  type: string;
  cancel: CancelRequest;
  /** The final state, once there is one. */
  outcome: OperationState | null;
  doneTime: Instant | null;
  attempt: number;
  session: string;
  checkpoint: Payload | null;
  events: readonly ReceiptEvent[];
}

/** The next instant at which time alone changes this operation, or null. */
export function nextTimer(record: OperationRecord): Instant | null {
  const { state, deadline, watchDeadline, policy } = record;
  if (isDone(state)) return null;
  if (state === "CANCELLING") return record.cancel?.deadline ?? null;
  const timers = [deadline, watchDeadline].filter((timer) => timer !== null);
  if (state === "RUNNING") {
    timers.push((record.attemptStartTime ?? 0) + policy.attemptTimeoutMs * 1000);
    if (policy.stallTimeoutMs > 0) timers.push((record.activityTime ?? 0) + policy.stallTimeoutMs * 1000);
  }
  return timers.length === 0 ? null : Math.min(...timers);
}

/**
 * What the cancel of a parent asks of its children beyond their own policies: force, or the end of a grace that was made
 * shorter than the parent's policy has it (null: it was not; with force there is none).
 */
export interface Urgency {
  force: boolean;
  graceEndTime: Instant | null;
}

export function urgencyOf({ cancel, policy }: Pick<OperationRecord, "cancel" | "policy">): Urgency {
  if (cancel === null || cancel.force) return { force: cancel !== null, graceEndTime: null };
  const isCut = cancel.graceEndTime < cancel.requestTime + policy.cancel.graceMs * 1000;
  return { force: false, graceEndTime: isCut ? cancel.graceEndTime : null };
}

/** True if the cancel of a child is gentler than its closed parent's asks for. */
export function isGentler(cancel: CancelRequest, { force, graceEndTime }: Urgency): boolean {
  if (cancel.force) return false;
  return force || (graceEndTime !== null && cancel.graceEndTime > Math.max(graceEndTime, cancel.requestTime));
}
