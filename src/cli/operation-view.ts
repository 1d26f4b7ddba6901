// How operations and receipts look in tables and in `label  value` lists.
import type { JsonValue } from "@bufbuild/protobuf";
import { durationMs, type Timestamp, timestampDate, timestampMs } from "@bufbuild/protobuf/wkt";
import { statusCodeName } from "../base/status-code.ts";
import { responseJson } from "../client/operation-json.ts";
import {
  Cancellation_PhaseSchema,
  type Operation,
  type Receipt,
  StateSchema,
} from "../protocol/gen/belay/v1/operations_pb.ts";
import { formatDuration } from "./duration.ts";
import { type Cell, printable } from "./output.ts";

const stateStyles: Readonly<Record<string, NonNullable<Cell["style"]>>> = {
  PENDING: "dim",
  RUNNING: "cyan",
  CANCELLING: "yellow",
  SUCCEEDED: "green",
  FAILED: "red",
  CANCELLED: "yellow",
};

/** The name of the operation's state, for instance `RUNNING`. */
export function stateName(operation: Operation): string {
  return StateSchema.value[operation.state]?.name ?? String(operation.state);
}

/** The state as a coloured cell. */
export function stateCell(operation: Operation): Cell {
  const text = stateName(operation);
  const style = stateStyles[text];
  return style ? { text, style } : { text };
}

/** `42% page 3 of 7`, or "". */
export function progressText(operation: Operation): string {
  const { progress } = operation;
  if (!progress) return "";
  return printable(`${Math.floor(progress.percent)}% ${progress.message}`);
}

/** How long the operation has existed, or took, in milliseconds; `nowMs` is the wall clock. */
export function elapsedMs(operation: Operation, nowMs: number): number {
  const start = operation.createTime ? timestampMs(operation.createTime) : nowMs;
  return (operation.endTime ? timestampMs(operation.endTime) : nowMs) - start;
}

/** The columns of `belay list`. */
export const listHeader: readonly string[] = ["NAME", "TYPE", "STATE", "CREATED", "PROGRESS"];

/** One row of `belay list`. */
export function listRow(operation: Operation): Cell[] {
  const { name, type } = operation;
  return [
    { text: name },
    { text: type },
    stateCell(operation),
    { text: timeText(operation.createTime, "seconds") },
    { text: progressText(operation) },
  ];
}

/** Everything that `belay get` shows. */
export function operationFields(operation: Operation): [string, Cell | string | undefined][] {
  const { attempt, maxAttempts, labels } = operation;
  return [
    ["name", operation.name],
    ["type", operation.type],
    ["state", stateCell(operation)],
    ["progress", progressText(operation)],
    ["description", operation.description],
    [
      "labels",
      Object.entries(labels)
        .map(([key, value]) => `${key}=${value}`)
        .join(" "),
    ],
    ["payload", jsonText(operation.payload)],
    ["attempt", attempt > 0 ? `${attempt} of ${maxAttempts}` : ""],
    ["worker", operation.worker],
    ["created", timeText(operation.createTime)],
    ["created by", operation.createdBy],
    ["started", timeText(operation.startTime)],
    ["ended", timeText(operation.endTime)],
    ["deadline", timeText(operation.deadline)],
    ["deleted", timeText(operation.deleteTime)],
    ...operation.attempts.map((past): [string, string] => [
      `attempt ${past.attempt}`,
      [past.outcome, timeText(past.endTime), errorText(past.error)].filter(Boolean).join(" "),
    ]),
    ["cancel", cancellationText(operation)],
    ["checkpoint", jsonText(operation.checkpoint)],
    ...resultFields(operation),
  ];
}

/** What a wait shows at its end. */
export function outcomeFields(operation: Operation, nowMs: number): [string, Cell | string | undefined][] {
  return [
    ["name", operation.name],
    ["state", stateCell(operation)],
    [operation.done ? "took" : "so far", formatDuration(elapsedMs(operation, nowMs))],
    ["progress", operation.done ? "" : progressText(operation)],
    ["cancel", cancellationText(operation)],
    ...resultFields(operation),
  ];
}

/** Everything that `belay receipt` shows. */
export function receiptFields(receipt: Receipt): [string, Cell | string | undefined][] {
  return [
    ["name", receipt.name],
    ["type", receipt.type],
    ["cause", receipt.cause],
    ["requested by", receipt.requestedBy],
    ["reason", receipt.reason],
    ["origin", receipt.origin],
    ["requested", timeText(receipt.requestTime)],
    ["cancel deadline", timeText(receipt.cancelDeadline)],
    ["outcome", receipt.outcome || "still open"],
    ["mechanism", receipt.mechanism],
    ["evidence", receipt.evidence],
    ["attempt", receipt.attempt > 0 ? String(receipt.attempt) : ""],
    ["worker", receipt.worker],
    ["stopped", timeText(receipt.stopTime)],
    ["confirmed later", timeText(receipt.stopConfirmedTime)],
    ["latency", receipt.latency && formatDuration(durationMs(receipt.latency))],
    ["checkpoint", jsonText(receipt.checkpoint)],
    ...receipt.events.map((event): [string, string] => [
      "event",
      [timeText(event.time), event.kind, event.by && `by ${event.by}`, event.detail]
        .filter(Boolean)
        .join(" "),
    ]),
  ];
}

function resultFields(operation: Operation): [string, Cell | string | undefined][] {
  if (operation.result.case === "error")
    return [["error", { text: errorText(operation.result.value), style: "red" }]];
  return [["response", jsonText(responseJson(operation))]];
}

function cancellationText({ cancellation, done }: Operation): string {
  if (!cancellation) return "";
  const phase = Cancellation_PhaseSchema.value[cancellation.phase]?.name ?? "";
  const { cause, requestedBy, reason, evidence, mechanism, cancelDeadline, stopTime } = cancellation;
  return [
    phase,
    cause === "deadline" ? "by the deadline" : `by ${requestedBy}`,
    reason && JSON.stringify(reason),
    evidence && `evidence ${evidence}`,
    mechanism && mechanism !== "NONE" && `mechanism ${mechanism}`,
    stopTime && `stopped ${timeText(stopTime)}`,
    !done && cancelDeadline && `ends by ${timeText(cancelDeadline)}`,
  ]
    .filter(Boolean)
    .join(", ");
}

/** `NOT_FOUND: message`, or "". */
export function errorText(status: { code: number; message: string } | undefined): string {
  return status ? `${statusCodeName(status.code)}: ${status.message}` : "";
}

/** RFC 3339 in UTC, to the millisecond or the second; "" without a time. */
function timeText(
  time: Timestamp | undefined,
  precision: "seconds" | "milliseconds" = "milliseconds",
): string {
  if (!time) return "";
  const text = timestampDate(time).toISOString();
  return precision === "seconds" ? text.replace(/\.\d+Z$/, "Z") : text;
}

/** Longer JSON is cut: a checkpoint may be 256 KiB. */
const JSON_TEXT_MAX = 500;

/** Compact JSON for a field; "" for none. */
function jsonText(value: JsonValue | undefined): string {
  const text = value === undefined ? "" : JSON.stringify(value);
  if (text.length <= JSON_TEXT_MAX) return text;
  return `${text.slice(0, JSON_TEXT_MAX)}... (${text.length} characters; --json shows all)`;
}
