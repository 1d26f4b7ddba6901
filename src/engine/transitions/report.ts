// What a worker reports of a running attempt: progress, checkpoint, completion, failure.
import type { Instant } from "../../base/clock.ts";
import type {
  CheckpointCommand,
  CompleteCommand,
  FailCommand,
  ProgressCommand,
  Refusal,
} from "../commands.ts";
import { isDone, type OperationRecord, type ReceiptEvent } from "../operation.ts";
import { type Told, withSteps } from "./cancel-steps.ts";
import {
  accept,
  closeAttempt,
  ended,
  failure,
  fence,
  mayRunAgain,
  requeued,
  type Transition,
  touched,
  unchanged,
} from "./change.ts";
import { confirmLate, endedAsStopped, isAwaitingChildren, isHeldBy, isRepeatedStop } from "./stop.ts";

/** Progress counts as activity (stall timeout) even when it shows nothing new. */
export function storeProgress(
  record: OperationRecord,
  command: ProgressCommand,
  now: Instant,
): Transition | Refusal {
  const refusal = fence(record, command);
  if (refusal) return refusal;
  const { progress } = command;
  if (record.progress?.percent === progress.percent && record.progress.message === progress.message) {
    return accept({ ...record, activityTime: now }, { visible: false });
  }
  return accept({ ...record, ...touched(record, now), activityTime: now, progress }, { visible: true });
}

/** The last checkpoint wins. It is taken while cancelling too: that is when a partial result is worth most. */
export function storeCheckpoint(
  record: OperationRecord,
  command: CheckpointCommand,
  now: Instant,
): Transition | Refusal {
  const refusal = fence(record, command);
  if (refusal) return refusal;
  return accept(
    { ...record, ...touched(record, now), activityTime: now },
    { visible: true, payloads: [{ kind: "checkpoint", payload: command.checkpoint }] },
  );
}

/** The same result of the same attempt again, after a lost reply: OK, nothing changes (S12). Once deleted it is NOT_FOUND. */
function isRepeated(record: OperationRecord, command: { token: number; digest: string }): boolean {
  return (
    isDone(record.state) &&
    record.deleteTime === null &&
    record.leaseToken === command.token &&
    command.digest !== "" &&
    record.outcome?.digest === command.digest
  );
}

/** The handler finished. Finished work wins over a pending cancel (best effort, operations.proto). */
export function complete(
  record: OperationRecord,
  command: CompleteCommand,
  now: Instant,
): Transition | Refusal {
  if (isRepeated(record, command)) return unchanged(record);
  if (isHeldBy(record, command))
    return confirmLate(record, now, { evidence: "HANDLER_STOPPED", mechanism: "NONE" });
  const refusal = fence(record, command);
  if (refusal) return refusal;
  const told = withSteps(record, command, now);
  return accept(ended(told.record, now, "SUCCEEDED", { kind: "response", digest: command.digest }), {
    visible: true,
    payloads: [{ kind: "response", payload: command.response }],
    attempts: closeAttempt(record, now, "SUCCEEDED", null),
    receipt: endedByItself(told, now, command.session, "SUCCEEDED: the work finished before it stopped"),
  });
}

/** With a cancel: the receipt's lines of an end that was not its doing. */
function endedByItself(
  { record, receipt }: Told,
  now: Instant,
  session: string,
  detail: string,
): readonly ReceiptEvent[] {
  return record.cancel ? [...receipt, { time: now, kind: "ENDED", detail, by: session }] : [];
}

/** The handler failed, and has stopped. */
export function fail(record: OperationRecord, command: FailCommand, now: Instant): Transition | Refusal {
  if (isRepeated(record, command)) return unchanged(record);
  // It was taken as the stop that it was, and has no digest yet: the operation still waits for its children.
  if (isAwaitingChildren(record) && isRepeatedStop(record, command)) return unchanged(record);
  if (isHeldBy(record, command)) return confirmLate(record, now, command);
  const refusal = fence(record, command);
  if (refusal) return refusal;
  // With a cancel set there is no other attempt (S8): a failure that would have been retried, or that the abort
  // caused, is the stop that was asked for.
  const told = withSteps(record, command, now);
  if (record.state === "CANCELLING" && (command.abortCaused || command.retryable)) {
    return endedAsStopped(told.record, now, { ...command, told: told.receipt });
  }
  if (command.retryable && mayRunAgain(record)) {
    const attempts = closeAttempt(record, now, "RETRIED", command.error);
    return accept(requeued(record, now, true), { visible: true, attempts });
  }
  return accept(ended(told.record, now, "FAILED", failure(command.error, command.digest)), {
    visible: true,
    attempts: closeAttempt(record, now, "FAILED", command.error),
    receipt: endedByItself(told, now, command.session, "FAILED: the work failed before it stopped"),
  });
}
