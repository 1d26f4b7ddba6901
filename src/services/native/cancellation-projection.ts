// How far a cancel has come, from the record to belay.v1.
import { create } from "@bufbuild/protobuf";
import type { Verdict as EngineVerdict } from "../../engine/commands.ts";
import { type CancelRequest, isDone, type OperationRecord } from "../../engine/operation.ts";
import {
  type Cancellation,
  Cancellation_Phase,
  CancellationSchema,
  Verdict,
} from "../../protocol/gen/belay/v1/operations_pb.ts";
import { optionalTimestampOf, timestampOf } from "../wire-time.ts";

const verdicts: Record<EngineVerdict, Verdict> = {
  PREVENTED_START: Verdict.PREVENTED_START,
  STOPPING: Verdict.STOPPING,
  ALREADY_STOPPING: Verdict.ALREADY_STOPPING,
  TOO_LATE_SUCCEEDED: Verdict.TOO_LATE_SUCCEEDED,
  TOO_LATE_FAILED: Verdict.TOO_LATE_FAILED,
  ALREADY_CANCELLED: Verdict.ALREADY_CANCELLED,
  REFUSED_NOT_CANCELLABLE: Verdict.REFUSED_NOT_CANCELLABLE,
};

/** The verdict's number on the wire. */
export function projectVerdict(verdict: EngineVerdict): Verdict {
  return verdicts[verdict];
}

export function projectCancellation(cancel: CancelRequest, record: OperationRecord): Cancellation {
  const cancellation = create(CancellationSchema, {
    phase: cancelPhaseOf(cancel, record),
    cause: cancel.cause,
    requestedBy: cancel.requestedBy,
    onBehalfOf: cancel.onBehalfOf,
    reason: cancel.reason,
    force: cancel.force,
    deferredBy: cancel.deferredBy ?? "",
    requestTime: timestampOf(cancel.requestTime),
    graceEndTime: timestampOf(cancel.graceEndTime),
    cancelDeadline: timestampOf(cancel.deadline),
    evidence: cancel.evidence ?? "",
    mechanism: cancel.mechanism ?? "",
  });
  for (const step of [
    "deliverTime",
    "acknowledgeTime",
    "escalateTime",
    "stopTime",
    "stopConfirmedTime",
  ] as const) {
    const time = optionalTimestampOf(cancel[step]);
    if (time) cancellation[step] = time;
  }
  return cancellation;
}

/** How far the cancel has come: what holds it up, if something does, else the last of its steps that has a time. */
export function cancelPhaseOf(cancel: CancelRequest, record: OperationRecord): Cancellation_Phase {
  const hasStopped = cancel.stopTime !== null || cancel.stopConfirmedTime !== null;
  if (hasStopped) return isDone(record.state) ? Cancellation_Phase.STOPPED : Cancellation_Phase.CHILDREN;
  if (record.held !== null) return Cancellation_Phase.UNCONFIRMED;
  if (cancel.deferredBy !== null) return Cancellation_Phase.DEFERRED;
  if (cancel.escalateTime !== null) return Cancellation_Phase.ESCALATED;
  if (cancel.acknowledgeTime !== null) return Cancellation_Phase.ACKNOWLEDGED;
  if (cancel.deliverTime !== null) return Cancellation_Phase.DELIVERED;
  return Cancellation_Phase.REQUESTED;
}
