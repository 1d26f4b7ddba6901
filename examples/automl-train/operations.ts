// What this example offers; `belay serve --operations examples/automl-train/operations.ts` runs it.
import { defineOperation, type OperationDefinition, type ThreadDefinition } from "belayd/worker";
import { checkModelRequest } from "./model-request.ts";
import { checkSettings } from "./settings.ts";

const policy = {
  // Training has no side effect, and the checkpoint keeps the best model: running again is safe.
  maxAttempts: 3,
  // The handler stops within a batch, some milliseconds; an epoch takes a second, and none ever a minute.
  graceMs: 5_000,
  stallTimeoutMs: 60_000,
  attemptTimeoutMs: 3_600_000,
} satisfies Partial<ThreadDefinition>;

export const operations: readonly OperationDefinition[] = [
  defineOperation({
    type: "automl.create-model",
    kind: "thread",
    module: new URL("./create-model.ts", import.meta.url),
    check: checkModelRequest,
    ...policy,
  }),
  defineOperation({
    type: "automl.train",
    kind: "thread",
    module: new URL("./train.ts", import.meta.url),
    check: checkSettings,
    ...policy,
    // Two renames; and two drafts to remove where it comes to none.
    criticalMs: 2_000,
    cleanupMs: 2_000,
  }),
];
