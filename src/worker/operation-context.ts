// The OperationContext that a handler is given; the same inline and in a thread.
import { RpcError } from "../base/rpc-error.ts";
import { checkJsonLimits, payloadLimits } from "../protocol/json-limits.ts";
import type { Assignment, JsonObject } from "../protocol/worker-connection.ts";
import { startChild } from "./child-operation.ts";
import type { Cleanup, CleanupStack } from "./cleanup-stack.ts";
import type { CriticalGate } from "./critical-gate.ts";
import type { ChildHandle, ChildOptions, OperationContext } from "./define-operation.ts";
import { cutText } from "./handler-failure.ts";
import type { RunRequests } from "./runner.ts";

/** A longer progress message is cut. */
const PROGRESS_MESSAGE_MAX = 1024;
/** A longer name of a critical section is cut. */
export const SECTION_MAX = 256;

/** What a handler may know of its assignment, and what its context needs of it. */
export type ContextFacts = Pick<
  Assignment,
  | "service"
  | "name"
  | "type"
  | "attempt"
  | "createdBy"
  | "checkpoint"
  | "leaseToken"
  | "criticalMs"
  | "cleanupMs"
>;

/** What a context is made of; gate and clean-ups are asked for when the handler needs them. */
export interface ContextParts {
  readonly signal: AbortSignal;
  readonly requests: RunRequests;
  readonly gate: CriticalGate;
  readonly cleanups: CleanupStack;
}

/**
 * Makes a handler's context. `progress` takes percents outside 0-100 to the nearer end and throws a TypeError for
 * NaN; `checkpoint` rejects with RpcError PAYLOAD_TOO_LARGE and its like for a state above the payload limits, and with an error whose cause is
 * the signal's reason once the attempt's lease is lost.
 */
export function createContext(facts: ContextFacts, parts: ContextParts): OperationContext {
  const { signal, requests } = parts;
  let childrenStarted = 0;
  return {
    name: facts.name,
    type: facts.type,
    attempt: facts.attempt,
    createdBy: facts.createdBy,
    checkpointed: facts.checkpoint,
    signal,
    progress(percent: number, message = ""): void {
      requests.progress(clampPercent(percent), cutText(String(message), PROGRESS_MESSAGE_MAX));
    },
    checkpoint(state: JsonObject): Promise<void> {
      const stored = storeCheckpoint(state, requests, signal);
      // A handler that does not wait must not bring the whole worker down with an unhandled rejection.
      stored.catch(() => {});
      return stored;
    },
    log(message: string, fields?: JsonObject): void {
      requests.log(String(message), fields);
    },
    async critical<T>(reason: string, work: () => T | Promise<T>): Promise<T> {
      checkSection(facts, reason);
      signal.throwIfAborted();
      const leave = parts.gate.enter(cutText(reason, SECTION_MAX));
      try {
        return await work();
      } finally {
        // Before this promise settles: an abort that was held back has fired when the handler goes on.
        leave();
      }
    },
    onCleanup(step: Cleanup): void {
      if (facts.cleanupMs === 0)
        throw new TypeError(`operation type ${facts.type} declares no cleanupMs, the time for its clean-up`);
      parts.cleanups.push(step);
    },
    async start(type: string, options: ChildOptions = {}): Promise<ChildHandle> {
      const requestId = options.requestId ?? `${facts.leaseToken}.${++childrenStarted}`;
      return await startChild({ ...options, type, requestId }, { parent: facts, requests, signal });
    },
  };
}

function checkSection({ type, criticalMs }: ContextFacts, reason: string): void {
  if (criticalMs === 0)
    throw new TypeError(
      `operation type ${type} declares no criticalMs, the longest time of a critical section`,
    );
  if (typeof reason !== "string" || reason === "")
    throw new TypeError("a critical section needs a reason, for those who wait");
}

async function storeCheckpoint(
  state: JsonObject,
  requests: Pick<RunRequests, "checkpoint">,
  signal: AbortSignal,
): Promise<void> {
  checkJsonLimits(state, "checkpoint", payloadLimits);
  try {
    await requests.checkpoint(state);
  } catch (error) {
    if (!signal.aborted || error instanceof RpcError) throw error;
    // A handler that lets this pass has stopped because of the abort.
    throw new Error(error instanceof Error ? error.message : String(error), { cause: signal.reason });
  }
}

/** Throws a TypeError for what is no number. */
export function clampPercent(percent: number): number {
  if (typeof percent !== "number" || Number.isNaN(percent)) {
    throw new TypeError(`progress ${String(percent)} is not a number from 0 to 100`);
  }
  return Math.min(100, Math.max(0, percent));
}
