// What must hold of every step of an operation, as named predicates. The search, the simulations and the differential
// tests evaluate them; production does not. They restate the rules from the outside, and share no code with `transition`.
import type { Instant } from "../base/clock.ts";
import { StatusCode } from "../base/status-code.ts";
import type { CommandOutcome, OperationCommand, Refusal } from "./commands.ts";
import { isDone, type Lease, type OperationRecord } from "./operation.ts";
import type { Transition } from "./transition.ts";

/** What one step wrote beside the operation's row. */
export interface StepWrites {
  /** Feed events: visible changes. */
  events: number;
  response: boolean;
  checkpoint: boolean;
}

/** One command applied to one operation, as an observer sees it. */
export interface Step {
  before: OperationRecord | null;
  command: OperationCommand;
  now: Instant;
  outcome: CommandOutcome;
  /** The same object as `before` when nothing was written. */
  after: OperationRecord | null;
  writes: StepWrites;
  /** What happened before this step. */
  history: History;
}

/** What an observer remembers of an operation, beside its record. */
export interface History {
  /** How many attempts have begun. */
  begun: number;
  /** The highest lease token seen. */
  lastToken: number;
  cancelAcknowledged: boolean;
  /** The worker's report that ended the operation. */
  ending: OperationCommand | null;
  /** An attempt that was taken away, and of which nothing says yet that it has ended. */
  open: Lease | null;
}

export const noHistory: History = {
  begun: 0,
  lastToken: 0,
  cancelAcknowledged: false,
  ending: null,
  open: null,
};

/** Each answers why the rule is broken, or null where it holds. */
export interface Invariant {
  /** As in docs/internals/state-machine.md. */
  id: string;
  claim: string;
  check(step: Step): string | null;
}

/** A step of `transition`. */
export function stepOf(
  before: OperationRecord | null,
  command: OperationCommand,
  now: Instant,
  result: Transition | Refusal,
  history: History,
): Step {
  if (result.type === "refused") {
    const writes = { events: 0, response: false, checkpoint: false };
    return { before, command, now, outcome: result, after: result.record, writes, history };
  }
  const kinds = (result.effects.payloads ?? []).map((write) => write.kind);
  const writes = {
    events: result.effects.visible ? 1 : 0,
    response: kinds.includes("response"),
    checkpoint: kinds.includes("checkpoint"),
  };
  return { before, command, now, outcome: result.reply, after: result.record, writes, history };
}

/** The history after a step. */
export function remember(step: Step): History {
  const { before, command, after, outcome, history } = step;
  if (after === before) return history;
  const ends = after !== null && isDone(after.state) && !(before && isDone(before.state));
  return {
    begun: history.begun + (beginsAnew(step) ? 1 : 0),
    lastToken: Math.max(history.lastToken, after?.lease?.token ?? 0),
    cancelAcknowledged:
      history.cancelAcknowledged || (command.type === "cancel" && outcome.type === "cancel"),
    ending: ends && "token" in command ? command : history.ending,
    open: openAttempt(step),
  };
}

const endingReports = new Set<OperationCommand["type"]>(["complete", "fail", "stopped", "release"]);

/** The attempt that no lease stands for any more, unless this step says that it has ended, or a new one took its place. */
function openAttempt({ before, command, after, history }: Step): Lease | null {
  const attempt = before?.lease?.begun ? before.lease : history.open;
  if (attempt === null || after?.lease?.begun) return null;
  if (endingReports.has(command.type) && isHolder(attempt, command)) return null;
  const isOver = command.type === "expireLease" && command.session === attempt.session && !command.survived;
  return isOver && attempt.guarded ? null : attempt;
}

/** A new attempt, and not one that was taken away and is now waited for by a cancel. */
function beginsAnew({ before, after, history }: Step): boolean {
  return isBegun(after) && !isBegun(before) && !isSame(after?.lease, history.open);
}

