// The end of a cancel: delivered, acknowledged, escalated, stopped with evidence, or not confirmed in time.
import type { Instant } from "../../base/clock.ts";
import { StatusCode } from "../../base/status-code.ts";
import type { CancelPhaseCommand, Refusal, StoppedCommand } from "../commands.ts";
import type {
  AttemptRecord,
  CancelRequest,
  Evidence,
  Mechanism,
  OperationRecord,
  ReceiptEvent,
  StatusValue,
} from "../operation.ts";
import { isDone } from "../operation.ts";
import {
  accept,
  closeAttempt,
  ended,
  failure,
  fence,
  heldFreed,
  refuse,
  status,
  type Transition,
  touched,
  unchanged,
} from "./change.ts";

/** The message of a cancelled operation: who and why, since error.details stay empty on the google and yandex wires. */
export function cancelledStatus(cancel: CancelRequest): StatusValue {
  const by = cancel.requestedBy ? ` by ${cancel.requestedBy}` : "";
  const why = cancel.reason ? `: ${cancel.reason}` : "";
  return status(StatusCode.CANCELLED, `operation cancelled${by}${why}`);
}

export function deadlineStatus(): StatusValue {
  return status(StatusCode.DEADLINE_EXCEEDED, "the operation's deadline passed before it was done");
}

function requestOf(record: OperationRecord): CancelRequest {
  if (record.cancel === null) throw new TypeError("an operation that stops has a cancel");
  return record.cancel;
}

/** How the work is known to have stopped; `digest` is that of the report which said so, for its repetition (S12). */
interface Stop {
  evidence: Evidence;
  mechanism: Mechanism;
  digest?: string;
  attemptOutcome?: AttemptRecord["outcome"];
}

/** CANCELLING -> CANCELLED on evidence; where a deadline was the cause, FAILED with DEADLINE_EXCEEDED. */
export function endedAsStopped(record: OperationRecord, now: Instant, stop: Stop): Transition {
  const { evidence, mechanism, digest = "", attemptOutcome = "CANCELLED" } = stop;
  const request = requestOf(record);
  const cancel = { ...request, stopTime: now, evidence, mechanism };
  const wasCancelled = request.cause === "cancel";
  const state = wasCancelled ? "CANCELLED" : "FAILED";
  const error = wasCancelled ? cancelledStatus(request) : deadlineStatus();
  const receipt: ReceiptEvent[] = [
    { time: now, kind: "STOPPED", detail: `${evidence} by ${mechanism}`, by: record.lease?.session ?? "" },
    { time: now, kind: "ENDED", detail: state, by: "" },
  ];
  return accept(
    { ...ended(record, now, state, { kind: "error", status: error, digest }), cancel },
    { visible: true, receipt, attempts: closeAttempt(record, now, attemptOutcome, error) },
  );
}

/**
 * CANCELLING -> FAILED (UNKNOWN, STOP_UNCONFIRMED): the deadline came without evidence. UNKNOWN because no client
 * retries it by itself. The lease moves to `held`: slot and key stay taken until evidence comes.
 */
export function endedUnconfirmed(record: OperationRecord, now: Instant, why: string): Transition {
  const error = status(StatusCode.UNKNOWN, `STOP_UNCONFIRMED: ${why}; the work may still be running`);
  const receipt: ReceiptEvent[] = [
    { time: now, kind: "UNCONFIRMED", detail: why, by: record.lease?.session ?? "" },
    { time: now, kind: "ENDED", detail: "FAILED", by: "" },
  ];
  return accept(
    { ...ended(record, now, "FAILED", failure(error)), held: record.lease },
    { visible: true, receipt, attempts: closeAttempt(record, now, "CANCELLED", error) },
  );
}

/**
 * Evidence of an attempt that is held. After STOP_UNCONFIRMED the result stands (S1), the receipt learns it, slot and
 * key are free; after a timeout there is no receipt.
 */
export function confirmLate(record: OperationRecord, now: Instant, stop: Stop): Transition {
  if (record.cancel === null) return heldFreed(record, now);
  const { evidence, mechanism } = stop;
  const cancel: CancelRequest = { ...requestOf(record), evidence, mechanism, stopConfirmedTime: now };
  const next = { ...record, ...touched(record, now), held: null, cancel };
  const receipt: ReceiptEvent[] = [
    {
      time: now,
      kind: "CONFIRMED_LATER",
      detail: `${evidence} by ${mechanism}`,
      by: record.held?.session ?? "",
    },
  ];
  return {
    type: "accepted",
    record: next,
    reply: { type: "late", record: next, changed: true },
    effects: { visible: true, receipt },
  };
}

/** True if this worker's attempt is the one of which nobody knows whether it has ended. */
export function isHeldBy(record: OperationRecord, holder: { session: string; token: number }): boolean {
  return record.held?.session === holder.session && record.held.token === holder.token;
}

/** The same evidence again, after a lost reply: OK, nothing changes (S12). Once deleted it is NOT_FOUND. */
function isRepeatedStop(record: OperationRecord, { token, evidence }: StoppedCommand): boolean {
  const isKnown = record.leaseToken === token && record.cancel?.evidence === evidence;
  return isDone(record.state) && record.deleteTime === null && isKnown;
}

/** The worker says that the work stopped. */
export function stopped(
  record: OperationRecord,
  command: StoppedCommand,
  now: Instant,
): Transition | Refusal {
  if (isHeldBy(record, command)) return confirmLate(record, now, command);
  if (isRepeatedStop(record, command)) return unchanged(record);
  const refusal = fence(record, command);
  if (refusal) return refusal;
  if (record.state !== "CANCELLING") return refuse(record, "NOT_CANCELLING");
  return endedAsStopped(record, now, command);
}

const phaseFields = {
  DELIVERED: "deliverTime",
  ACKNOWLEDGED: "acknowledgeTime",
  ESCALATED: "escalateTime",
} as const;

/** How far the worker has come; each phase is noted once. */
export function cancelPhase(
  record: OperationRecord,
  command: CancelPhaseCommand,
  now: Instant,
): Transition | Refusal {
  const refusal = fence(record, command);
  if (refusal) return refusal;
  if (record.state !== "CANCELLING") return refuse(record, "NOT_CANCELLING");
  const request = requestOf(record);
  const field = phaseFields[command.phase];
  if (request[field] !== null) return unchanged(record);
  const receipt: ReceiptEvent[] = [
    { time: now, kind: command.phase, detail: command.detail, by: command.session },
  ];
  const cancel = { ...request, [field]: now };
  return accept({ ...record, ...touched(record, now), cancel }, { visible: true, receipt });
}
