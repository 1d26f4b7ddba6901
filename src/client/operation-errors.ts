// How an operation that did not succeed is thrown by result(): by its state, with the operation and its status.
import { type StatusCodeName, statusCodeName } from "../base/status-code.ts";
import { Cancellation_Phase, type Operation, State } from "../protocol/gen/belay/v1/operations_pb.ts";
import type { Status } from "../protocol/gen/google/rpc/status_pb.ts";
import { errorInfoOf } from "./service-error.ts";

/** An operation that has ended without a response. */
export class OperationError extends Error {
  override name = "OperationError";
  /** The operation as it ended, its receipt's facts included (`operation.cancellation`). */
  readonly operation: Operation;
  /** The operation's own error: code, message, details. */
  readonly status: Status | undefined;
  /** The name of the status' google.rpc.Code, for instance `DEADLINE_EXCEEDED`. */
  readonly code: StatusCodeName;
  /** The ErrorInfo reason of the status, for instance `STOP_UNCONFIRMED`; "" if it has none. */
  readonly reason: string;

  constructor(operation: Operation) {
    const status = operation.result.case === "error" ? operation.result.value : undefined;
    super(`${operation.name}: ${status?.message ?? "it ended without a response"}`);
    this.operation = operation;
    this.status = status;
    this.code = statusCodeName(status?.code ?? 2);
    this.reason = reasonOf(operation, status);
  }
}

/** It ended FAILED: the handler failed, its time was over, or its worker was lost. */
export class OperationFailed extends OperationError {
  override name = "OperationFailed";
}

/** It ended CANCELLED: a cancel was committed, and the work is known to have stopped. */
export class OperationCancelled extends OperationError {
  override name = "OperationCancelled";
}

/**
 * It ended FAILED because nobody could confirm that its work stopped: it may still be running. Do not start it again
 * without looking; `operation.cancellation.stopConfirmedTime` is set once evidence came after all.
 */
export class StopUnconfirmed extends OperationFailed {
  override name = "StopUnconfirmed";
}

/** The reason that a message begins with, and that an ErrorInfo carries where there is one. */
const STOP_UNCONFIRMED = "STOP_UNCONFIRMED";

/** The error of an operation that is done and has not succeeded. */
export function operationErrorOf(operation: Operation): OperationError {
  if (operation.state === State.CANCELLED) return new OperationCancelled(operation);
  const error = new OperationFailed(operation);
  return error.reason === STOP_UNCONFIRMED ? new StopUnconfirmed(operation) : error;
}

function reasonOf(operation: Operation, status: Status | undefined): string {
  const reason = status ? errorInfoOf(status).reason : "";
  if (reason !== "") return reason;
  const isUnconfirmed =
    operation.cancellation?.phase === Cancellation_Phase.UNCONFIRMED ||
    status?.message.startsWith(STOP_UNCONFIRMED) === true;
  return isUnconfirmed ? STOP_UNCONFIRMED : "";
}
