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
import { confirmLate, endedAsStopped, isHeldBy } from "./stop.ts";

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
  const receipt: ReceiptEvent[] = record.cancel
    ? [
        {
          time: now,
          kind: "ENDED",
          detail: "SUCCEEDED: the work finished before it stopped",
          by: command.session,
        },
      ]
    : [];
  return accept(ended(record, now, "SUCCEEDED", { kind: "response", digest: command.digest }), {
    visible: true,
    payloads: [{ kind: "response", payload: command.response }],
    attempts: closeAttempt(record, now, "SUCCEEDED", null),
    receipt,
  });
}

/** The handler failed, and has stopped. */
export function fail(record: OperationRecord, command: FailCommand, now: Instant): Transition | Refusal {
  if (isRepeated(record, command)) return unchanged(record);
  if (isHeldBy(record, command)) return confirmLate(record, now, command);
  const refusal = fence(record, command);
  if (refusal) return refusal;
  // With a cancel set there is no other attempt (S8): a failure that would have been retried, or that the abort
  // caused, is the stop that was asked for.
  if (record.state === "CANCELLING" && (command.abortCaused || command.retryable)) {
    return endedAsStopped(record, now, command);
  }
  if (command.retryable && mayRunAgain(record)) {
    const attempts = closeAttempt(record, now, "RETRIED", command.error);
    return accept(requeued(record, now, true), { visible: true, attempts });
  }
  const receipt: ReceiptEvent[] = record.cancel
    ? [{ time: now, kind: "ENDED", detail: "FAILED: the work failed before it stopped", by: command.session }]
    : [];
  return accept(ended(record, now, "FAILED", failure(command.error, command.digest)), {
    visible: true,
    attempts: closeAttempt(record, now, "FAILED", command.error),
    receipt,
  });
}
