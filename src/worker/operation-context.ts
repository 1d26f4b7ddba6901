// The OperationContext that a handler is given; the same inline and in a thread.
import { checkJsonLimits, payloadLimits } from "../protocol/json-limits.ts";
import type { Assignment, JsonObject } from "../protocol/worker-connection.ts";
import type { OperationContext } from "./define-operation.ts";
import { cutText } from "./handler-failure.ts";
import type { RunListener } from "./runner.ts";

/** A longer progress message is cut. */
const PROGRESS_MESSAGE_MAX = 1024;

/** What a handler may know of its assignment. */
export type ContextFacts = Pick<Assignment, "name" | "type" | "attempt" | "createdBy" | "checkpoint">;

/**
 * Makes a handler's context. `progress` takes percents outside 0-100 to the nearer end and throws a TypeError for
 * NaN; `checkpoint` rejects with RpcError PAYLOAD_TOO_LARGE and its like for a state above the payload limits.
 */
export function createContext(
  facts: ContextFacts,
  signal: AbortSignal,
  listener: Omit<RunListener, "acknowledged">,
): OperationContext {
  return {
    name: facts.name,
    type: facts.type,
    attempt: facts.attempt,
    createdBy: facts.createdBy,
    checkpointed: facts.checkpoint,
    signal,
    progress(percent: number, message = ""): void {
      listener.progress(clampPercent(percent), cutText(String(message), PROGRESS_MESSAGE_MAX));
    },
    checkpoint(state: JsonObject): Promise<void> {
      const stored = storeCheckpoint(state, listener);
      // A handler that does not wait must not bring the whole worker down with an unhandled rejection.
      stored.catch(() => {});
      return stored;
    },
    log(message: string, fields?: JsonObject): void {
      listener.log(String(message), fields);
    },
  };
}

async function storeCheckpoint(state: JsonObject, listener: Pick<RunListener, "checkpoint">): Promise<void> {
  checkJsonLimits(state, "checkpoint", payloadLimits);
  await listener.checkpoint(state);
}

/** Throws a TypeError for what is no number. */
export function clampPercent(percent: number): number {
  if (typeof percent !== "number" || Number.isNaN(percent)) {
    throw new TypeError(`progress ${String(percent)} is not a number from 0 to 100`);
  }
  return Math.min(100, Math.max(0, percent));
}
