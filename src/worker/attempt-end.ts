// How the end of a run becomes a report: pure, so that the whole table can be read and tested.
import type { AbortCause } from "../base/abort-reasons.ts";
import { StatusCode } from "../base/status-code.ts";
import type { AttemptKey, WorkerReport } from "../protocol/worker-connection.ts";
import type { Failure, RunEnd } from "./runner.ts";

/** Those that a cancel notice brings. */
const cancelCauses: ReadonlySet<AbortCause> = new Set<AbortCause>(["cancel", "deadline", "parent"]);

/** How much of a clean-up's problems is told for the receipt. */
const CLEAN_UP_MAX = 1024;

/** What had happened to the attempt when its run ended. */
export interface AttemptAbort {
  /** What fired the signal, or null. The first cause counts; a signal fires once. */
  abortedBy: AbortCause | null;
  /** A cancel or deadline was delivered; it may have come after another abort. */
  isCancelled: boolean;
  /** The attempt is no longer this worker's. */
  isRevoked: boolean;
}

/**
 * The report of an end:
 * | end \ attempt | revoked | not aborted | shut down, lease ends | cancelled |
 * |---|---|---|---|---|
 * | returned | stopped | complete | complete | complete: finished work wins |
 * | stopped by force, or after SIGTERM | stopped | - | release | stopped |
 * | threw the abort's reason | stopped | - | release | fail, abortCaused |
 * | threw another error | stopped | fail | fail | fail |
 * Shut down first and cancelled then: where it says release, it is stopped, since a cancelled operation is not given back.
 */
export function endReport(end: RunEnd, abort: AttemptAbort, attempt: AttemptKey): WorkerReport {
  const { evidence, mechanism } = end;
  const stopped: WorkerReport = { type: "stopped", attempt, evidence, mechanism };
  if (abort.isRevoked) return stopped;
  if (end.type === "returned") return { type: "complete", attempt, response: end.response };
  if (end.type === "threw" && !end.abortCaused) {
    const { error, retryable } = end;
    const failed = {
      type: "fail",
      attempt,
      error,
      retryable,
      abortCaused: false,
      evidence,
      mechanism,
    } as const;
    return { ...failed, ...cleanUpOf(end) };
  }
  if (!abort.isCancelled) return { type: "release", attempt };
  const isOwnAbort = abort.abortedBy !== null && cancelCauses.has(abort.abortedBy);
  if (end.type === "stopped" || !isOwnAbort) return stopped;
  const code = abort.abortedBy === "deadline" ? StatusCode.DEADLINE_EXCEEDED : StatusCode.CANCELLED;
  const error = { code, message: end.error.message };
  const failed = {
    type: "fail",
    attempt,
    error,
    retryable: false,
    abortCaused: true,
    evidence,
    mechanism,
  } as const;
  return { ...failed, ...cleanUpOf(end) };
}

function cleanUpOf({ cleanupProblems }: Failure): { cleanUp?: string } {
  return cleanupProblems ? { cleanUp: cleanupProblems.join("; ").slice(0, CLEAN_UP_MAX) } : {};
}
