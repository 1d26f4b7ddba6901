// How a receipt looks as a `label  value` list.
import { durationMs } from "@bufbuild/protobuf/wkt";
import type { Receipt } from "../protocol/gen/belay/v1/operations_pb.ts";
import { formatDuration } from "./duration.ts";
import { childText, jsonText, timeText } from "./operation-view.ts";
import type { Cell } from "./output.ts";

/** Everything that `belay receipt` shows. */
export function receiptFields(receipt: Receipt): [string, Cell | string | undefined][] {
  return [
    ["name", receipt.name],
    ["type", receipt.type],
    ["cause", receipt.cause],
    ["requested by", receipt.requestedBy],
    ["reason", receipt.reason],
    ["on behalf of", receipt.onBehalfOf],
    ["origin", receipt.origin],
    ["request id", receipt.requestId],
    ["force", receipt.force ? "yes" : ""],
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
      [
        timeText(event.time),
        event.kind,
        event.by && `by ${event.by}`,
        event.onBehalfOf && `on behalf of ${event.onBehalfOf}`,
        event.detail,
      ]
        .filter(Boolean)
        .join(" "),
    ]),
    ...receipt.children.map((child): [string, string] => ["child", childText(child)]),
    ...receipt.parents.map((parent): [string, string] => ["parent", parent.name]),
  ];
}
