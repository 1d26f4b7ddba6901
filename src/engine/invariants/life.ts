// What must hold of an operation's life: its end, its result, its revisions, its deletion, its watch deadline.

import type { OperationCommand } from "../commands.ts";
import { isDone, type OperationRecord } from "../operation.ts";
import { done, isHolder, isSame, type Step } from "./step.ts";

export function doneIsFinal({ before, after }: Step): string | null {
  if (before === null || !isDone(before.state)) return null;
  if (after === null) return "a done operation vanished";
  for (const field of ["state", "outcome", "doneTime", "name", "id", "createTime", "attempt"] as const) {
    if (!isSame(before[field], after[field])) return `${field} changed after done`;
  }
  return after.lease === null ? null : "a done operation was leased";
}

export function oneResult({ before, after, writes }: Step): string | null {
  if (after === null) return null;
  const isEnded = isDone(after.state);
  if (isEnded !== (after.outcome !== null))
    return `state ${after.state} with outcome ${after.outcome?.kind ?? "none"}`;
  if (isEnded !== (after.doneTime !== null)) return `state ${after.state} with doneTime ${after.doneTime}`;
  if (isEnded && (after.state === "SUCCEEDED") !== (after.outcome?.kind === "response")) {
    return `${after.state} with a ${after.outcome?.kind}`;
  }
  const succeeds = after.state === "SUCCEEDED" && before?.state !== "SUCCEEDED";
  return writes.response === succeeds ? null : `a response was ${succeeds ? "not written" : "written"}`;
}

function isSameReport(a: OperationCommand, b: OperationCommand): boolean {
  if (!("token" in a && "token" in b) || a.type !== b.type || a.token !== b.token || a.session !== b.session)
    return false;
  if ("digest" in a && "digest" in b) return a.digest === b.digest;
  return "evidence" in a && "evidence" in b && a.evidence === b.evidence;
}

export function reportsAreIdempotent({ before, command, outcome, after, history }: Step): string | null {
  if (before === null || !isDone(before.state) || !history.ending || !("token" in command)) return null;
  if (before.deleteTime !== null) {
    const isLate = isHolder(before.held, command);
    return isLate || (outcome.type === "refused" && outcome.reason === "NOT_FOUND")
      ? null
      : "a deleted operation answered";
  }
  if (isSameReport(command, history.ending)) {
    return outcome.type === "operation" && after === before ? null : "the same report again was not OK";
  }
  if (outcome.type === "refused")
    return outcome.reason === "ALREADY_DONE" ? null : `${outcome.reason} for a done operation`;
  const sameResult =
    "digest" in command && "digest" in history.ending && command.digest === history.ending.digest;
  return sameResult || "evidence" in command ? null : "another report was accepted after the end";
}

function looksSame(a: OperationRecord, b: OperationRecord): boolean {
  return (
    a.state === b.state &&
    a.attempt === b.attempt &&
    a.doneTime === b.doneTime &&
    a.deleteTime === b.deleteTime &&
    (a.held === null) === (b.held === null) &&
    a.children?.started === b.children?.started &&
    isSame(a.parents, b.parents) &&
    isSame(a.progress, b.progress) &&
    isSame(a.cancel, b.cancel) &&
    isSame(a.outcome, b.outcome)
  );
}

export function revisionsCount({ before, now, outcome, after, writes }: Step): string | null {
  if (after === null) return null;
  if ("changed" in outcome && outcome.changed !== (after !== before))
    return `the reply says changed: ${outcome.changed}`;
  if (before === null)
    return after.revision === 1 && writes.events === 1 ? null : `starts at revision ${after.revision}`;
  const isVisible = !looksSame(before, after) || writes.checkpoint;
  const expected = before.revision + (isVisible ? 1 : 0);
  if (after.revision !== expected)
    return `revision ${before.revision} -> ${after.revision}, expected ${expected}`;
  if (writes.events !== (isVisible ? 1 : 0)) return `${writes.events} events for one step`;
  const time = isVisible ? Math.max(before.updateTime + 1, now) : before.updateTime;
  return after.updateTime === time
    ? null
    : `updateTime ${before.updateTime} -> ${after.updateTime}, expected ${time}`;
}

export function deletedStaysDeleted({ before, command, outcome, after }: Step): string | null {
  if (command.type === "start" && before) return after === before ? null : "a name was used again";
  if (before === null || before.deleteTime === null) return null;
  if (after?.deleteTime !== before.deleteTime) return "a deleted operation came back";
  const asks = command.type === "delete" || (command.type === "cancel" && !command.includeDeleted);
  const hidden = outcome.type === "refused" && outcome.reason === "NOT_FOUND";
  return asks && !hidden ? `${command.type} of a deleted operation was answered ${outcome.type}` : null;
}

/** With `unwatchedMs`, a live operation is cancelled once nobody has watched for that long, and never earlier. */
export function unwatchedEnds({ before, command, now, after }: Step): string | null {
  if (after === null) return null;
  const { unwatchedMs } = after.policy;
  if ((after.watchDeadline === null) !== (unwatchedMs === 0))
    return `watch deadline ${after.watchDeadline} with unwatchedMs ${unwatchedMs}`;
  if (before?.watchDeadline == null || after.watchDeadline === null) return null;
  if (after.watchDeadline !== before.watchDeadline) {
    const isAnew = command.type === "watched" && after.watchDeadline === now + unwatchedMs * 1000;
    const isLive = before.state === "PENDING" || before.state === "RUNNING";
    if (!isAnew || !isLive || after.watchDeadline < before.watchDeadline)
      return `the watch deadline moved from ${before.watchDeadline} to ${after.watchDeadline} by ${command.type}`;
  }
  const isStopped = after.cancel !== null || done(after);
  if (command.type === "tick" && before.watchDeadline <= now && !isStopped)
    return "nobody watches, and it goes on";
  const isEarly = after.cancel?.cause === "unwatched" && before.cancel === null && before.watchDeadline > now;
  return isEarly ? "cancelled as unwatched before its time" : null;
}
