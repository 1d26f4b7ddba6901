// What must hold of a cancel: it is durable, honest, bounded, and only ever becomes stricter.

import { StatusCode } from "../../base/status-code.ts";
import type { CancelCommand, OperationCommand } from "../commands.ts";
import type { CancelRequest, OperationRecord } from "../operation.ts";
import { done, errorCode, isBegun, isHolder, isSame, isWaiting, type Step } from "./step.ts";

const asked = [
  "cause",
  "requestedBy",
  "onBehalfOf",
  "requestId",
  "reason",
  "origin",
  "requestTime",
] as const satisfies readonly (keyof CancelRequest)[];

export function cancelIsDurable({ before, command, outcome, after, history }: Step): string | null {
  if (after === null) return null;
  if (history.cancelAcknowledged && after.cancel === null) return "an acknowledged cancel is forgotten";
  const acknowledged = command.type === "cancel" && outcome.type === "cancel";
  if (acknowledged && !done(before) && after.cancel === null)
    return "the cancel was acknowledged and not stored";
  if (!before?.cancel) return null;
  for (const field of asked) {
    if (before.cancel[field] !== after.cancel?.[field]) return `the cancel's ${field} changed`;
  }
  return before.cancel.force && !after.cancel?.force ? "a forced cancel is forced no more" : null;
}

export function lateCancelChangesNothing({ before, command, outcome, after }: Step): string | null {
  if (command.type !== "cancel" || !before) return null;
  if (done(before)) return after === before ? null : "a cancel changed a done operation";
  if (before.state !== "CANCELLING" || outcome.type !== "cancel") return null;
  if (outcome.verdict !== "ALREADY_STOPPING") return `a repeated cancel was answered ${outcome.verdict}`;
  if (after === before || !after?.cancel || !before.cancel) return null;
  const isShorter = command.graceMs !== null && after.cancel.graceEndTime < before.cancel.graceEndTime;
  const isForced = command.force && !before.cancel.force && after.cancel.force;
  return isShorter || isForced ? null : "a repeated cancel changed the operation without escalating it";
}

/** The caller said which revision it has seen. */
export function revisionIsHeeded({ before, command, outcome, after }: Step): string | null {
  if (command.type !== "cancel" || command.ifRevision === null || before === null) return null;
  if (command.ifRevision === before.revision) return null;
  if (after !== before) return `a cancel of revision ${command.ifRevision} changed ${before.revision}`;
  return outcome.type === "refused" ? null : "a cancel of another revision was accepted";
}

export function noFalseCancelled({ before, command, now, after }: Step): string | null {
  if (after === null || done(before)) return null;
  const isCancelled = after.state === "CANCELLED";
  if (done(after) && isCancelled !== (errorCode(after) === StatusCode.CANCELLED)) {
    return `${after.state} with error code ${errorCode(after)}`;
  }
  if (isCancelled && (after.cancel === null || after.cancel.cause === "deadline"))
    return "CANCELLED without a cancel";
  const isUnwatched = command.type === "tick" && (before?.watchDeadline ?? now + 1) <= now;
  const isAsked = command.type === "cancel" || command.type === "delete" || isUnwatched;
  if (isCancelled && !before?.cancel && !isAsked) return "CANCELLED, and no cancel was committed before";
  const finished = command.type === "complete" && isBegun(before) && isHolder(before?.lease, command);
  return finished && after.state !== "SUCCEEDED" ? "a success with a live lease did not win" : null;
}

export function noRerunAfterCancel({ before, command, after }: Step): string | null {
  if (!before?.cancel || after === null) return null;
  if (after.state === "PENDING" || after.state === "RUNNING") return `${after.state} with a cancel set`;
  const granted = after.lease !== null && before.lease?.token !== after.lease.token;
  return granted ? `${command.type} granted a lease with a cancel set` : null;
}

