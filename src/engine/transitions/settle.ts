// The end of an operation whose own work has stopped by a cancel: at once, or after its children (the parent settles last).
import type { Instant } from "../../base/clock.ts";
import { StatusCode } from "../../base/status-code.ts";
import type { CancelRequest, OperationRecord, ReceiptEvent, StatusValue } from "../operation.ts";
import { accept, type Effects, ended, failure, status, type Transition, touched } from "./change.ts";

/** The message of a cancelled operation: who and why, since error.details stay empty on the google and yandex wires. */
export function cancelledStatus(cancel: CancelRequest): StatusValue {
  const by = cancel.requestedBy ? ` by ${cancel.requestedBy}` : "";
  const why = cancel.reason ? `: ${cancel.reason}` : "";
  return status(StatusCode.CANCELLED, `operation cancelled${by}${why}`);
}

export function deadlineStatus(): StatusValue {
  return status(StatusCode.DEADLINE_EXCEEDED, "the operation's deadline passed before it was done");
}

/** How an operation with this cancel ends when its work stopped: only its own deadline is no cancel to clients. */
export function stopStatus(cancel: CancelRequest): StatusValue {
  return cancel.cause === "deadline" ? deadlineStatus() : cancelledStatus(cancel);
}

/** The request of an operation that is stopping. */
export function requestOf(record: OperationRecord): CancelRequest {
  if (record.cancel === null) throw new TypeError("an operation that stops has a cancel");
  return record.cancel;
}

const STOP_UNCONFIRMED = "STOP_UNCONFIRMED";

/** `STOP_UNCONFIRMED`, in a code that no client retries by itself. */
export function unconfirmedStatus(why: string): StatusValue {
  return status(StatusCode.UNKNOWN, `${STOP_UNCONFIRMED}: ${why}; the work may still be running`);
}

/** True if it ended, and nobody knows whether its work, or that of a child, has stopped. */
export function isUnconfirmed({ outcome }: OperationRecord): boolean {
  if (outcome?.kind !== "error" || outcome.status.code !== StatusCode.UNKNOWN) return false;
  return outcome.status.message.startsWith(STOP_UNCONFIRMED);
}

/**
 * Ends a record whose cancel has its evidence and whose lease is gone. With children that are awaited it stays
 * CANCELLING without a lease, until the last of them has ended or the cancel deadline comes; a child of which nobody
 * knows whether it stopped makes the whole STOP_UNCONFIRMED.
 *
 * `digest` is that of the report that said so, for its repetition (S12).
 */
export function settled(
  record: OperationRecord,
  now: Instant,
  effects: Pick<Effects, "receipt" | "attempts">,
  { digest = "" }: { digest?: string } = {},
): Transition {
  const cancel = { ...requestOf(record), deferredBy: null };
  const stoppedRecord = { ...record, cancel, attemptStartTime: null, activityTime: null };
  const { receipt = [] } = effects;
  const { awaited = 0, unconfirmed = 0, unconfirmedNames = [] } = record.children ?? {};
  if (awaited > 0) {
    const waiting = { ...stoppedRecord, ...touched(record, now), state: "CANCELLING" } as const;
    return accept(waiting, { ...effects, visible: true });
  }
  if (unconfirmed > 0) {
    const more = unconfirmed - unconfirmedNames.length;
    const named = [...unconfirmedNames, ...(more > 0 ? [`and ${more} more`] : [])].join(", ");
    const why = `${unconfirmed} of its children did not confirm their stop (${named})`;
    const events: ReceiptEvent[] = [
      { time: now, kind: "UNCONFIRMED", detail: why, by: "" },
      { time: now, kind: "ENDED", detail: "FAILED", by: "" },
    ];
    const next = ended(stoppedRecord, now, "FAILED", failure(unconfirmedStatus(why), digest));
    return accept(next, { ...effects, visible: true, receipt: [...receipt, ...events] });
  }
  const state = cancel.cause === "deadline" ? "FAILED" : "CANCELLED";
  const next = ended(stoppedRecord, now, state, { kind: "error", status: stopStatus(cancel), digest });
  const event: ReceiptEvent = { time: now, kind: "ENDED", detail: state, by: "" };
  return accept(next, { ...effects, visible: true, receipt: [...receipt, event] });
}
