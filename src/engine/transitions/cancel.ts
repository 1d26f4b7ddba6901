// What clients ask: cancel and delete.
import type { Instant } from "../../base/clock.ts";
import type { CancelCommand, DeleteCommand, Refusal, Verdict } from "../commands.ts";
import { type CancelRequest, isDone, type OperationRecord, type ReceiptEvent } from "../operation.ts";
import { accept, ended, refuse, type Transition, touched } from "./change.ts";
import { cancelledStatus } from "./stop.ts";

function answer(transition: Transition, verdict: Verdict, changed: boolean): Transition {
  const { record } = transition;
  return { ...transition, reply: { type: "cancel", record, verdict, changed } };
}

function nothingToDo(record: OperationRecord, verdict: Verdict): Transition {
  return {
    type: "accepted",
    record,
    reply: { type: "cancel", record, verdict, changed: false },
    effects: { visible: false },
  };
}

/** The cancel's times, fixed when it is requested (G3): grace, then critical section, clean-up and kill window. */
export function cancelRequestOf(
  record: OperationRecord,
  now: Instant,
  request: Pick<CancelRequest, "cause" | "requestedBy" | "reason" | "origin"> & { graceMs: number | null },
): CancelRequest {
  const { graceMs, criticalMs, cleanupMs, killMs } = record.policy.cancel;
  const graceEndTime = now + (request.graceMs ?? graceMs) * 1000;
  return {
    cause: request.cause,
    requestedBy: request.requestedBy,
    reason: request.reason,
    origin: request.origin,
    requestTime: now,
    graceEndTime,
    deadline: graceEndTime + (criticalMs + cleanupMs + killMs) * 1000,
    deliverTime: null,
    acknowledgeTime: null,
    escalateTime: null,
    stopTime: null,
    evidence: null,
    mechanism: null,
    stopConfirmedTime: null,
  };
}

const tooLate = {
  SUCCEEDED: "TOO_LATE_SUCCEEDED",
  FAILED: "TOO_LATE_FAILED",
  CANCELLED: "ALREADY_CANCELLED",
} as const;

/**
 * Idempotent; of a done operation an OK no-op (S6); of a pending one the end at once (G5), unless an attempt that was
 * taken away may still run: then that one has to stop (G2).
 */
export function cancelOperation(
  record: OperationRecord,
  command: CancelCommand,
  now: Instant,
): Transition | Refusal {
  if (record.deleteTime !== null && !command.includeDeleted) return refuse(record, "NOT_FOUND");
  if (!record.policy.cancel.cancellable) return refuse(record, "NOT_CANCELLABLE");
  switch (record.state) {
    case "SUCCEEDED":
    case "FAILED":
    case "CANCELLED":
      return nothingToDo(record, tooLate[record.state]);
    case "CANCELLING":
      return cancelAgain(record, command, now);
    case "PENDING":
      return record.held === null ? cancelPending(record, command, now) : cancelHeld(record, command, now);
    case "RUNNING":
      return cancelRunning(record, command, now);
  }
}

function cancelPending(record: OperationRecord, command: CancelCommand, now: Instant): Transition {
  const cancel: CancelRequest = {
    ...cancelRequestOf(record, now, { cause: "cancel", ...command }),
    stopTime: now,
    evidence: "NEVER_STARTED",
    mechanism: "NONE",
  };
  const outcome = { kind: "error", status: cancelledStatus(cancel), digest: "" } as const;
  const receipt: ReceiptEvent[] = [
    { time: now, kind: "REQUESTED", detail: command.reason, by: command.requestedBy },
    { time: now, kind: "STOPPED", detail: "NEVER_STARTED", by: "" },
    { time: now, kind: "ENDED", detail: "CANCELLED", by: "" },
  ];
  const transition = accept(
    { ...ended(record, now, "CANCELLED", outcome), cancel },
    { visible: true, receipt },
  );
  return answer(transition, "PREVENTED_START", true);
}

function cancelRunning(record: OperationRecord, command: CancelCommand, now: Instant): Transition {
  const cancel = cancelRequestOf(record, now, { cause: "cancel", ...command });
  const receipt: ReceiptEvent[] = [
    { time: now, kind: "REQUESTED", detail: command.reason, by: command.requestedBy },
  ];
  const transition = accept(
    { ...record, ...touched(record, now), state: "CANCELLING", cancel },
    { visible: true, receipt },
  );
  return answer(transition, "STOPPING", true);
}

/** Its end is awaited under the old token, as if it still ran. Its worker was told to stop when it was taken away. */
function cancelHeld(record: OperationRecord, command: CancelCommand, now: Instant): Transition {
  return cancelRunning({ ...record, lease: record.held, held: null }, command, now);
}

/** A later cancel can only shorten what is left (G3, G4); it never restarts the grace. */
function cancelAgain(record: OperationRecord, command: CancelCommand, now: Instant): Transition {
  const { cancel } = record;
  if (cancel === null || command.graceMs === null) return nothingToDo(record, "ALREADY_STOPPING");
  const wanted = cancelRequestOf(record, now, { cause: "cancel", ...command });
  if (wanted.graceEndTime >= cancel.graceEndTime) return nothingToDo(record, "ALREADY_STOPPING");
  const shortened = {
    ...cancel,
    graceEndTime: wanted.graceEndTime,
    deadline: Math.min(cancel.deadline, wanted.deadline),
  };
  const receipt: ReceiptEvent[] = [
    { time: now, kind: "REPEATED", detail: `grace shortened: ${command.reason}`, by: command.requestedBy },
  ];
  const transition = accept(
    { ...record, ...touched(record, now), cancel: shortened },
    { visible: true, receipt },
  );
  return answer(transition, "ALREADY_STOPPING", true);
}

/** "No longer interested in the result" (operations.proto): hides the operation; the work runs on unless its type says otherwise. */
export function deleteOperation(
  record: OperationRecord,
  command: DeleteCommand,
  now: Instant,
): Transition | Refusal {
  if (record.deleteTime !== null) return refuse(record, "NOT_FOUND");
  if (isDone(record.state) || record.policy.onDelete === "keep")
    return accept(hidden(record, now), { visible: true });
  if (record.policy.onDelete === "refuse") return refuse(record, "DELETE_REFUSED");
  const { key, requestedBy, origin } = command;
  const cancel: CancelCommand = {
    type: "cancel",
    key,
    requestedBy,
    origin,
    reason: "deleted",
    graceMs: null,
    includeDeleted: false,
  };
  const cancelled = cancelOperation(record, cancel, now);
  // Not cancellable, or being cancelled already: hiding it is then the whole change, and has its own revision.
  if (cancelled.type === "refused" || cancelled.record === record) {
    return accept(hidden(record, now), { visible: true });
  }
  return accept({ ...cancelled.record, deleteTime: now }, { ...cancelled.effects, visible: true });
}

function hidden(record: OperationRecord, now: Instant): OperationRecord {
  return { ...record, ...touched(record, now), deleteTime: now };
}
