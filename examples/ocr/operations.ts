// What this example offers; `belay serve --operations examples/ocr/operations.ts` runs it.
import { defineOperation, type OperationDefinition, type ThreadDefinition } from "belayd/worker";
import { checkDocument } from "./documents.ts";
import { checkRecognizeRequest } from "./recognize-request.ts";

const policy = {
  // Reading a page has no side effect: running again is safe.
  maxAttempts: 3,
  // The handlers give up a page at once; a page takes 1-2 s, and none ever a minute.
  graceMs: 5_000,
  stallTimeoutMs: 60_000,
  attemptTimeoutMs: 600_000,
} satisfies Partial<ThreadDefinition>;

export const operations: readonly OperationDefinition[] = [
  defineOperation({
    type: "ocr.recognize",
    kind: "thread",
    module: new URL("./recognize.ts", import.meta.url),
    check: checkDocument,
    ...policy,
  }),
  // What TextRecognitionAsyncService.Recognize of the yandex service starts.
  defineOperation({
    type: "yandex.recognize",
    kind: "thread",
    module: new URL("./recognize-text.ts", import.meta.url),
    check: checkRecognizeRequest,
    ...policy,
  }),
];
