// The limits of JSON values that handlers and callers give: depth, keys, size, and only what JSON can carry.
import { invalidField, RpcError } from "../base/rpc-error.ts";

/** What a JSON value may have at most. */
export interface JsonLimits {
  /** Nested objects and arrays: `{}` has depth 1, `{"a": []}` has 2, a scalar 0. */
  depthMax: number;
  /** Object keys and array elements, over all levels. */
  keysMax: number;
  /** Bytes of the compact JSON text in UTF-8. */
  bytesMax: number;
}

/** The limits of a request, a response or a checkpoint: 100 levels, 10,000 keys, 256 KiB. */
export const payloadLimits: JsonLimits = { depthMax: 100, keysMax: 10_000, bytesMax: 262_144 };

/**
 * Throws unless the value is JSON within the limits: PAYLOAD_TOO_DEEP, PAYLOAD_TOO_MANY_KEYS,
 * PAYLOAD_TOO_LARGE, or INVALID_FIELD for what JSON cannot carry (NaN, Infinity, bigint, functions, class
 * instances, undefined in an array, text that is no well-formed Unicode). A key whose value is undefined is
 * as good as absent. Never deeper on the stack than `depthMax`, so a value 500,000 levels deep, or a cycle,
 * is refused like any other.
 */
export function checkJsonLimits(value: unknown, field: string, limits: JsonLimits): void {
  walk(value, 0, 0, field, limits);
  const size = Buffer.byteLength(JSON.stringify(value));
  if (size > limits.bytesMax) {
    throw new RpcError("PAYLOAD_TOO_LARGE", { field, size, limit: limits.bytesMax });
  }
}

/** Answers the count so far plus the keys and elements at and below `value`. */
function walk(value: unknown, depth: number, before: number, field: string, limits: JsonLimits): number {
  switch (typeof value) {
    case "boolean":
      return before;
    case "string":
      if (!value.isWellFormed()) throw invalidField(field, "holds text that is not well-formed Unicode");
      return before;
    case "number":
      if (!Number.isFinite(value))
        throw invalidField(field, `holds the number ${value}, which JSON cannot carry`);
      return before;
    case "object":
      return value === null ? before : walkObject(value, depth + 1, before, field, limits);
    default:
      throw invalidField(field, `holds a value of type ${typeof value}, which JSON cannot carry`);
  }
}

function walkObject(value: object, depth: number, before: number, field: string, limits: JsonLimits): number {
  if (depth > limits.depthMax) throw new RpcError("PAYLOAD_TOO_DEEP", { field, limit: limits.depthMax });
  let count = before;
  if (Array.isArray(value)) {
    // Before the loop: the length of a sparse array says nothing about the memory it takes.
    count += value.length;
    if (count > limits.keysMax) throw tooManyKeys(field, limits);
    for (let i = 0; i < value.length; i++) count = walk(value[i], depth, count, field, limits);
    return count;
  }
  if (!isPlainObject(value)) {
    throw invalidField(field, "holds a class instance; only plain objects and arrays are JSON");
  }
  for (const key of Object.keys(value)) {
    const child = (value as Record<string, unknown>)[key];
    if (child === undefined) continue;
    if (!key.isWellFormed()) throw invalidField(field, "has a key that is not well-formed Unicode");
    if (++count > limits.keysMax) throw tooManyKeys(field, limits);
    count = walk(child, depth, count, field, limits);
  }
  return count;
}

/** An object literal, or what JSON.parse makes; from any realm. */
function isPlainObject(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}

function tooManyKeys(field: string, limits: JsonLimits): RpcError {
  return new RpcError("PAYLOAD_TOO_MANY_KEYS", { field, limit: limits.keysMax });
}
