// What clients and standing rules ask: cancel, cancel again, delete.
import type { Instant } from "../../base/clock.ts";
import type { CancelCommand, DeleteCommand, Refusal, Verdict } from "../commands.ts";
import { type CancelRequest, isDone, type OperationRecord, type ReceiptEvent } from "../operation.ts";
import { askedByRule, askedEvent, cancelRequestOf } from "./cancel-request.ts";
import { accept, refuse, type Transition, touched } from "./change.ts";
import { settled } from "./settle.ts";

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

const tooLate = {
  SUCCEEDED: "TOO_LATE_SUCCEEDED",
  FAILED: "TOO_LATE_FAILED",
  CANCELLED: "ALREADY_CANCELLED",
} as const;

/**
 * Idempotent; of a done operation an OK no-op (S6); of a pending one the end at once (G5), unless an attempt that was
 * taken away may still run: then that one has to stop (G2). A policy that says "not cancellable" is for callers: standing
 * rules (parent, superseded, unwatched) were asked for by whoever started the operation.
 */
export function cancelOperation(
  record: OperationRecord,
  command: CancelCommand,
  now: Instant,
): Transition | Refusal {
  if (record.deleteTime !== null && !command.includeDeleted) return refuse(record, "NOT_FOUND");
  if (command.cause === "cancel" && !record.policy.cancel.cancellable)
    return refuse(record, "NOT_CANCELLABLE");
  if (command.ifRevision !== null && command.ifRevision !== record.revision)
    return refuse(record, "REVISION_MISMATCH");
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

/** Nothing runs, so it ends here, unless an earlier attempt left children: then it ends after them. */
function cancelPending(record: OperationRecord, command: CancelCommand, now: Instant): Transition {
  const cancel: CancelRequest = {
    ...cancelRequestOf(record, now, command),
    stopTime: now,
    evidence: "NEVER_STARTED",
    mechanism: "NONE",
  };
  const receipt: ReceiptEvent[] = [
    askedEvent("REQUESTED", now, command, command.reason),
    { time: now, kind: "STOPPED", detail: "NEVER_STARTED", by: "" },
  ];
  const transition = settled({ ...record, lease: null, cancel }, now, { receipt });
  return answer(transition, transition.record.state === "CANCELLED" ? "PREVENTED_START" : "STOPPING", true);
}

function cancelRunning(record: OperationRecord, command: CancelCommand, now: Instant): Transition {
  const cancel = cancelRequestOf(record, now, command);
  const receipt = [askedEvent("REQUESTED", now, command, command.reason)];
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

/** A later cancel can only escalate: shorten what is left, or use force (G3, G4). It never restarts the grace. */
function cancelAgain(record: OperationRecord, command: CancelCommand, now: Instant): Transition {
  const { cancel } = record;
  if (cancel === null) return nothingToDo(record, "ALREADY_STOPPING");
  const wanted = cancelRequestOf(record, now, command);
  const isForced = command.force && !cancel.force;
  const isShorter = command.graceMs !== null && wanted.graceEndTime < cancel.graceEndTime;
  if (!isForced && !isShorter) return nothingToDo(record, "ALREADY_STOPPING");
  const stricter = {
    ...cancel,
    force: cancel.force || command.force,
    graceEndTime: Math.min(cancel.graceEndTime, wanted.graceEndTime),
    deadline: Math.min(cancel.deadline, wanted.deadline),
  };
  const detail = `${isForced ? "force" : "grace shortened"}: ${command.reason}`;
  const transition = accept(
    { ...record, ...touched(record, now), cancel: stricter },
    { visible: true, receipt: [askedEvent("REPEATED", now, command, detail)] },
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
  const cancelled = cancelOperation(
    record,
    {
      ...askedByRule("cancel", "deleted"),
      cause: "cancel",
      type: "cancel",
      key,
      requestedBy,
      origin,
      ifRevision: null,
      includeDeleted: false,
    },
    now,
  );
  // Not cancellable, or being cancelled already: hiding it is then the whole change, and has its own revision.
  if (cancelled.type === "refused" || cancelled.record === record) {
    return accept(hidden(record, now), { visible: true });
  }
  return accept({ ...cancelled.record, deleteTime: now }, { ...cancelled.effects, visible: true });
}

function hidden(record: OperationRecord, now: Instant): OperationRecord {
  return { ...record, ...touched(record, now), deleteTime: now };
}
