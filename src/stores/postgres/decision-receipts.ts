// The receipts of a decision: the head of each, which follows its operation, and its lines.
import { type Decision, keyText } from "../../engine/decision.ts";
import type { OperationRecord } from "../../engine/operation.ts";
import type { SqlValue } from "../operation-rows.ts";
import { insertReceiptEvents, putReceipts } from "./commit-statements.ts";
import { keyRow } from "./key-rows.ts";
import type { Step } from "./postgres-burst.ts";
import type { LoadedReadSet } from "./read-set.ts";

/** Every change of an operation that has a cancel is on its receipt. */
export function receiptSteps(decision: Decision, loaded: LoadedReadSet): Step[] {
  const records = [...decision.inserted.map(({ record }) => record), ...decision.updated];
  const heads = records.flatMap((record) => headRow(record, loaded) ?? []).map((row) => [...row]);
  const lines = lineRows(decision);
  return [
    ...(heads.length > 0 ? [putReceipts.step(heads)] : []),
    ...(lines.length > 0 ? [insertReceiptEvents.step(lines)] : []),
  ];
}

function headRow(record: OperationRecord, loaded: LoadedReadSet): [readonly SqlValue[]] | null {
  const { type, cancel, doneTime, attempt } = record;
  if (cancel === null) return null;
  const outcome = doneTime === null ? null : record.state;
  const lease = record.lease ?? record.held ?? loaded.operations.get(keyText(record))?.lease;
  const text = JSON.stringify(cancel);
  return [[...keyRow(record), type, text, outcome, doneTime, stopMs(record), attempt, lease?.session ?? ""]];
}

/** In their order, which is their place among all events. */
function lineRows({ receipts }: Decision): SqlValue[][] {
  const counts = new Map<string, number>();
  return receipts.map(({ event, ...key }) => {
    const text = keyText(key);
    const nth = (counts.get(text) ?? 0) + 1;
    counts.set(text, nth);
    const { time, kind, detail, by, onBehalfOf = null, requestId = null } = event;
    return [...keyRow(key), nth, time, kind, detail, by, onBehalfOf, requestId];
  });
}

/** How long it took to stop work, in milliseconds; null for what never ran, or is not known to have stopped. */
function stopMs({ cancel, doneTime }: OperationRecord): number | null {
  if (cancel === null || doneTime === null || cancel.stopTime === null) return null;
  return cancel.evidence === "NEVER_STARTED" ? null : (doneTime - cancel.requestTime) / 1000;
}
