// What time alone does: overall deadline, attempt timeout, stall timeout, cancel deadline.
import type { Instant } from "../../base/clock.ts";
import { StatusCode } from "../../base/status-code.ts";
import { nextTimer, type OperationRecord, type ReceiptEvent } from "../operation.ts";
import { cancelRequestOf } from "./cancel.ts";
import {
  accept,
  closeAttempt,
  ended,
  failure,
  mayRunAgain,
  requeuedHeld,
  status,
  type Transition,
  touched,
  unchanged,
} from "./change.ts";
import { deadlineStatus, endedUnconfirmed } from "./stop.ts";

/** Applies the timer that is due, if one is. */
export function tick(record: OperationRecord, now: Instant): Transition {
  const timer = nextTimer(record);
  if (timer === null || timer > now) return unchanged(record);
  if (record.state === "CANCELLING") {
    return endedUnconfirmed(record, now, "the cancel deadline passed without evidence that the work stopped");
  }
  const overdue = record.deadline !== null && record.deadline <= now;
  if (record.state === "PENDING") {
    return accept(ended(record, now, "FAILED", failure(deadlineStatus())), { visible: true });
  }
  return overdue ? stopAtDeadline(record, now) : timeOut(record, now);
}

/** The overall deadline acts like a cancel: the work is told to stop, and evidence is awaited. */
function stopAtDeadline(record: OperationRecord, now: Instant): Transition {
  const cancel = cancelRequestOf(record, now, {
    cause: "deadline",
    requestedBy: "",
    reason: "deadline",
    origin: "deadline",
    graceMs: null,
  });
  const receipt: ReceiptEvent[] = [{ time: now, kind: "REQUESTED", detail: "deadline", by: "" }];
  return accept(
    { ...record, ...touched(record, now), state: "CANCELLING", cancel },
    { visible: true, receipt },
  );
}

/**
 * Attempt or stall timeout: the lease is taken away, so whatever result the attempt still reports is refused. Its work may
 * not heed that, so the lease is held until the attempt is known to have ended:
 *
 *   timeout -> PENDING, an inline handler runs on -> cancel. Without `held` it would be answered NEVER_STARTED (G2).
 */
function timeOut(record: OperationRecord, now: Instant): Transition {
  const { attemptTimeoutMs, stallTimeoutMs } = record.policy;
  const ranOut = (record.attemptStartTime ?? 0) + attemptTimeoutMs * 1000 <= now;
  const why = ranOut
    ? `ran longer than ${attemptTimeoutMs} ms`
    : `showed no progress for ${stallTimeoutMs} ms`;
  const error = status(
    StatusCode.DEADLINE_EXCEEDED,
    `attempt ${record.attempt} of ${record.policy.maxAttempts} ${why}`,
  );
  const attempts = closeAttempt(record, now, "TIMED_OUT", error);
  const next = mayRunAgain(record)
    ? requeuedHeld(record, now)
    : { ...ended(record, now, "FAILED", failure(error)), held: record.lease };
  return accept(next, { visible: true, attempts });
}
