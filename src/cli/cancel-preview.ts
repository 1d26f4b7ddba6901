// What `belay cancel --preview` shows of one operation.
import type { JsonObject } from "@bufbuild/protobuf";
import { durationMs } from "@bufbuild/protobuf/wkt";
import type { PreviewResult } from "../client/client.ts";
import { messageJson, operationToJson } from "../client/operation-json.ts";
import { CancelPreviewSchema } from "../protocol/gen/belay/v1/operations_pb.ts";
import { formatDuration } from "./duration.ts";
import { childText, stateCell, stateName, timeText } from "./operation-view.ts";
import type { Cell } from "./output.ts";

/** The preview as fields; `verdictText` is the verdict in words. */
export function previewFields(
  { verdict, operation, preview }: PreviewResult,
  verdictText: string,
): [string, Cell | string | undefined][] {
  const { stops, stopCount, runsOn, expectedTime, expectedTimeMost, historyCount, notes } = preview;
  const unnamed = stopCount - stops.length;
  const usual =
    expectedTime &&
    `${formatDuration(durationMs(expectedTime))}, 9 of 10 within ${formatDuration(
      durationMs(expectedTimeMost ?? expectedTime),
    )} (of ${historyCount} earlier cancels of ${operation.type})`;
  return [
    ["name", operation.name],
    ["state", stateCell(operation)],
    ["verdict", `${verdict}: ${verdictText}`],
    ...stops.map(({ name, type, state }): [string, string] => [
      "would stop",
      `${name} ${type} ${stateName({ state })}`,
    ]),
    ["", unnamed > 0 && stops.length > 0 ? `and ${unnamed} more` : ""],
    ...runsOn.map((child): [string, string] => ["would run on", childText(child)]),
    ["ends by", timeText(preview.cancelDeadline)],
    ["usually takes", usual],
    ...notes.map((note): [string, string] => ["note", note]),
  ];
}

/** The preview as one JSON object. */
export function previewToJson({ verdict, operation, preview }: PreviewResult): JsonObject {
  return {
    verdict,
    operation: operationToJson(operation),
    preview: messageJson(CancelPreviewSchema, preview),
  };
}
