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
}

/** Why we know that the work stopped. */
export type Evidence =
  | "NEVER_STARTED"
  | "HANDLER_STOPPED"
  | "THREAD_TERMINATED"
  | "PROCESS_EXITED"
  | "LEASE_EXPIRED";

/** What made the work stop. */
export type Mechanism = "NONE" | "SIGNAL" | "TERMINATE" | "SIGTERM" | "SIGKILL" | "LEASE";

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

/** A committed cancel, or a deadline that acts like one. Set once, never reset. */
export interface CancelRequest {
  cause: "cancel" | "deadline";
  requestedBy: string;
  reason: string;
  /** Where it came in: `google/grpc`, `native/rest`, `deadline`, ... */
  origin: string;
  requestTime: Instant;
  /** When the worker escalates; only ever moves earlier. */
  graceEndTime: Instant;
  /** When the operation ends with or without evidence; only ever moves earlier. */
  deadline: Instant;
  deliverTime: Instant | null;
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
    | "ACKNOWLEDGED"
    | "ESCALATED"
    | "STOPPED"
    | "ENDED"
    | "UNCONFIRMED"
    | "CONFIRMED_LATER";
  detail: string;
  by: string;
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
  if (record.state === "PENDING") return record.deadline;
  if (record.state === "CANCELLING") return record.cancel?.deadline ?? null;
  if (record.state !== "RUNNING") return null;
  const { attemptTimeoutMs, stallTimeoutMs } = record.policy;
  let timer = (record.attemptStartTime ?? 0) + attemptTimeoutMs * 1000;
  if (stallTimeoutMs > 0) timer = Math.min(timer, (record.activityTime ?? 0) + stallTimeoutMs * 1000);
  if (record.deadline !== null) timer = Math.min(timer, record.deadline);
  return timer;
}
