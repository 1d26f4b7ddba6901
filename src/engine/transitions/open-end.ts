// The end of work of which not all is known to have stopped: the result is known, and the lease is held until there is evidence.
import type { Instant } from "../../base/clock.ts";
import type { CompleteCommand, FailCommand, Refusal } from "../commands.ts";
import { isDone, type OperationRecord } from "../operation.ts";
import { accept, type Transition, unchanged } from "./change.ts";
import { endedUnconfirmed, isHeldBy } from "./stop.ts";

/** `report` is what the command does to the record where nothing may still run. */
export function openEnd(
  record: OperationRecord,
  command: CompleteCommand | FailCommand,
  now: Instant,
  report: Transition | Refusal,
): Transition | Refusal {
  if (!command.mayStillRun) return report;
  if (isHeldBy(record, command)) return unchanged(record);
  if (report.type === "refused" || !isDone(report.record.state) || isDone(record.state)) return report;
  // It does not confirm the cancel, whatever it says of an abort.
  const isStop = command.type === "fail" && record.state === "CANCELLING";
  if (isStop) return endedUnconfirmed(record, now, command.error.message);
  return accept({ ...report.record, held: record.lease }, report.effects);
}
