// What every transition is made of: a change, an acceptance without change, a refusal, an end.
import type { Instant } from "../../base/clock.ts";
import { StatusCode } from "../../base/status-code.ts";
import type { Refusal, RefusalReason, Reply } from "../commands.ts";
import {
  type AttemptRecord,
  isDone,
  type OperationOutcome,
  type OperationRecord,
  type OperationState,
  type Payload,
  type PayloadKind,
  type ReceiptEvent,
  type StatusValue,
} from "../operation.ts";
import { isStandIn } from "../stand-in.ts";

/** The rows beside the operation's own that a transition writes. */
export interface Effects {
  /** True if clients can see the change: revision and updateTime moved, and the feed gets one event. */
  visible: boolean;
  payloads?: readonly { kind: PayloadKind; payload: Payload }[];
  attempts?: readonly AttemptRecord[];
  receipt?: readonly ReceiptEvent[];
}

/** An accepted command. */
export interface Transition {
  type: "accepted";
  record: OperationRecord;
  reply: Reply;
  effects: Effects;
}

const nothing: Effects = { visible: false };

/** A visible change: revision +1, updateTime never turned back by a clock step (S13). */
export function touched(
  record: OperationRecord,
  now: Instant,
): Pick<OperationRecord, "revision" | "updateTime"> {
  return { revision: record.revision + 1, updateTime: Math.max(record.updateTime + 1, now) };
}

/** Accepts with a changed record. */
export function accept(record: OperationRecord, effects: Effects): Transition {
  return { type: "accepted", record, reply: { type: "operation", record, changed: true }, effects };
}

/** Accepts and changes nothing: a repeated report, a late no-op. */
export function unchanged(record: OperationRecord): Transition {
  return {
    type: "accepted",
    record,
    reply: { type: "operation", record, changed: false },
    effects: nothing,
  };
}

export function refuse(record: OperationRecord, reason: RefusalReason): Refusal {
  return { type: "refused", reason, record };
}

/**
 * The fence (S9): a worker's write counts only with the lease token of the running attempt.
 *
 * Stale completion: w1's lease expires -> w2 is granted token 2 -> w1 wakes and completes with token 1.
 * Without this check w1 would overwrite w2's work; tokens only grow, so an old one can never match again.
 */
export function fence(
  record: OperationRecord,
  holder: { session: string; token: number },
  options: { begun: boolean } = { begun: true },
): Refusal | null {
  if (isDone(record.state)) return refuse(record, record.deleteTime === null ? "ALREADY_DONE" : "NOT_FOUND");
  const { lease } = record;
  if (lease === null || lease.session !== holder.session || lease.token !== holder.token) {
    return refuse(record, "LEASE_LOST");
  }
  if (options.begun && !lease.begun) return refuse(record, "NOT_BEGUN");
  return null;
}

/** Closes the running attempt. One that was taken away, or has stopped, is closed already. */
export function closeAttempt(
  record: OperationRecord,
  now: Instant,
  outcome: AttemptRecord["outcome"],
  error: StatusValue | null,
): AttemptRecord[] {
  const { attempt, lease, attemptStartTime: startTime } = record;
  if (startTime === null) return [];
  return [{ attempt, session: lease?.session ?? "", startTime, endTime: now, outcome, error }];
}

/** The one place where an operation ends: state, outcome and doneTime are set together, the lease is dropped. */
export function ended(
  record: OperationRecord,
  now: Instant,
  state: Extract<OperationState, "SUCCEEDED" | "FAILED" | "CANCELLED">,
  outcome: OperationOutcome,
): OperationRecord {
  const change = touched(record, now);
  return {
    ...record,
    ...change,
    state,
    outcome,
    doneTime: change.updateTime,
    lease: null,
    cancel: record.cancel && { ...record.cancel, deferredBy: null },
  };
}

function backoffEnd(record: OperationRecord, now: Instant): Instant {
  const { backoffMs, backoffMaxMs } = record.policy;
  return now + Math.min(backoffMs * 2 ** Math.max(0, record.attempt - 1), backoffMaxMs) * 1000;
}

/** Back to PENDING, with backoff after a failure; the attempts used stay used. */
export function requeued(record: OperationRecord, now: Instant, backoff: boolean): OperationRecord {
  return {
    ...record,
    ...touched(record, now),
    state: "PENDING",
    lease: null,
    attemptStartTime: null,
    activityTime: null,
    progress: null,
    startAfter: backoff ? backoffEnd(record, now) : now,
  };
}

/**
 * Back to PENDING while the attempt's work may still run: `held` says whose. The next attempt waits for evidence, at
 * most as long as an attempt may take (L3); it then runs beside what may be left of the old one (at least once).
 */
export function requeuedHeld(record: OperationRecord, now: Instant): OperationRecord {
  const next = requeued(record, now, true);
  // Its attempts run nothing themselves: the next one waits for the same child, and nothing is done twice. Held all the
  // same, so that no cancel takes it for one that has nothing running.
  if (isStandIn(record)) return { ...next, held: record.lease };
  const givenUp = now + record.policy.attemptTimeoutMs * 1000;
  return { ...next, held: record.lease, startAfter: Math.max(next.startAfter, givenUp) };
}

/**
 * The attempt that was still held has ended, and there is no cancel whose receipt would want to know. The result, or
 * PENDING, stands; the backoff of the next attempt counts from here.
 */
export function heldFreed(record: OperationRecord, now: Instant): Transition {
  const startAfter =
    record.state === "PENDING" ? Math.min(record.startAfter, backoffEnd(record, now)) : record.startAfter;
  const next = { ...record, ...touched(record, now), held: null, startAfter };
  return {
    type: "accepted",
    record: next,
    reply: { type: "late", record: next, changed: true },
    effects: { visible: true },
  };
}

export function mayRunAgain(record: OperationRecord): boolean {
  return record.attempt < record.policy.maxAttempts && record.cancel === null;
}

export function status(code: number, message: string): StatusValue {
  return { code, message, details: [] };
}

/** A failed operation's outcome. CANCELLED is ours to give: a handler's own code 1 becomes UNKNOWN (S7). */
export function failure(error: StatusValue, digest = ""): OperationOutcome {
  const code =
    error.code === StatusCode.CANCELLED || error.code === StatusCode.OK ? StatusCode.UNKNOWN : error.code;
  return { kind: "error", status: { ...error, code }, digest };
}
