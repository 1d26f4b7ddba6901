// Which attempt an operation's own row tells: then it needs no row of its own.
import type { AttemptRecord, OperationRecord } from "../engine/operation.ts";

/** True for the attempt that succeeded, and ended the operation: the row has all of it but its session. */
export function isToldByRow(
  record: OperationRecord,
  { attempt, startTime, endTime, outcome, error }: AttemptRecord,
): boolean {
  return (
    outcome === "SUCCEEDED" &&
    error === null &&
    record.attempt === attempt &&
    record.attemptStartTime === startTime &&
    record.doneTime === endTime
  );
}