export function evidenceFirst({ before, command, outcome, after, history }: Step): string | null {
  if (after === null) return null;
  const evidence = after.cancel?.evidence ?? null;
  if (after.state === "CANCELLED" && evidence === null) return "CANCELLED without evidence";
  const old = before?.cancel?.evidence ?? null;
  if (evidence === old) return null;
  if (old !== null) return `evidence ${old} became ${evidence}`;
  switch (evidence) {
    case "NEVER_STARTED":
      return isBegun(before) || history.open ? "NEVER_STARTED of an attempt that began" : null;
    case "OPERATOR": {
      const isSaid = command.type === "override" && before?.held && outcome.type === "operation";
      return isSaid ? null : "OPERATOR without an operator's word on held work";
    }
    case "LEASE_EXPIRED": {
      const lease = before?.lease ?? before?.held;
      const expired =
        command.type === "expireLease" && command.session === lease?.session && !command.survived;
      return expired && lease?.guarded
        ? null
        : "LEASE_EXPIRED of an attempt that may have outlived its lease";
    }
    default: {
      const reported = isHolder(before?.lease, command) || isHolder(before?.held, command);
      return reported ? null : `${evidence} was not reported by the holder`;
    }
  }
}

/** The cancel's longest time by its policy, in milliseconds. */
function longestMs({ policy, children }: OperationRecord, command: OperationCommand): number {
  const { graceMs, criticalMs, cleanupMs, killMs } = policy.cancel;
  const ask: Partial<CancelCommand> = command.type === "cancel" ? command : {};
  const gentle = ask.force ? 0 : (ask.graceMs ?? graceMs) + criticalMs;
  return Math.max(gentle + cleanupMs + killMs, children?.stopMs ?? 0);
}

export function stopIsBounded({ before, command, now, after }: Step): string | null {
  if (after === null) return null;
  if (before?.cancel && after.cancel) {
    if (after.cancel.deadline > before.cancel.deadline) return "the cancel deadline was moved back";
    if (after.cancel.graceEndTime > before.cancel.graceEndTime) return "the grace was prolonged";
    if (after.cancel.force && !before.cancel.force && after.cancel.graceEndTime > now)
      return "forced, and there is a grace left";
  }
  if (after.state === "CANCELLING" && before?.state !== "CANCELLING") {
    const deadline = now + longestMs(after, command) * 1000;
    if (after.cancel?.deadline !== deadline)
      return `cancel deadline ${after.cancel?.deadline}, expected ${deadline}`;
  }
  if (before?.state !== "CANCELLING" || command.type !== "tick" || now < (before.cancel?.deadline ?? 0))
    return null;
  const isHonest =
    after.state === "FAILED" && errorCode(after) === StatusCode.UNKNOWN && isSame(after.held, before.lease);
  return isHonest ? null : "the cancel deadline passed, and it did not end as unconfirmed";
}

/** A critical section delays the abort; it drops nothing, prolongs nothing, and is over when the handler was told. */
export function deferralDropsNothing({ before, command, after }: Step): string | null {
  const cancel = after?.cancel ?? null;
  if (after === null || cancel === null) return null;
  if (cancel.deferredBy !== null) {
    const isOpen = after.state === "CANCELLING" && !isWaiting(after);
    if (!isOpen || cancel.acknowledgeTime !== null || cancel.escalateTime !== null)
      return `deferred by "${cancel.deferredBy}" although nothing is held back any more`;
  }
  const isPhase =
    command.type === "cancelPhase" &&
    (command.phase === "DEFERRED" || command.phase === "CUT") &&
    command.steps === undefined;
  if (!isPhase || !before?.cancel || after === before) return null;
  const { deferredBy: _, ...rest } = cancel;
  const { deferredBy: __, ...restBefore } = before.cancel;
  if (after.state !== before.state || !isSame(rest, restBefore)) return `${command.phase} changed the cancel`;
  return isSame(after.lease, before.lease) ? null : `${command.phase} changed the lease`;
}

const stepTimes = ["deliverTime", "acknowledgeTime", "escalateTime"] as const;

/** A step has its own time, whatever report tells of it: between the request and now, and it is never told anew. */
export function stepsKeepTheirTimes({ before, command, now, after }: Step): string | null {
  const cancel = after?.cancel ?? null;
  if (after === before || cancel === null) return null;
  for (const field of stepTimes) {
    const time = cancel[field];
    const known = before?.cancel?.[field] ?? null;
    if (time === known) continue;
    if (known !== null || time === null) return `the ${field} ${known} became ${time}`;
    if (time > now || (time < cancel.requestTime && time !== now)) return `the ${field} is ${time} at ${now}`;
    if (!("steps" in command || command.type === "cancelPhase")) return `${command.type} set the ${field}`;
    if (!isHolder(before?.lease, command)) return `the ${field} was not told by the holder`;
  }
  return null;
}
