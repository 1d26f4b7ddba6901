// How operations look in tables and in `label  value` lists. Receipts are receipt-view.ts's.
import type { JsonValue } from "@bufbuild/protobuf";
import { type Timestamp, timestampDate, timestampMs } from "@bufbuild/protobuf/wkt";
import { statusCodeName } from "../base/status-code.ts";
import { responseJson } from "../client/operation-json.ts";
import {
  Cancellation_PhaseSchema,
  type Child,
  type Operation,
  type ParentLink,
  type State,
  StateSchema,
} from "../protocol/gen/belay/v1/operations_pb.ts";
import { ChildPolicySchema } from "../protocol/gen/belay/v1/policies_pb.ts";
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

/** The name of a state, for instance `RUNNING`. */
export function stateName({ state }: { state: State }): string {
  return StateSchema.value[state]?.name ?? String(state);
}

/** The state as a coloured cell. */
export function stateCell(operation: { state: State }): Cell {
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
    ["priority", operation.priority === 0 ? "" : String(operation.priority)],
    ["key", operation.concurrencyKey],
    ["supersedes", operation.supersedeKey && `what has the key ${operation.supersedeKey}`],
    ["rerun of", operation.rerunOf],
    ...operation.parents.map((link): [string, string] => ["parent", parentText(link)]),
    ["attempt", attempt > 0 ? `${attempt} of ${maxAttempts}` : ""],
    ["worker", operation.worker],
    ["held", operation.held ? heldText(operation) : undefined],
    ["created", timeText(operation.createTime)],
    ["created by", operation.createdBy],
    ["not before", timeText(operation.notBefore)],
    ["started", timeText(operation.startTime)],
    ["ended", timeText(operation.endTime)],
    ["deadline", timeText(operation.deadline)],
    ["watched until", timeText(operation.watchDeadline)],
    ["deleted", timeText(operation.deleteTime)],
    ...operation.attempts.map((past): [string, string] => [
      `attempt ${past.attempt}`,
      [past.outcome, timeText(past.endTime), errorText(past.error)].filter(Boolean).join(" "),
    ]),
    ...operation.children.map((child): [string, string] => ["child", childText(child)]),
    ["children", childCountText(operation)],
    ...cancellationFields(operation),
    ["checkpoint", jsonText(operation.checkpoint)],
    ...resultFields(operation),
  ];
}

/** Where a reader goes on from `belay get`; "" when there is nothing to explain. */
export function explainHint({ name, done, held }: Operation): string {
  if (held && done)
    return `belay release-held ${name} --reason ... frees its slot, once you know that the work is gone`;
  return done ? "" : `belay explain ${name} says why it is not done`;
}

/** Work that may still run, in words. */
function heldText({ done }: Operation): Cell {
  const text = done
    ? "its stop was never confirmed: the work may still run, and its slot stays taken"
    : "an earlier attempt may still run, and its slot stays taken";
  return { text, style: "red" };
}

/** `operations/x ocr.page RUNNING, cancelled with it`. */
export function childText({ name, type, state, policy, detached }: Child): string {
  const rule = detached ? "detached" : childRules[ChildPolicySchema.value[policy]?.name ?? ""];
  return [`${name} ${type} ${stateName({ state })}`, rule].filter(Boolean).join(", ");
}

const childRules: Readonly<Record<string, string>> = {
  CANCEL: "cancelled with it",
  ABANDON: "runs on without it",
  WAIT: "runs on, and is waited for",
};

function parentText({ name, detached }: ParentLink): string {
  return detached ? `${name}, detached` : name;
}

function childCountText({ name, childCount, children }: Operation): string {
  if (childCount <= children.length) return "";
  return `${childCount} in all; belay list --filter 'parents:"${name}"' lists them`;
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

function resultFields(operation: Operation): [string, Cell | string | undefined][] {
  if (operation.result.case === "error")
    return [["error", { text: errorText(operation.result.value), style: "red" }]];
  return [["response", jsonText(responseJson(operation))]];
}

/** Who asked for the cancel, and how far it is, in one line; "" without one. */
export function cancellationText({ cancellation, done }: Operation): string {
  if (!cancellation) return "";
  const phase = Cancellation_PhaseSchema.value[cancellation.phase]?.name ?? "";
  const { cause, requestedBy, onBehalfOf, reason, evidence, mechanism, cancelDeadline, stopTime } =
    cancellation;
  return [
    phase,
    causeText(cause, requestedBy),
    onBehalfOf && `on behalf of ${onBehalfOf}`,
    reason && JSON.stringify(reason),
    cancellation.force && "by force",
    evidence && `evidence ${evidence}`,
    mechanism && mechanism !== "NONE" && `mechanism ${mechanism}`,
    stopTime && `stopped ${timeText(stopTime)}`,
    !done && cancelDeadline && `ends by ${timeText(cancelDeadline)}`,
  ]
    .filter(Boolean)
    .join(", ");
}

/** What brought the cancel: a caller, or one of the rules. */
export function causeText(cause: string, requestedBy: string): string {
  if (cause === "cancel" || cause === "") return `by ${requestedBy}`;
  const rule = causes[cause] ?? cause;
  return requestedBy === "" ? rule : `${rule} (${requestedBy})`;
}

const causes: Readonly<Record<string, string>> = {
  deadline: "by the deadline",
  parent: "with its parent",
  superseded: "by a newer operation",
  unwatched: "since nobody watched it",
};

/** The cancel in one line, and its steps with their times. */
function cancellationFields(operation: Operation): [string, string][] {
  const { cancellation, done } = operation;
  if (!cancellation) return [];
  const steps: [string, string][] = [
    ["requested", timeText(cancellation.requestTime)],
    ["delivered", timeText(cancellation.deliverTime)],
    ["deferred", !done && cancellation.deferredBy ? `by a critical section: ${cancellation.deferredBy}` : ""],
    ["acknowledged", timeText(cancellation.acknowledgeTime)],
    ["force from", done || cancellation.escalateTime ? "" : timeText(cancellation.graceEndTime)],
    ["escalated", timeText(cancellation.escalateTime)],
    ["stopped", timeText(cancellation.stopTime)],
    ["confirmed later", timeText(cancellation.stopConfirmedTime)],
  ];
  return [
    ["cancel", cancellationText(operation)],
    ...steps.map(([step, text]): [string, string] => [`- ${step}`, text]),
  ];
}

/** `NOT_FOUND: message`, or "". */
export function errorText(status: { code: number; message: string } | undefined): string {
  return status ? `${statusCodeName(status.code)}: ${status.message}` : "";
}

/** A time as RFC 3339 in UTC, to the millisecond or the second; "" without a time. */
export function timeText(
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
export function jsonText(value: JsonValue | undefined): string {
  const text = value === undefined ? "" : JSON.stringify(value);
  if (text.length <= JSON_TEXT_MAX) return text;
  return `${text.slice(0, JSON_TEXT_MAX)}... (${text.length} characters; --json shows all)`;
}
