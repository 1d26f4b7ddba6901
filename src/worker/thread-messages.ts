// What a worker and the thread of one attempt say to each other. Everything crosses by structured clone.
import type { AbortCause } from "../base/abort-reasons.ts";
import type { ChildState, JsonObject } from "../protocol/worker-connection.ts";
import type { ContextFacts } from "./operation-context.ts";
import type { ChildOrder, Failure } from "./runner.ts";

/** The thread's workerData. */
export interface ThreadStart {
  /** URL of the module that exports `handler`. */
  module: string;
  facts: ContextFacts;
  input: JsonObject;
}

/** An OperationAborted as data; the thread makes its own, so that identity holds there. */
export interface AbortFacts {
  cause: AbortCause;
  reason: string;
  requestedBy: string;
  graceMs: number;
  force: boolean;
}

/** What the thread waits for an answer to. */
export type ThreadRequest =
  | { type: "checkpoint"; state: JsonObject }
  | { type: "startChild"; order: ChildOrder }
  | { type: "waitChild"; service: string | undefined; name: string };

/** Why a request failed: a ChildRefused where `refusal` is set. */
export interface RequestProblem {
  message: string;
  refusal: { code: number; reason: string } | null;
}

export type ToThread =
  | { type: "abort"; abort: AbortFacts }
  /** The abort comes now, whatever section runs. */
  | { type: "cut" }
  | { type: "answered"; id: number; child: ChildState | null }
  | { type: "failed"; id: number; problem: RequestProblem };

export type FromThread =
  | { type: "progress"; percent: number; message: string }
  | { type: "request"; id: number; request: ThreadRequest }
  | { type: "log"; message: string; fields: JsonObject | undefined }
  /** The section that runs now, or null; told at once, since the handler may compute on without a pause. */
  | { type: "critical"; section: string | null }
  | { type: "deferred"; section: string }
  | { type: "acknowledged" }
  | { type: "cleaning" }
  | { type: "returned"; response: JsonObject | null }
  | ({ type: "threw" } & Failure);
