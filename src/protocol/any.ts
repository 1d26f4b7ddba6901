// google.protobuf.Any as JSON, and messages that hold one. Nothing here throws on what a type registry does
// not know: one operation with a foreign payload must not break Get or List for all.
import {
  type DescField,
  type DescMessage,
  fromBinary,
  type Message,
  type Registry,
  toJson,
} from "@bufbuild/protobuf";
import type { Any } from "@bufbuild/protobuf/wkt";
import { EMPTY_TYPE_URL } from "./empty.ts";
import type { Payload } from "./payload.ts";
import { decodeStruct, STRUCT_TYPE_URL } from "./struct.ts";
import type { JsonObject, JsonValue } from "./worker-connection.ts";

/** Any within Any beyond this is shown as bytes; protobuf-es has no limit for it. */
const NESTED_ANY_MAX = 16;

/** Messages within messages; a Struct 100 levels deep takes 200. */
const RECURSION_MAX = 256;

const ANY_TYPE = "google.protobuf.Any";

/** Messages whose JSON is no object of their fields: in an Any they stand under "value". */
const customJsonTypes: ReadonlySet<string> = new Set(
  [
    "Any Timestamp Duration FieldMask Struct Value ListValue",
    "DoubleValue FloatValue Int64Value UInt64Value Int32Value UInt32Value BoolValue StringValue BytesValue",
  ]
    .join(" ")
    .split(" ")
    .map((name) => `google.protobuf.${name}`),
);

/**
 * The ProtoJSON of an Any: `{"@type", ...fields}`, well-known types under `"value"`, Empty as `{"@type"}`
 * alone (the spec's form; Python clients refuse another). A type that the registry lacks, or bytes that are
 * not of their type, become `{"@type", "value": base64}`. Never throws. A type URL is only compared, never
 * fetched.
 */
export function anyToJson(payload: Payload, registry: Registry): JsonObject {
  return toJsonObject(payload, registry, 0);
}

/** `anyToJson` as text. */
export function anyToJsonText(payload: Payload, registry: Registry): string {
  if (payload.typeUrl === EMPTY_TYPE_URL && payload.bytes.length === 0) return EMPTY_ANY_TEXT;
  return JSON.stringify(anyToJson(payload, registry));
}

const EMPTY_ANY_TEXT = JSON.stringify({ "@type": EMPTY_TYPE_URL });

/**
 * The ProtoJSON of a message: what toJson of protobuf-es answers, but an Any in it, at any depth, is shown as
 * `anyToJson` does. Throws only what toJson throws for the rest (a Timestamp out of range: a bug of the
 * caller).
 */
export function messageToJson(desc: DescMessage, message: Message, registry: Registry): JsonValue {
  return writeMessage(desc, message, registry, 0);
}

function toJsonObject(payload: Payload, registry: Registry, depth: number): JsonObject {
  const { typeUrl, bytes } = payload;
  if (typeUrl === "" && bytes.length === 0) return {};
  if (depth >= NESTED_ANY_MAX) return opaque(payload);
  try {
    if (typeUrl === STRUCT_TYPE_URL) return { "@type": typeUrl, value: decodeStruct(bytes) };
    const desc = registry.getMessage(typeUrl.slice(typeUrl.lastIndexOf("/") + 1));
    if (!desc) return opaque(payload);
    const message = fromBinary(desc, bytes, { recursionLimit: RECURSION_MAX, readUnknownFields: false });
    const json = writeMessage(desc, message, registry, depth + 1);
    if (customJsonTypes.has(desc.typeName)) return { "@type": typeUrl, value: json };
    return { "@type": typeUrl, ...(json as JsonObject) };
  } catch {
    return opaque(payload);
  }
}

function opaque(payload: Payload): JsonObject {
  const { buffer, byteOffset, byteLength } = payload.bytes;
  return { "@type": payload.typeUrl, value: Buffer.from(buffer, byteOffset, byteLength).toString("base64") };
}

function writeMessage(desc: DescMessage, message: Message, registry: Registry, depth: number): JsonValue {
  if (desc.typeName === ANY_TYPE) {
    const { typeUrl, value } = message as Any;
    return toJsonObject({ typeUrl, bytes: value }, registry, depth);
  }
  const anyFields = fieldsWithAny(desc);
  if (anyFields.length === 0) return toJson(desc, message) as JsonValue;

  // protobuf-es writes the rest: a copy without those fields.
  const source = message as unknown as Record<string, unknown>;
  const rest = { ...source };
  for (const field of anyFields) clearField(rest, field);
  const json = toJson(desc, rest as unknown as Message) as JsonObject;
  for (const field of anyFields) {
    const value = readField(source, field);
    if (value !== undefined) {
      json[field.jsonName] = writeField(field, value, registry, depth);
    }
  }
  return json;
}

type MessageField = DescField & { message: DescMessage };

function writeField(field: MessageField, value: unknown, registry: Registry, depth: number): JsonValue {
  const write = (child: unknown): JsonValue => writeMessage(field.message, child as Message, registry, depth);
  if (field.fieldKind === "list") return (value as unknown[]).map(write);
  if (field.fieldKind === "map") {
    return Object.fromEntries(Object.entries(value as object).map(([key, child]) => [key, write(child)]));
  }
  return write(value);
}

/** The value of a set field; undefined for an unset, an empty list, an empty map. */
function readField(source: Record<string, unknown>, field: DescField): unknown {
  if (field.oneof) {
    const oneof = source[field.oneof.localName] as { case?: string; value?: unknown };
    return oneof.case === field.localName ? oneof.value : undefined;
  }
  const value = source[field.localName];
  if (field.fieldKind === "list") return (value as unknown[]).length > 0 ? value : undefined;
  if (field.fieldKind === "map") return Object.keys(value as object).length > 0 ? value : undefined;
  return value;
}

function clearField(target: Record<string, unknown>, field: DescField): void {
  if (field.oneof) {
    const oneof = target[field.oneof.localName] as { case?: string };
    if (oneof.case === field.localName) target[field.oneof.localName] = { case: undefined };
  } else if (field.fieldKind === "list") target[field.localName] = [];
  else if (field.fieldKind === "map") target[field.localName] = {};
  else target[field.localName] = undefined;
}

const anyFieldCache = new WeakMap<DescMessage, readonly MessageField[]>();

/** The fields of a message that are, or may hold at any depth, an Any; in the order of their numbers. */
function fieldsWithAny(desc: DescMessage): readonly MessageField[] {
  const cached = anyFieldCache.get(desc);
  if (cached) return cached;
  const fields = desc.fields
    .filter(
      (field): field is MessageField => field.message !== undefined && holdsAny(field.message, new Set()),
    )
    .sort((a, b) => a.number - b.number);
  anyFieldCache.set(desc, fields);
  return fields;
}

function holdsAny(desc: DescMessage, visited: Set<DescMessage>): boolean {
  if (desc.typeName === ANY_TYPE) return true;
  if (visited.has(desc)) return false;
  visited.add(desc);
  return desc.fields.some((field) => field.message !== undefined && holdsAny(field.message, visited));
}
