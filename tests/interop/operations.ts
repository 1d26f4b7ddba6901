// The operation types that the interop tests serve. Responses that a client must read over REST are Empty: a plain
// Google client decodes no other type that it was not built with.
import { delay } from "../../src/base/timers.ts";
import { defineOperation, type OperationDefinition } from "../../src/worker/define-operation.ts";

/** Longer than any test; only a cancel ends it. */
const HOLD_MS = 600_000;

export const operations: readonly OperationDefinition[] = [
  defineOperation({ type: "interop.hold", graceMs: 5_000 }, async (context) => {
    await delay(HOLD_MS, context.signal);
    return undefined;
  }),
  defineOperation({ type: "interop.nap" }, async (context) => {
    await delay(300, context.signal);
    return undefined;
  }),
  defineOperation({ type: "interop.struct" }, async () => ({ pages: 3 })),
  defineOperation({ type: "interop.fail" }, async () => {
    throw new Error("page 2 cannot be read");
  }),
  defineOperation({ type: "interop.stubborn", cancellable: false }, async (context) => {
    await delay(HOLD_MS, context.signal);
    return undefined;
  }),
];
