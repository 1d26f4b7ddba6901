// From what is stored to belay.v1: everything that is known of an operation, and the receipt of its cancel.
import { create, type Registry } from "@bufbuild/protobuf";
import { type Any, AnySchema } from "@bufbuild/protobuf/wkt";
import type { Verdict as EngineVerdict } from "../../engine/commands.ts";
import {
  type AttemptRecord,
  type CancelRequest,
  isDone,
  type OperationDetail,
  type OperationRecord,
  type OperationState,
  type Payload,
  type StatusValue,
  type StoredReceipt,
} from "../../engine/operation.ts";
import { anyToJson } from "../../protocol/any.ts";
import {
  type Attempt,
  AttemptSchema,
  type Cancellation,
  Cancellation_Phase,
  CancellationSchema,
  type Operation,
  OperationSchema,
  ProgressSchema,
  type Receipt,
  ReceiptEventSchema,
  ReceiptSchema,
  State,
  Verdict,
} from "../../protocol/gen/belay/v1/operations_pb.ts";
import { type Status, StatusSchema } from "../../protocol/gen/google/rpc/status_pb.ts";
import { STRUCT_TYPE_URL, structValue } from "../../protocol/struct.ts";
import type { JsonObject } from "../../protocol/worker-connection.ts";
import { durationBetween, optionalTimestampOf, timestampOf } from "../wire-time.ts";

const verdicts: Record<EngineVerdict, Verdict> = {
  PREVENTED_START: Verdict.PREVENTED_START,
  STOPPING: Verdict.STOPPING,
  ALREADY_STOPPING: Verdict.ALREADY_STOPPING,
  TOO_LATE_SUCCEEDED: Verdict.TOO_LATE_SUCCEEDED,
  TOO_LATE_FAILED: Verdict.TOO_LATE_FAILED,
  ALREADY_CANCELLED: Verdict.ALREADY_CANCELLED,
  REFUSED_NOT_CANCELLABLE: Verdict.REFUSED_NOT_CANCELLABLE,
};

const states: Record<OperationState, State> = {
  PENDING: State.PENDING,
  RUNNING: State.RUNNING,
  CANCELLING: State.CANCELLING,
  SUCCEEDED: State.SUCCEEDED,
  FAILED: State.FAILED,
  CANCELLED: State.CANCELLED,
};

/** The verdict's number on the wire. */
export function projectVerdict(verdict: EngineVerdict): Verdict {
  return verdicts[verdict];
}

/** belay.v1.Operation of everything that is known. */
export function projectOperation(detail: OperationDetail, registry: Registry): Operation {
  const { record } = detail;
  const operation = create(OperationSchema, {
    name: record.name,
    type: record.type,
    state: states[record.state],
    done: isDone(record.state),
    attempt: record.attempt,
    maxAttempts: record.policy.maxAttempts,
    worker: (record.lease ?? (record.cancel && record.held))?.session ?? "",
    createdBy: record.createdBy,
    description: record.description,
    labels: { ...detail.labels },
    result: projectResult(detail),
    // RFC 9110, 8.8.3: an entity tag is quoted.
    etag: `"${record.revision}"`,
    attempts: detail.attempts.map(projectAttempt),
  });
  setTimes(operation, record);
  if (record.progress) operation.progress = create(ProgressSchema, record.progress);
  if (record.cancel) operation.cancellation = projectCancellation(record.cancel, record);
  if (detail.request) operation.payload = jsonOf(detail.request, registry);
  if (detail.checkpoint) operation.checkpoint = jsonOf(detail.checkpoint, registry);
  return operation;
}

/** belay.v1.Receipt of a stored receipt. */
export function projectReceipt(stored: StoredReceipt, registry: Registry): Receipt {
  const { cancel } = stored;
  const receipt = create(ReceiptSchema, {
    name: stored.name,
    type: stored.type,
    requestedBy: cancel.requestedBy,
    reason: cancel.reason,
    origin: cancel.origin,
    cause: cancel.cause,
    requestTime: timestampOf(cancel.requestTime),
    cancelDeadline: timestampOf(cancel.deadline),
    outcome: stored.outcome ?? "",
    mechanism: cancel.mechanism ?? "",
    evidence: cancel.evidence ?? "",
    attempt: stored.attempt,
    worker: stored.session,
    events: stored.events.map((event) =>
      create(ReceiptEventSchema, { ...event, time: timestampOf(event.time) }),
    ),
  });
  const stopTime = optionalTimestampOf(cancel.stopTime);
  const stopConfirmedTime = optionalTimestampOf(cancel.stopConfirmedTime);
  if (stopTime) receipt.stopTime = stopTime;
  if (stopConfirmedTime) receipt.stopConfirmedTime = stopConfirmedTime;
  if (stored.doneTime !== null) receipt.latency = durationBetween(cancel.requestTime, stored.doneTime);
  if (stored.checkpoint) receipt.checkpoint = jsonOf(stored.checkpoint, registry);
  return receipt;
}

