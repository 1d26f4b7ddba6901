// From what is stored to belay.v1.Operation: everything that is known of an operation, or what a list shows of it.
import { create, type Registry } from "@bufbuild/protobuf";
import {
  type AttemptRecord,
  isDone,
  type OperationDetail,
  type OperationRecord,
} from "../../engine/operation.ts";
import type { ChildSummary, ListedOperation } from "../../engine/store.ts";
import {
  type Attempt,
  AttemptSchema,
  type Operation,
  OperationSchema,
  ProgressSchema,
} from "../../protocol/gen/belay/v1/operations_pb.ts";
import { optionalTimestampOf, timestampOf } from "../wire-time.ts";
import { projectCancellation } from "./cancellation-projection.ts";
import { projectChild, projectParent, projectState } from "./family-projection.ts";
import { etagOf } from "./request-fields.ts";
import { jsonOf, projectResult, projectStatus } from "./result-projection.ts";

/** belay.v1.Operation of everything that is known. */
export function projectOperation(
  detail: OperationDetail,
  registry: Registry,
  children: readonly ChildSummary[] = [],
): Operation {
  const operation = projectListed(detail);
  operation.attempts = detail.attempts.map(projectAttempt);
  operation.children = children.map(projectChild);
  if (detail.request) operation.payload = jsonOf(detail.request, registry);
  if (detail.checkpoint) operation.checkpoint = jsonOf(detail.checkpoint, registry);
  return operation;
}

/** belay.v1.Operation as lists and watches show it: without payload, checkpoint, attempts and children. */
export function projectListed(listed: ListedOperation): Operation {
  const { record, labels } = listed;
  const operation = create(OperationSchema, {
    name: record.name,
    type: record.type,
    state: projectState(record.state),
    done: isDone(record.state),
    attempt: record.attempt,
    maxAttempts: record.policy.maxAttempts,
    worker: workerOf(record),
    createdBy: record.createdBy,
    description: record.description,
    labels: { ...labels },
    result: projectResult(listed),
    etag: etagOf(record.revision),
    priority: record.priority,
    concurrencyKey: record.concurrencyKey,
    supersedeKey: record.supersedeKey,
    rerunOf: record.rerunOf,
    parents: record.parents.map(projectParent),
    childCount: record.children?.started ?? 0,
    held: record.held !== null,
  });
  setTimes(operation, record);
  if (record.progress) operation.progress = create(ProgressSchema, record.progress);
  if (record.cancel) operation.cancellation = projectCancellation(record.cancel, record);
  return operation;
}

/** The session that has it, or that had it when its cancel was not confirmed. */
function workerOf({ lease, cancel, held }: OperationRecord): string {
  return (lease ?? (cancel && held))?.session ?? "";
}

function setTimes(operation: Operation, record: OperationRecord): void {
  operation.createTime = timestampOf(record.createTime);
  operation.updateTime = timestampOf(record.updateTime);
  const startTime = optionalTimestampOf(record.attemptStartTime);
  const endTime = optionalTimestampOf(record.doneTime);
  const deadline = optionalTimestampOf(record.deadline);
  const deleteTime = optionalTimestampOf(record.deleteTime);
  const watchDeadline = optionalTimestampOf(isDone(record.state) ? null : record.watchDeadline);
  if (startTime) operation.startTime = startTime;
  if (endTime) operation.endTime = endTime;
  if (deadline) operation.deadline = deadline;
  if (deleteTime) operation.deleteTime = deleteTime;
  if (watchDeadline) operation.watchDeadline = watchDeadline;
  // Set at the start of each operation: shown only where it is a delay.
  const isDelayed = record.state === "PENDING" && record.startAfter > record.createTime;
  if (isDelayed) operation.notBefore = timestampOf(record.startAfter);
}

function projectAttempt(record: AttemptRecord): Attempt {
  const attempt = create(AttemptSchema, {
    attempt: record.attempt,
    worker: record.session,
    startTime: timestampOf(record.startTime),
    endTime: timestampOf(record.endTime),
    outcome: record.outcome,
  });
  if (record.error) attempt.error = projectStatus(record.error);
  return attempt;
}
