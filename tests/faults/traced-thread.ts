// The traced work in a thread, whose event loop is free.
import type { OperationContext } from "../../src/worker/worker.ts";
import { followPayload, type TracedPayload } from "./traced-work.ts";

export function handler(context: OperationContext, input: TracedPayload): Promise<{ by: string }> {
  return followPayload(context, input);
}