/** The invariants that a step breaks, as `S9: why`. */
export function violations(step: Step): string[] {
  const found: string[] = [];
  for (const invariant of invariants) {
    const why = invariant.check(step);
    if (why !== null) found.push(`${invariant.id}: ${why} (${invariant.claim})`);
  }
  return found;
}

function isBegun(record: OperationRecord | null): boolean {
  return record?.lease?.begun === true;
}

function done(record: OperationRecord | null): boolean {
  return record !== null && isDone(record.state);
}

function isSame(a: unknown, b: unknown): boolean {
  return a === b || JSON.stringify(a) === JSON.stringify(b);
}

function errorCode(record: OperationRecord): number | null {
  return record.outcome?.kind === "error" ? record.outcome.status.code : null;
}

/** The holder named by the command is the one that the lease (or the held slot) knows. */
function isHolder(lease: OperationRecord["lease"] | undefined, command: OperationCommand): boolean {
  return "token" in command && lease?.session === command.session && lease.token === command.token;
}

function looksSame(a: OperationRecord, b: OperationRecord): boolean {
  return (
    a.state === b.state &&
    a.attempt === b.attempt &&
    a.doneTime === b.doneTime &&
    a.deleteTime === b.deleteTime &&
    isSame(a.progress, b.progress) &&
    isSame(a.cancel, b.cancel) &&
    isSame(a.outcome, b.outcome)
  );
}

function doneIsFinal({ before, after }: Step): string | null {
  if (before === null || !isDone(before.state)) return null;
  if (after === null) return "a done operation vanished";
  for (const field of ["state", "outcome", "doneTime", "name", "id", "createTime", "attempt"] as const) {
    if (!isSame(before[field], after[field])) return `${field} changed after done`;
  }
  return after.lease === null ? null : "a done operation was leased";
}

