// A thread that computes without a pause and hears nothing.
import { appendFileSync } from "node:fs";
import type { OperationContext } from "../../src/worker/worker.ts";

export function handler(_context: OperationContext, { file }: { file?: string }): Promise<undefined> {
  for (let count = 0; ; count++) if (count % 20_000_000 === 0 && file) appendFileSync(file, "beat\n");
}
