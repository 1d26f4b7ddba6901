// Scalars and enums from the text of a path variable or a query parameter, typed by the field.
import { type DescEnum, ScalarType } from "@bufbuild/protobuf";
import type { Parsed } from "./parsed.ts";
import { parseBase64 } from "./well-known-text.ts";

/** A value as a message of protobuf-es holds it. */
export type ScalarValue = string | number | bigint | boolean | Uint8Array;

const INT32: readonly [bigint, bigint] = [-(2n ** 31n), 2n ** 31n - 1n];
const UINT32: readonly [bigint, bigint] = [0n, 2n ** 32n - 1n];
const INT64: readonly [bigint, bigint] = [-(2n ** 63n), 2n ** 63n - 1n];
const UINT64: readonly [bigint, bigint] = [0n, 2n ** 64n - 1n];

const FLOAT_MAX = 3.4028234663852886e38;

/**
 * Parses the text of a scalar: decimal integers within their range, `true` and `false`, ProtoJSON's numbers,
 * base64.
 */
export function parseScalar(scalar: ScalarType, text: string): Parsed<ScalarValue> {
  switch (scalar) {
    case ScalarType.STRING:
      return { value: text };
    case ScalarType.BOOL:
      return text === "true" || text === "false"
        ? { value: text === "true" }
        : { problem: "is neither true nor false" };
    case ScalarType.BYTES:
      return parseBase64(text);
    case ScalarType.DOUBLE:
    case ScalarType.FLOAT:
      return parseNumber(text, scalar === ScalarType.FLOAT);
    case ScalarType.INT32:
    case ScalarType.SINT32:
    case ScalarType.SFIXED32:
      return numberOf(parseInteger(text, "int32", INT32));
    case ScalarType.UINT32:
    case ScalarType.FIXED32:
      return numberOf(parseInteger(text, "uint32", UINT32));
    case ScalarType.INT64:
    case ScalarType.SINT64:
    case ScalarType.SFIXED64:
      return parseInteger(text, "int64", INT64);
    case ScalarType.UINT64:
    case ScalarType.FIXED64:
      return parseInteger(text, "uint64", UINT64);
  }
}

/** Parses an enum value: a name, or a number (open enums take numbers that have no name). */
export function parseEnum(desc: DescEnum, text: string): Parsed<number> {
  const named = desc.values.find((value) => value.name === text || value.jsonName === text);
  if (named) return { value: named.number };
  const numeric = parseInteger(text, "int32", INT32);
  const known = desc.values.map((value) => value.name).join(", ");
  if ("problem" in numeric) return { problem: `is none of ${known}` };
  const value = Number(numeric.value);
  if (!desc.open && !desc.values.some((other) => other.number === value))
    return { problem: `is none of ${known}` };
  return { value };
}

function parseInteger(text: string, type: string, [min, max]: readonly [bigint, bigint]): Parsed<bigint> {
  // 20 digits hold every 64-bit integer; the length also keeps BigInt from long work.
  if (!/^-?\d{1,20}$/.test(text)) return { problem: `is no ${type}` };
  const value = BigInt(text);
  return value >= min && value <= max ? { value } : { problem: `is out of the range of ${type}` };
}

function numberOf(parsed: Parsed<bigint>): Parsed<number> {
  return "value" in parsed ? { value: Number(parsed.value) } : parsed;
}

function parseNumber(text: string, isFloat: boolean): Parsed<number> {
  if (text === "NaN" || text === "Infinity" || text === "-Infinity") return { value: Number(text) };
  if (!/^-?\d+(\.\d+)?([eE][+-]?\d+)?$/.test(text)) return { problem: "is no number" };
  const value = Number(text);
  if (!Number.isFinite(value) || (isFloat && Math.abs(value) > FLOAT_MAX))
    return { problem: "is too large a number" };
  return { value };
}
