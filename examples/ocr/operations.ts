// What this example offers; `belay serve --operations examples/ocr/operations.ts` runs it.
import { defineOperation, type OperationDefinition } from "belayd/worker";

export const operations: readonly OperationDefinition[] = [
  defineOperation({
    type: "ocr.recognize",
    kind: "thread",
    module: new URL("./recognize.ts", import.meta.url),
    // Reading a page has no side effect, and the checkpoint keeps what is done: running again is safe.
    maxAttempts: 3,
    // The handler gives up a page at once; a page takes 1-2 s, and none ever a minute.
    graceMs: 5_000,
    stallTimeoutMs: 60_000,
    attemptTimeoutMs: 600_000,
  }),
];