function oneResult({ before, after, writes }: Step): string | null {
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

function cancelIsDurable({ before, command, outcome, after, history }: Step): string | null {
  if (after === null) return null;
  if (history.cancelAcknowledged && after.cancel === null) return "an acknowledged cancel is forgotten";
  const acknowledged = command.type === "cancel" && outcome.type === "cancel";
  if (acknowledged && !done(before) && after.cancel === null)
    return "the cancel was acknowledged and not stored";
  if (!before?.cancel) return null;
  for (const field of ["cause", "requestedBy", "reason", "origin", "requestTime"] as const) {
    if (before.cancel[field] !== after.cancel?.[field]) return `the cancel's ${field} changed`;
  }
  return null;
}

function lateCancelChangesNothing({ before, command, outcome, after }: Step): string | null {
  if (command.type !== "cancel" || !before) return null;
  if (done(before)) return after === before ? null : "a cancel changed a done operation";
  if (before.state !== "CANCELLING" || outcome.type !== "cancel") return null;
  if (outcome.verdict !== "ALREADY_STOPPING") return `a repeated cancel was answered ${outcome.verdict}`;
  if (after === before) return null;
  const shortens = command.graceMs !== null && !!after?.cancel && !!before.cancel;
  const isShorter = shortens && (after.cancel?.graceEndTime ?? 0) < (before.cancel?.graceEndTime ?? 0);
  return isShorter ? null : "a repeated cancel changed the operation without shortening its grace";
}

function noFalseCancelled({ before, command, after }: Step): string | null {
  if (after === null || done(before)) return null;
  const isCancelled = after.state === "CANCELLED";
  if (done(after) && isCancelled !== (errorCode(after) === StatusCode.CANCELLED)) {
    return `${after.state} with error code ${errorCode(after)}`;
  }
  if (isCancelled && after.cancel?.cause !== "cancel") return "CANCELLED without a cancel";
  const asked = command.type === "cancel" || command.type === "delete";
  if (isCancelled && !before?.cancel && !asked) return "CANCELLED, and no cancel was committed before";
  const finished = command.type === "complete" && isBegun(before) && isHolder(before?.lease, command);
  return finished && after.state !== "SUCCEEDED" ? "a success with a live lease did not win" : null;
}

function noRerunAfterCancel({ before, command, after }: Step): string | null {
  if (!before?.cancel || after === null) return null;
  if (after.state === "PENDING" || after.state === "RUNNING") return `${after.state} with a cancel set`;
  const granted = after.lease !== null && before.lease?.token !== after.lease.token;
  return granted ? `${command.type} granted a lease with a cancel set` : null;
}

function fenced({ before, command, outcome, after, history }: Step): string | null {
  const token = after?.lease?.token ?? 0;
  const isNew = token > 0 && token !== before?.lease?.token && token !== history.open?.token;
  if (isNew && token <= history.lastToken) return `token ${token} was granted again`;
  if (outcome.type === "refused") return after === before ? null : "a refused command changed the operation";
  if (!("token" in command) || !before) return null;
  if (isHolder(before.held, command))
    return outcome.type === "late" ? null : "late evidence was not taken as late";
  if (isHolder(before.lease, command)) {
    const early = !before.lease?.begun && command.type !== "begin" && command.type !== "return";
    return early ? `${command.type} was accepted before the attempt began` : null;
  }
  if (!done(before))
    return `${command.type} was accepted from ${command.session} with token ${command.token}`;
  return after === before ? null : `${command.type} changed a done operation`;
}

function oneLease({ before, after }: Step): string | null {
  if (after === null) return null;
  const { state, lease, leaseToken } = after;
  const isLive = state === "RUNNING" || state === "CANCELLING";
  if (isLive !== (lease?.begun === true)) return `${state} with lease ${JSON.stringify(lease)}`;
  if (lease && lease.token !== leaseToken) return `lease token ${lease.token}, last granted ${leaseToken}`;
  if (lease && after.held) return "leased while an older lease is held";
  const replaced = lease && before?.lease && lease.token !== before.lease.token;
  return replaced ? "a second lease was granted while one lives" : null;
}

function boundedAttempts(step: Step): string | null {
  const { before, command, after } = step;
  if (after === null) return null;
  const { begun } = remember(step);
  const { maxAttempts } = after.policy;
  if (begun > maxAttempts) return `${begun} attempts began, ${maxAttempts} are allowed`;
  if (after.attempt !== begun) return `attempt ${after.attempt}, and ${begun} began`;
  if (before?.state !== "RUNNING" || before.attempt < maxAttempts) return null;
  if (after.state === "PENDING") return `requeued after attempt ${before.attempt} of ${maxAttempts}`;
  const lost = command.type === "expireLease" && command.session === before.lease?.session;
  return lost && errorCode(after) !== StatusCode.ABORTED ? "a lost last attempt did not end ABORTED" : null;
}

function isSameReport(a: OperationCommand, b: OperationCommand): boolean {
  if (!("token" in a && "token" in b) || a.type !== b.type || a.token !== b.token || a.session !== b.session)
    return false;
  if ("digest" in a && "digest" in b) return a.digest === b.digest;
  return "evidence" in a && "evidence" in b && a.evidence === b.evidence;
}

function reportsAreIdempotent({ before, command, outcome, after, history }: Step): string | null {
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

function revisionsCount({ before, now, outcome, after, writes }: Step): string | null {
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

function deletedStaysDeleted({ before, command, outcome, after }: Step): string | null {
  if (command.type === "start" && before) return after === before ? null : "a name was used again";
  if (before === null || before.deleteTime === null) return null;
  if (after?.deleteTime !== before.deleteTime) return "a deleted operation came back";
  const asks = command.type === "delete" || (command.type === "cancel" && !command.includeDeleted);
  const hidden = outcome.type === "refused" && outcome.reason === "NOT_FOUND";
  return asks && !hidden ? `${command.type} of a deleted operation was answered ${outcome.type}` : null;
}

function heldUntilEvidence(step: Step): string | null {
  const { before, command, now, after, history } = step;
  if (after === null) return null;
  const { open } = after === before ? history : remember(step);
  const wasAborted = isDone(after.state) && after.held === null && errorCode(after) === StatusCode.ABORTED;
  if (!isSame(after.held, open) && !wasAborted)
    return open === null ? "a lease is held after its end" : "work that may still run is not held";
  const bound = now + after.policy.attemptTimeoutMs * 1000;
  if (after.state === "PENDING" && after.held && !before?.held && after.startAfter < bound)
    return "the next attempt does not wait for the end of the last one";
  const isGivenUp = before?.held && command.type === "assign" && after !== before;
  return isGivenUp && now < before.startAfter ? "an attempt that may still run was given up too early" : null;
}

function evidenceFirst({ before, command, after, history }: Step): string | null {
  if (after === null) return null;
  const evidence = after.cancel?.evidence ?? null;
  if (after.state === "CANCELLED" && evidence === null) return "CANCELLED without evidence";
  const old = before?.cancel?.evidence ?? null;
  if (evidence === old) return null;
  if (old !== null) return `evidence ${old} became ${evidence}`;
  switch (evidence) {
    case "NEVER_STARTED":
      return isBegun(before) || history.open ? "NEVER_STARTED of an attempt that began" : null;
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

function stopIsBounded({ before, command, now, after }: Step): string | null {
  if (after === null) return null;
  const { graceMs, criticalMs, cleanupMs, killMs } = after.policy.cancel;
  if (before?.cancel && after.cancel) {
    if (after.cancel.deadline > before.cancel.deadline) return "the cancel deadline was moved back";
    if (after.cancel.graceEndTime > before.cancel.graceEndTime) return "the grace was prolonged";
  }
  if (after.state === "CANCELLING" && before?.state !== "CANCELLING") {
    const asked = command.type === "cancel" ? (command.graceMs ?? graceMs) : graceMs;
    const deadline = now + (asked + criticalMs + cleanupMs + killMs) * 1000;
    if (after.cancel?.deadline !== deadline)
      return `cancel deadline ${after.cancel?.deadline}, expected ${deadline}`;
  }
  if (before?.state !== "CANCELLING" || command.type !== "tick" || now < (before.cancel?.deadline ?? 0))
    return null;
  const isHonest =
    after.state === "FAILED" && errorCode(after) === StatusCode.UNKNOWN && isSame(after.held, before.lease);
  return isHonest ? null : "the cancel deadline passed, and it did not end as unconfirmed";
}

/** All of them; each names what it keeps. */
export const invariants: readonly Invariant[] = [
  { id: "S1", claim: "done is final", check: doneIsFinal },
  { id: "S2", claim: "one result, and only when done", check: oneResult },
  { id: "S5", claim: "an acknowledged cancel is durable", check: cancelIsDurable },
  { id: "S6", claim: "a late or repeated cancel changes nothing", check: lateCancelChangesNothing },
  { id: "S7", claim: "no false CANCELLED, and finished work wins", check: noFalseCancelled },
  { id: "S8", claim: "no rerun after cancel", check: noRerunAfterCancel },
  { id: "S9", claim: "every worker write is fenced", check: fenced },
  { id: "S10", claim: "at most one live lease", check: oneLease },
  { id: "S11", claim: "attempts are counted and bounded", check: boundedAttempts },
  { id: "S12", claim: "reports are idempotent", check: reportsAreIdempotent },
  { id: "S13", claim: "one revision for each visible change, time never turns back", check: revisionsCount },
  { id: "S18", claim: "deleted stays deleted, names are never reused", check: deletedStaysDeleted },
  { id: "G2", claim: "evidence before CANCELLED", check: evidenceFirst },
  { id: "G2", claim: "work that may still run is held", check: heldUntilEvidence },
  { id: "G3", claim: "a cancel ends by its deadline", check: stopIsBounded },
];
