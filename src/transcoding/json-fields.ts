// What is wrong with a JSON body, by field: names that a message does not have, and values that its reader
// refuses. The reading itself is protobuf-es's; this says where it would fail, in the words of Google's
// servers.
import { type DescField, type DescMessage, fromJson, type Registry } from "@bufbuild/protobuf";
import type { FieldViolation } from "../base/rpc-error.ts";
import type { JsonObject, JsonValue } from "../protocol/worker-connection.ts";
import { findField, hasOwnForm } from "./field-path.ts";
import { parseDuration, parseTimestamp } from "./well-known-text.ts";

/** More are not told. */
const VIOLATIONS_MAX = 16;

/**
 * The unknown names in a JSON object, and the times and durations that protobuf-es would take though they are
 * none. The depth of the value has been checked.
 */
export function findFieldViolations(desc: DescMessage, json: JsonObject): FieldViolation[] {
  const violations: FieldViolation[] = [];
  walkObject(desc, json, "", violations);
  return violations.slice(0, VIOLATIONS_MAX);
}

function walkObject(desc: DescMessage, json: JsonObject, path: string, found: FieldViolation[]): void {
  for (const key of Object.keys(json)) {
    if (found.length >= VIOLATIONS_MAX) return;
    const field = findField(desc, key);
    if (!field) found.push(unknownName(key, path));
    else if (field.message)
      walkField(field, field.message, json[key] ?? null, joined(path, field.name), found);
  }
}

function walkField(
  field: DescField,
  desc: DescMessage,
  value: JsonValue,
  path: string,
  found: FieldViolation[],
): void {
  if (field.fieldKind === "list" && Array.isArray(value)) {
    for (const [i, element] of value.entries()) walkMessage(desc, element, `${path}[${i}]`, found);
  } else if (field.fieldKind === "map" && isObject(value)) {
    for (const [key, child] of Object.entries(value))
      walkMessage(desc, child, `${path}[${JSON.stringify(key)}]`, found);
  } else if (field.fieldKind === "message") {
    walkMessage(desc, value, path, found);
  }
}

function walkMessage(desc: DescMessage, value: JsonValue, path: string, found: FieldViolation[]): void {
  if (!hasOwnForm(desc)) {
    if (isObject(value)) walkObject(desc, value, path, found);
    return;
  }
  if (typeof value !== "string" || found.length >= VIOLATIONS_MAX) return;
  const parse = strictParsers.get(desc.typeName);
  const parsed = parse?.(value);
  if (parsed && "problem" in parsed)
    found.push({ field: path, description: `Invalid value at '${path}': ${parsed.problem}` });
}

const strictParsers = new Map([
  ["google.protobuf.Duration", parseDuration],
  ["google.protobuf.Timestamp", parseTimestamp],
]);

function unknownName(key: string, path: string): FieldViolation {
  const name = JSON.stringify(key.length > 64 ? `${key.slice(0, 63)}…` : key);
  const at = path && ` at '${path}'`;
  const description = `Invalid JSON payload received. Unknown name ${name}${at}: Cannot find field.`;
  return { field: path, description };
}

/**
 * Why protobuf-es refused an object: the first field, at any depth, that it refuses alone. Called only after
 * it refused the whole. Its own errors name a message's field, not the path to it.
 */
export function locateJsonError(
  desc: DescMessage,
  json: JsonObject,
  error: unknown,
  registry: Registry,
  path = "",
): FieldViolation {
  for (const key of Object.keys(json)) {
    const field = findField(desc, key);
    const value = json[key] ?? null;
    const cause = field && refusal(desc, Object.fromEntries([[key, value]]) as JsonObject, registry);
    if (!field || !cause) continue;
    const fieldPath = joined(path, field.name);
    if (field.fieldKind === "message" && !hasOwnForm(field.message) && isObject(value)) {
      return locateJsonError(field.message, value, cause, registry, fieldPath);
    }
    return { field: fieldPath, description: `Invalid value at '${fieldPath}': ${reasonOf(cause)}` };
  }
  // Each field is fine alone: two of them exclude each other.
  return { field: path, description: `Invalid value${path && ` at '${path}'`}: ${reasonOf(error)}` };
}

function refusal(desc: DescMessage, json: JsonObject, registry: Registry): unknown {
  try {
    fromJson(desc, json, { registry, recursionLimit: JSON_RECURSION_MAX });
    return undefined;
  } catch (error) {
    return error;
  }
}

/**
 * Messages within messages as protobuf-es counts them in JSON; every value in a Struct is one. Above the
 * doors' limit.
 */
export const JSON_RECURSION_MAX = 256;

/** The end of protobuf-es's text: "cannot decode field a.b.c from JSON: expected boolean, got 1". */
function reasonOf(error: unknown): string {
  const text = String(error);
  const at = text.indexOf(" from JSON");
  const reason = at < 0 ? text : text.slice(at + " from JSON".length).replace(/^:? ?/, "");
  return reason.length > 200 ? `${reason.slice(0, 199)}…` : reason;
}

function joined(path: string, name: string): string {
  return path === "" ? name : `${path}.${name}`;
}

function isObject(value: JsonValue): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
