// A reply's JSON as the request asked for it: response_body, enums as numbers, fields, prettyPrint. Most
// requests ask for none of these, and their reply passes as it is.
import { type DescField, type DescMessage, ScalarType } from "@bufbuild/protobuf";
import type { JsonObject, JsonValue } from "../protocol/worker-connection.ts";
import { findField, hasOwnForm } from "./field-path.ts";
import { applyFieldsMask } from "./fields-mask.ts";
import type { HttpBinding } from "./http-rules.ts";
import type { SystemParameters } from "./system-parameters.ts";

/** Shapes the ProtoJSON text of a reply of type `output`. Enums inside an Any stay names. */
export function shapeResponse(
  text: string,
  output: DescMessage,
  binding: HttpBinding,
  system: SystemParameters,
): string {
  const { responseField } = binding;
  const { enumsAsIntegers, fields, prettyPrint } = system;
  if (!responseField && !enumsAsIntegers && !fields && !prettyPrint) return text;
  let value = JSON.parse(text) as JsonValue;
  if (enumsAsIntegers) value = numberEnums(value, output);
  if (responseField) value = (value as JsonObject)[responseField.jsonName] ?? absentOf(responseField);
  if (fields) value = applyFieldsMask(value, fields);
  return JSON.stringify(value, null, prettyPrint ? 2 : 0);
}

/** ProtoJSON leaves defaults out; a body cannot be left out. */
function absentOf(field: DescField): JsonValue {
  switch (field.fieldKind) {
    case "list":
      return [];
    case "map":
    case "message":
      return {};
    case "enum":
      return field.enum.values[0]?.name ?? 0;
    case "scalar":
      return zeroOf(field.scalar);
  }
}

function zeroOf(scalar: ScalarType): JsonValue {
  // A string, or bytes, or a 64-bit integer, which ProtoJSON writes as a string.
  const zero = scalarZero.get(scalar);
  return zero ?? (scalar === ScalarType.STRING || scalar === ScalarType.BYTES ? "" : "0");
}

const scalarZero: ReadonlyMap<ScalarType, JsonValue> = new Map<ScalarType, JsonValue>([
  [ScalarType.BOOL, false],
  ...[ScalarType.DOUBLE, ScalarType.FLOAT, ScalarType.INT32, ScalarType.SINT32].map(
    (type) => [type, 0] as const,
  ),
  ...[ScalarType.SFIXED32, ScalarType.UINT32, ScalarType.FIXED32].map((type) => [type, 0] as const),
]);

function numberEnums(value: JsonValue, desc: DescMessage): JsonValue {
  if (typeof value !== "object" || value === null || Array.isArray(value) || hasOwnForm(desc)) return value;
  const entries = Object.entries(value).map(([key, child]): [string, JsonValue] => {
    const field = findField(desc, key);
    return [key, field ? numberField(child, field) : child];
  });
  return Object.fromEntries(entries) as JsonObject;
}

function numberField(value: JsonValue, field: DescField): JsonValue {
  const one = (child: JsonValue): JsonValue => {
    if (field.enum) return field.enum.values.find(({ name }) => name === child)?.number ?? child;
    return field.message ? numberEnums(child, field.message) : child;
  };
  if (field.fieldKind === "list") return (value as JsonValue[]).map(one);
  if (field.fieldKind !== "map") return one(value);
  const entries = Object.entries(value as JsonObject).map(([key, child]): [string, JsonValue] => [
    key,
    one(child),
  ]);
  return Object.fromEntries(entries) as JsonObject;
}
