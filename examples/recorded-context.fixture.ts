// For the examples' tests: a context made by hand, which writes down what a handler says.
import type { JsonObject, OperationContext } from "belayd/worker";

/** What a handler told its context. */
export class RecordedContext {
  readonly progress: [percent: number, message: string][] = [];
  readonly checkpoints: JsonObject[] = [];
  readonly context: OperationContext;

  constructor({
    signal = new AbortController().signal,
    checkpointed = null,
  }: {
    signal?: AbortSignal;
    checkpointed?: JsonObject | null;
  } = {}) {
    this.context = {
      name: "operations/example",
      type: "example",
      attempt: checkpointed ? 2 : 1,
      createdBy: "test",
      checkpointed,
      signal,
      progress: (percent, message = "") => void this.progress.push([percent, message]),
      checkpoint: async (state) => void this.checkpoints.push(structuredClone(state)),
      log: () => {},
      critical: async (_reason, work) => await work(),
      onCleanup: () => {},
      start: () => Promise.reject(new Error("no children here")),
    };
  }
}