function setTimes(operation: Operation, record: OperationRecord): void {
  operation.createTime = timestampOf(record.createTime);
  operation.updateTime = timestampOf(record.updateTime);
  const startTime = optionalTimestampOf(record.attemptStartTime);
  const endTime = optionalTimestampOf(record.doneTime);
  const deadline = optionalTimestampOf(record.deadline);
  const deleteTime = optionalTimestampOf(record.deleteTime);
  if (startTime) operation.startTime = startTime;
  if (endTime) operation.endTime = endTime;
  if (deadline) operation.deadline = deadline;
  if (deleteTime) operation.deleteTime = deleteTime;
}

function projectResult({ record, response }: OperationDetail): Operation["result"] {
  const { outcome } = record;
  if (outcome === null) return { case: undefined };
  if (outcome.kind === "error") return { case: "error", value: statusOf(outcome.status) };
  return response ? { case: "response", value: anyOf(response) } : { case: undefined };
}

function projectAttempt(record: AttemptRecord): Attempt {
  const attempt = create(AttemptSchema, {
    attempt: record.attempt,
    worker: record.session,
    startTime: timestampOf(record.startTime),
    endTime: timestampOf(record.endTime),
    outcome: record.outcome,
  });
  if (record.error) attempt.error = statusOf(record.error);
  return attempt;
}

function projectCancellation(cancel: CancelRequest, record: OperationRecord): Cancellation {
  const cancellation = create(CancellationSchema, {
    phase: phaseOf(cancel, record),
    cause: cancel.cause,
    requestedBy: cancel.requestedBy,
    reason: cancel.reason,
    requestTime: timestampOf(cancel.requestTime),
    cancelDeadline: timestampOf(cancel.deadline),
    evidence: cancel.evidence ?? "",
    mechanism: cancel.mechanism ?? "",
  });
  const deliverTime = optionalTimestampOf(cancel.deliverTime);
  const acknowledgeTime = optionalTimestampOf(cancel.acknowledgeTime);
  const stopTime = optionalTimestampOf(cancel.stopTime);
  const stopConfirmedTime = optionalTimestampOf(cancel.stopConfirmedTime);
  if (deliverTime) cancellation.deliverTime = deliverTime;
  if (acknowledgeTime) cancellation.acknowledgeTime = acknowledgeTime;
  if (stopTime) cancellation.stopTime = stopTime;
  if (stopConfirmedTime) cancellation.stopConfirmedTime = stopConfirmedTime;
  return cancellation;
}

/** How far the cancel has come: the last of its steps that has a time. */
function phaseOf(cancel: CancelRequest, record: OperationRecord): Cancellation["phase"] {
  if (cancel.stopTime !== null || cancel.stopConfirmedTime !== null) return Cancellation_Phase.STOPPED;
  if (record.held !== null) return Cancellation_Phase.UNCONFIRMED;
  if (cancel.escalateTime !== null) return Cancellation_Phase.ESCALATED;
  if (cancel.acknowledgeTime !== null) return Cancellation_Phase.ACKNOWLEDGED;
  if (cancel.deliverTime !== null) return Cancellation_Phase.DELIVERED;
  return Cancellation_Phase.REQUESTED;
}

function statusOf(status: StatusValue): Status {
  return create(StatusSchema, {
    code: status.code,
    message: status.message,
    details: status.details.map(anyOf),
  });
}

function anyOf(payload: Payload): Any {
  return create(AnySchema, { typeUrl: payload.typeUrl, value: payload.bytes });
}

/** The JSON of a payload: a Struct's own object; a typed one as an Any, with its `@type`. */
function jsonOf(payload: Payload, registry: Registry): JsonObject {
  return payload.typeUrl === STRUCT_TYPE_URL ? structValue(payload) : anyToJson(payload, registry);
}
