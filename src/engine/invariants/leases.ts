// What must hold of leases and attempts: fencing, one at a time, counted, and held for as long as work may run.
import { StatusCode } from "../../base/status-code.ts";
import { isDone } from "../operation.ts";
import { done, errorCode, isBegun, isHolder, isSame, isWaiting, remember, type Step } from "./step.ts";

export function fenced({ before, command, outcome, after, history }: Step): string | null {
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
  // The same stop again, after a lost answer: it changes nothing.
  if (isWaiting(before) && after === before) return null;
  if (!done(before))
    return `${command.type} was accepted from ${command.session} with token ${command.token}`;
  return after === before ? null : `${command.type} changed a done operation`;
}

export function oneLease({ before, after }: Step): string | null {
  if (after === null) return null;
  const { state, lease, leaseToken } = after;
  const isLive = state === "RUNNING" || (state === "CANCELLING" && !isWaiting(after));
  if (isLive !== (lease?.begun === true)) return `${state} with lease ${JSON.stringify(lease)}`;
  if (isWaiting(after) && lease) return "its work has stopped, and it is leased";
  if (lease && lease.token !== leaseToken) return `lease token ${lease.token}, last granted ${leaseToken}`;
  if (lease && after.held) return "leased while an older lease is held";
  const replaced = lease && before?.lease && lease.token !== before.lease.token;
  return replaced ? "a second lease was granted while one lives" : null;
}

export function boundedAttempts(step: Step): string | null {
  const { before, command, after } = step;
  if (after === null) return null;
  const { begun } = remember(step);
  const { maxAttempts } = after.policy;
  if (begun > maxAttempts) return `${begun} attempts began, ${maxAttempts} are allowed`;
  if (after.attempt !== begun) return `attempt ${after.attempt}, and ${begun} began`;
  // Work that was only reserved costs nothing, however it comes back.
  const isReservation = before?.lease && !before.lease.begun && after.lease === null;
  if (isReservation && after.attempt !== before.attempt) return "a reservation was counted as an attempt";
  if (before?.state !== "RUNNING" || before.attempt < maxAttempts) return null;
  if (after.state === "PENDING") return `requeued after attempt ${before.attempt} of ${maxAttempts}`;
  const lost = command.type === "expireLease" && command.session === before.lease?.session;
  return lost && errorCode(after) !== StatusCode.ABORTED ? "a lost last attempt did not end ABORTED" : null;
}

export function heldUntilEvidence(step: Step): string | null {
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
  if (isGivenUp && !isBegun(after)) return "an attempt that may still run was given up for a reservation";
  return isGivenUp && now < before.startAfter ? "an attempt that may still run was given up too early" : null;
}
