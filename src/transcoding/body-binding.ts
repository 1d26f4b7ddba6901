// The body of a REST request: bytes to JSON, and JSON to the fields that the rule takes from the body.
import { type DescMessage, type Message, mergeFromJson } from "@bufbuild/protobuf";
import { RpcError } from "../base/rpc-error.ts";
import { payloadLimits } from "../protocol/json-limits.ts";
import { findJsonTextDefect, jsonTextDepthExceeds } from "../protocol/json-text.ts";
import { baseTypeRegistry as registry } from "../protocol/type-registry.ts";
import type { JsonObject, JsonValue } from "../protocol/worker-connection.ts";
import type { BodyRule } from "./http-rules.ts";
import { findFieldViolations, JSON_RECURSION_MAX, locateJsonError } from "./json-fields.ts";

/**
 * A payload may have 100 levels and stands in the request object; what is in it is counted by
 * checkJsonLimits.
 */
export const BODY_DEPTH_MAX: number = payloadLimits.depthMax + 1;

/**
 * Merges a body into a request, by the rule: the whole body or one field. An empty body is an empty message.
 * Throws INVALID_JSON (with BadRequest) for bytes that are no UTF-8 or
 * JSON, for anything but an object, unknown names, wrong values, a key given twice, numbers that JSON would
 * change, and a body that the rule does not take; PAYLOAD_TOO_DEEP beyond 101 levels, before anything is
 * built.
 */
export function bindBody(desc: DescMessage, message: Message, rule: BodyRule, body: Uint8Array): void {
  if (rule.kind === "none") {
    if (!isBlank(body)) throw invalidJson("this method takes no body");
    return;
  }
  if (body.length === 0 && rule.kind === "all") return;
  const json = body.length === 0 ? null : parseBody(body);
  if (rule.kind === "all") {
    if (!isObject(json)) throw notAnObject(json);
    mergeObject(desc, message, json);
    return;
  }
  const { field } = rule;
  if (body.length === 0 && field.fieldKind !== "message") return;
  const value = body.length === 0 ? {} : json;
  const isPlainMessage = field.fieldKind === "message" && !isScalarForm(field.message);
  if (value === null || (isPlainMessage && !isObject(value))) throw notAnObject(value);
  mergeObject(desc, message, Object.fromEntries([[field.jsonName, value]]) as JsonObject);
}

/** Well-known types whose JSON is a string, a number or a list. */
function isScalarForm(desc: DescMessage): boolean {
  return desc.typeName.startsWith("google.protobuf.") && !objectForms.has(desc.typeName);
}

const objectForms = new Set(["google.protobuf.Struct", "google.protobuf.Any", "google.protobuf.Empty"]);

function mergeObject(desc: DescMessage, message: Message, json: JsonObject): void {
  const violations = findFieldViolations(desc, json);
  const [first] = violations;
  if (first)
    throw new RpcError("INVALID_JSON", { problem: first.description }, { fieldViolations: violations });
  try {
    mergeFromJson(desc, message, json, { registry, recursionLimit: JSON_RECURSION_MAX });
  } catch (error) {
    const violation = locateJsonError(desc, json, error, registry);
    const options = { fieldViolations: [violation], cause: error };
    throw new RpcError("INVALID_JSON", { problem: violation.description }, options);
  }
}

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

function parseBody(body: Uint8Array): JsonValue {
  let text: string;
  try {
    text = decoder.decode(body);
  } catch {
    throw invalidJson("it is no UTF-8");
  }
  if (text.trim() === "") throw invalidJson("it is nothing but white space");
  if (jsonTextDepthExceeds(text, BODY_DEPTH_MAX)) {
    throw new RpcError("PAYLOAD_TOO_DEEP", { field: "body", limit: payloadLimits.depthMax });
  }
  let json: JsonValue;
  try {
    json = JSON.parse(text) as JsonValue;
  } catch (error) {
    throw invalidJson((error as SyntaxError).message.slice(0, 160));
  }
  const defect = findJsonTextDefect(text);
  if (defect) throw invalidJson(defect);
  return json;
}

/** Nothing, white space, or `{}`: what clients send that always send JSON. */
function isBlank(body: Uint8Array): boolean {
  return (
    body.length === 0 || (body.length < 64 && /^\s*(\{\s*\})?\s*$/.test(Buffer.from(body).toString("latin1")))
  );
}

function notAnObject(json: JsonValue): RpcError {
  const found = json === null ? "null" : Array.isArray(json) ? "an array" : `a ${typeof json}`;
  return invalidJson(`it is ${found}, not an object`);
}

function isObject(value: JsonValue): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function invalidJson(problem: string): RpcError {
  return new RpcError(
    "INVALID_JSON",
    { problem },
    { fieldViolations: [{ field: "", description: problem }] },
  );
}
