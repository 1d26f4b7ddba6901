// The handler of automl.create-model: google.cloud.automl.v1beta1.AutoMl.CreateModel, request and response as ProtoJSON.
// It trains the same network as automl.train; what it learned is in the operation's checkpoint, for a Model has no field
// for it.
import { createHash } from "node:crypto";
import type { JsonObject, OperationContext } from "belayd/worker";
import { DATASET, readModelRequest } from "./model-request.ts";
import { defaultSettings } from "./settings.ts";
import { train } from "./trainer.ts";

/**
 * Takes CreateModelRequest, answers Model: `train_cost` is in whole hours, rounded up, so that it is 1, within any
 * budget; `stop_reason` is MODEL_CONVERGED, for the training ends when its learning rate has come down to nothing.
 */
export async function handler(context: OperationContext, input: JsonObject): Promise<JsonObject> {
  const { parent, displayName, metadata, hidden } = readModelRequest(input);
  const { createTime = new Date().toISOString() } = context.checkpointed ?? {};
  await train(context, { ...defaultSettings, hidden }, { createTime });
  return {
    name: `${parent}/models/${modelId(context.name)}`,
    displayName,
    datasetId: DATASET,
    imageClassificationModelMetadata: { ...metadata, trainCost: "1", stopReason: "MODEL_CONVERGED" },
    createTime,
    updateTime: new Date().toISOString(),
    deploymentState: "UNDEPLOYED",
  };
}

/** The same in each attempt of an operation: `ICN` and 19 digits, as AutoML's image classifiers are named. */
function modelId(operationName: string): string {
  const hash = createHash("sha256").update(operationName).digest().readBigUInt64BE();
  return `ICN${String(hash % 10n ** 19n).padStart(19, "0")}`;
}
