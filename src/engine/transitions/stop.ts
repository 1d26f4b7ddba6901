// How a cancel comes to its end: delivered, deferred, acknowledged, escalated, stopped with evidence, or not confirmed in time.
import type { Instant } from "../../base/clock.ts";
import type { CancelPhaseCommand, Refusal, StoppedCommand } from "../commands.ts";
import type {
  AttemptRecord,
  CancelRequest,
  Evidence,
  Mechanism,
  OperationRecord,
  ReceiptEvent,
} from "../operation.ts";
import { isDone } from "../operation.ts";
import { withSteps } from "./cancel-steps.ts";
import {
  accept,
  closeAttempt,
  ended,
  failure,
  fence,
  heldFreed,
  refuse,
  type Transition,
  touched,
  unchanged,
} from "./change.ts";
import { requestOf, settled, stopStatus, unconfirmedStatus } from "./settle.ts";

/** How the work is known to have stopped; `digest` is that of the report which said so, for its repetition (S12). */
interface Stop {
  evidence: Evidence;
  mechanism: Mechanism;
  digest?: string;
  /** What went wrong with the clean-up. */
  cleanUp?: string;
  attemptOutcome?: AttemptRecord["outcome"];
  /** What the receipt learns of the steps before. */
  told?: readonly ReceiptEvent[];
}

function stopText({ evidence, mechanism, cleanUp }: Stop): string {
  const how = `${evidence} by ${mechanism}`;
  return cleanUp === undefined ? how : `${how}; ${cleanUp}`;
}

/** The work of a CANCELLING operation stopped, with evidence: CANCELLED, or DEADLINE_EXCEEDED; after its children if it has any. */
export function endedAsStopped(record: OperationRecord, now: Instant, stop: Stop): Transition {
  const { evidence, mechanism, digest, attemptOutcome = "CANCELLED", told = [] } = stop;
  const request = requestOf(record);
  const cancel = { ...request, stopTime: now, evidence, mechanism };
  const receipt: ReceiptEvent[] = [
    ...told,
    { time: now, kind: "STOPPED", detail: stopText(stop), by: record.lease?.session ?? "" },
  ];
  const attempts = closeAttempt(record, now, attemptOutcome, stopStatus(request));
  return settled({ ...record, lease: null, cancel }, now, { receipt, attempts }, { digest: digest ?? "" });
}

/**
 * CANCELLING -> FAILED (UNKNOWN, STOP_UNCONFIRMED): the deadline came without evidence. UNKNOWN because no client
 * retries it by itself. The lease moves to `held`: slot and key stay taken until evidence comes.
 */
export function endedUnconfirmed(record: OperationRecord, now: Instant, why: string): Transition {
  const error = unconfirmedStatus(why);
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
 * key are free; after a timeout there is no receipt. The stop as a whole is confirmed once the children's are, too.
 */
export function confirmLate(
  record: OperationRecord,
  now: Instant,
  stop: Stop,
  event?: ReceiptEvent,
): Transition {
  if (record.cancel === null) return heldFreed(record, now);
  const { evidence, mechanism } = stop;
  const { awaited = 0, unconfirmed = 0 } = record.children ?? {};
  const stopConfirmedTime = awaited + unconfirmed === 0 ? now : null;
  const cancel: CancelRequest = { ...record.cancel, evidence, mechanism, stopConfirmedTime };
  const next = { ...record, ...touched(record, now), held: null, cancel };
  const late: ReceiptEvent = {
    time: now,
    kind: "CONFIRMED_LATER",
    detail: stopText(stop),
    by: record.held?.session ?? "",
  };
  return {
    type: "accepted",
    record: next,
    reply: { type: "late", record: next, changed: true },
    effects: { visible: true, receipt: [event ?? late] },
  };
}

/** True if this worker's attempt is the one of which nobody knows whether it has ended. */
export function isHeldBy(record: OperationRecord, holder: { session: string; token: number }): boolean {
  return record.held?.session === holder.session && record.held.token === holder.token;
}

/** Its own work has stopped, and it waits for its children. */
export function isAwaitingChildren(record: OperationRecord): boolean {
  return record.state === "CANCELLING" && record.lease === null;
}

/** The same evidence again, after a lost reply: OK, nothing changes (S12). Once deleted and done it is NOT_FOUND. */
export function isRepeatedStop(
  record: OperationRecord,
  { token, evidence }: Pick<StoppedCommand, "token" | "evidence">,
): boolean {
  const isKnown = record.leaseToken === token && record.cancel?.evidence === evidence;
  if (isAwaitingChildren(record)) return isKnown;
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
  const told = withSteps(record, command, now);
  return endedAsStopped(told.record, now, { ...command, told: told.receipt });
}

/** How far the worker has come. */
export function cancelPhase(
  record: OperationRecord,
  command: CancelPhaseCommand,
  now: Instant,
): Transition | Refusal {
  const refusal = fence(record, command);
  if (refusal) return refusal;
  if (record.state !== "CANCELLING") return refuse(record, "NOT_CANCELLING");
  const told = withSteps(record, { ...command, steps: [...(command.steps ?? []), command] }, now);
  if (told.record === record) return unchanged(record);
  const { cancel } = told.record;
  return accept({ ...record, ...touched(record, now), cancel }, { visible: true, receipt: told.receipt });
}
