// The operation types that the command tests serve.
import { existsSync } from "node:fs";
import { delay, startTimer } from "../../src/base/timers.ts";
import { defineOperation, type OperationDefinition } from "../../src/worker/define-operation.ts";

export const operations: readonly OperationDefinition[] = [
  defineOperation({ type: "test.echo" }, async (_, input) => input),
  defineOperation({ type: "test.fail" }, async () => {
    throw new Error("the page\ncannot be \u001b[31mread");
  }),
  defineOperation({ type: "test.crash" }, async (context) => {
    startTimer(0, () => {
      throw new Error("thrown out of the handler");
    });
    await delay(60_000, context.signal);
    return {};
  }),
  // Runs until it is aborted, or the file named by the payload exists.
  defineOperation({ type: "test.hold", graceMs: 5_000 }, async (context, input) => {
    context.progress(42, "page 3 of 7");
    await context.checkpoint({ pages: 3 });
    while (!existsSync(String(input["until"] ?? ""))) await delay(10, context.signal);
    return { held: true };
  }),
  defineOperation({ type: "test.linger", graceMs: 10_000 }, async (context) => {
    context.progress(1);
    await delay(60_000, context.signal).catch(() => {});
    await delay(1_500);
    throw context.signal.reason;
  }),
  defineOperation({ type: "test.stubborn", cancellable: false }, async (context) => {
    await delay(60_000, context.signal);
    return {};
  }),
];
