// The steps of a cancel on its worker's side: delivered, deferred, cut, acknowledged, escalated. Each is noted once, at the
// time at which it happened, in the change of whatever report tells of it.
import type { Instant } from "../../base/clock.ts";
import type { CancelStep } from "../commands.ts";
import type { CancelRequest, OperationRecord, ReceiptEvent } from "../operation.ts";

/** An operation with what a report told of its cancel, and the receipt's lines of that. */
export interface Told {
  /** The same object where nothing of it was news. Its revision has not moved. */
  record: OperationRecord;
  receipt: readonly ReceiptEvent[];
}

/** Takes the steps that a report of the running attempt tells; of an operation that is not being cancelled, none. */
export function withSteps(
  record: OperationRecord,
  { steps = [], session }: { steps?: readonly CancelStep[]; session: string },
  now: Instant,
): Told {
  if (record.state !== "CANCELLING" || record.cancel === null) return { record, receipt: [] };
  let { cancel } = record;
  const receipt: ReceiptEvent[] = [];
  for (const step of steps) {
    const time = timeOf(step, cancel, now);
    const change = changeOf(cancel, step, time);
    if (change === null) continue;
    cancel = { ...cancel, ...change };
    receipt.push({ time, kind: step.phase, detail: step.detail, by: session });
  }
  return receipt.length === 0 ? { record, receipt } : { record: { ...record, cancel }, receipt };
}

/**
 * By the store's clock: the worker says only how long ago it was, and that is at most as wrong as its report was slow. It is
 * never before the request, nor before a step that is known, so that a receipt shows no effect before its cause.
 */
function timeOf({ agoMs = 0 }: CancelStep, cancel: CancelRequest, now: Instant): Instant {
  const { requestTime, deliverTime, acknowledgeTime, escalateTime } = cancel;
  const known = Math.max(requestTime, deliverTime ?? 0, acknowledgeTime ?? 0, escalateTime ?? 0);
  return Math.min(now, Math.max(known, now - Math.round(Math.max(0, agoMs) * 1000)));
}

/** What a step changes of the request, or null if it is known already. */
function changeOf(
  cancel: CancelRequest,
  { phase, detail }: CancelStep,
  time: Instant,
): Partial<CancelRequest> | null {
  switch (phase) {
    case "DELIVERED":
      return cancel.deliverTime === null ? { deliverTime: time } : null;
    case "DEFERRED":
      // Once the handler was told, or is being forced, nothing holds the abort back any more: a late or repeated
      // DEFERRED is old news. Two sections one after the other are two reasons.
      return cancel.acknowledgeTime === null && cancel.escalateTime === null && cancel.deferredBy !== detail
        ? { deferredBy: detail }
        : null;
    case "CUT":
      return cancel.deferredBy === null ? null : { deferredBy: null };
    case "ACKNOWLEDGED":
      return cancel.acknowledgeTime === null ? { acknowledgeTime: time, deferredBy: null } : null;
    case "ESCALATED":
      return cancel.escalateTime === null ? { escalateTime: time, deferredBy: null } : null;
  }
}
