// A model as JSON, in a checkpoint or in a response: its weights as base64 of 16-bit floats. With them the largest
// network that may be trained takes 249 KiB, where a checkpoint may have 256; an accuracy does not change for it.
/// <reference lib="esnext.float16" />
import type { JsonObject } from "belayd/worker";
import { CLASSES, IMAGE_PIXELS } from "./digits.ts";
import { weightCount } from "./network.ts";

const BYTES = 2;

/** What a checkpoint says of a model, and a response. */
export interface StoredModel extends JsonObject {
  inputs: number;
  hidden: number;
  outputs: number;
  /** IEEE 754 binary16, little-endian: input[784][hidden], inputBias[hidden], output[hidden][10], outputBias[10]. */
  encoding: "float16";
  /** Base64. */
  weights: string;
}

export function storeModel(hidden: number, weights: Float32Array): StoredModel {
  const bytes = Buffer.alloc(weights.length * BYTES);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (const [index, weight] of weights.entries()) view.setFloat16(index * BYTES, weight, true);
  return {
    inputs: IMAGE_PIXELS,
    hidden,
    outputs: CLASSES,
    encoding: "float16",
    weights: bytes.toString("base64"),
  };
}

/** The weights of a stored model. Throws a RangeError if they are not as many as its hidden units have. */
export function readModel({ hidden, weights }: StoredModel): Float32Array {
  const bytes = Buffer.from(weights, "base64");
  const count = weightCount(hidden);
  if (bytes.length !== count * BYTES) {
    throw new RangeError(`the model has ${bytes.length} bytes; ${hidden} hidden units have ${count * BYTES}`);
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return Float32Array.from({ length: count }, (_, index) => view.getFloat16(index * BYTES, true));
}
