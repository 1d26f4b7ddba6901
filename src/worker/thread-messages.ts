// What a worker and the thread of one attempt say to each other. Everything crosses by structured clone.
import type { AbortCause } from "../base/abort-reasons.ts";
import type { JsonObject } from "../protocol/worker-connection.ts";
import type { ContextFacts } from "./operation-context.ts";
import type { Failure } from "./runner.ts";

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
}

export type ToThread =
  | { type: "abort"; abort: AbortFacts }
  | { type: "checkpointStored"; id: number }
  | { type: "checkpointRefused"; id: number; message: string };

export type FromThread =
  | { type: "progress"; percent: number; message: string }
  | { type: "checkpoint"; id: number; state: JsonObject }
  | { type: "log"; message: string; fields: JsonObject | undefined }
  | { type: "acknowledged" }
  | { type: "returned"; response: JsonObject | null }
  | ({ type: "threw" } & Failure);
