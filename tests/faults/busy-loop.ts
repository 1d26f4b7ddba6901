// A thread handler that hears nothing: it never yields to its event loop, and beats into a file from the loop.
import { appendFileSync } from "node:fs";
import type { OperationContext } from "../../src/worker/worker.ts";

/** Never returns. */
export function handler(_context: OperationContext, input: { beats?: unknown }): Promise<undefined> {
  for (let count = 0; ; count++) {
    if (count % 20_000_000 === 0) appendFileSync(String(input.beats), "x");
  }
}
