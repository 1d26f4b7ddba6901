// What time alone does: overall deadline, watch deadline, attempt timeout, stall timeout, cancel deadline.
import type { Instant } from "../../base/clock.ts";
import { StatusCode } from "../../base/status-code.ts";
import type { CancelCommand } from "../commands.ts";
import { nextTimer, type OperationRecord } from "../operation.ts";
import { cancelOperation } from "./cancel.ts";
import { askedByRule, askedEvent, cancelRequestOf } from "./cancel-request.ts";
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
import { deadlineStatus } from "./settle.ts";
import { endedUnconfirmed, isAwaitingChildren } from "./stop.ts";

/** Applies the timer that is due, if one is. */
export function tick(record: OperationRecord, now: Instant): Transition {
  const timer = nextTimer(record);
  if (timer === null || timer > now) return unchanged(record);
  if (record.state === "CANCELLING") return cancelDeadline(record, now);
  const overdue = record.deadline !== null && record.deadline <= now;
  if (record.state === "PENDING" && overdue) {
    return accept(ended(record, now, "FAILED", failure(deadlineStatus())), { visible: true });
  }
  if (overdue) return stopAtDeadline(record, now);
  const unwatched = record.watchDeadline !== null && record.watchDeadline <= now;
  return unwatched ? stopUnwatched(record, now) : timeOut(record, now);
}

function cancelDeadline(record: OperationRecord, now: Instant): Transition {
  const why = isAwaitingChildren(record)
    ? `${record.children?.awaited} of its children had not ended by the cancel deadline`
    : "the cancel deadline passed without evidence that the work stopped";
  return endedUnconfirmed(record, now, why);
}

/** The overall deadline acts like a cancel: the work is told to stop, and evidence is awaited. */
function stopAtDeadline(record: OperationRecord, now: Instant): Transition {
  const ask = askedByRule("deadline", "deadline");
  const cancel = cancelRequestOf(record, now, ask);
  const receipt = [askedEvent("REQUESTED", now, ask, ask.reason)];
  return accept(
    { ...record, ...touched(record, now), state: "CANCELLING", cancel },
    { visible: true, receipt },
  );
}

/** Nobody has watched for as long as the policy says: cancelled, as if a caller had asked. */
function stopUnwatched(record: OperationRecord, now: Instant): Transition {
  const ask = askedByRule("unwatched", `nobody watched for ${record.policy.unwatchedMs} ms`);
  const { service, tenant, name } = record;
  const command: CancelCommand = {
    ...ask,
    cause: "unwatched",
    type: "cancel",
    key: { service, tenant, name },
    ifRevision: null,
    includeDeleted: true,
  };
  const cancelled = cancelOperation(record, command, now);
  // A rule is refused nothing: neither "deleted" nor "not cancellable" holds it back.
  return cancelled.type === "refused" ? unchanged(record) : accept(cancelled.record, cancelled.effects);
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
