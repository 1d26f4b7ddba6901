// The fields of a request that stand in its path.
import { type DescMessage, type Message, ScalarType } from "@bufbuild/protobuf";
import type { ReflectMessage } from "@bufbuild/protobuf/reflect";
import { invalidField } from "../base/rpc-error.ts";
import type { JsonObject, JsonValue } from "../protocol/worker-connection.ts";
import { type FieldPath, holderOf } from "./field-path.ts";
import type { Parsed } from "./parsed.ts";
import { invalidPath } from "./path-decoding.ts";
import { parseEnum, parseScalar, type ScalarValue } from "./scalar-text.ts";

/**
 * Sets the variables' fields. A field that the body repeats (Go's clients send `{"name": ...}` again) must
 * have the path's value, else INVALID_FIELD; a value that is not of the field's type is INVALID_PATH.
 */
export function bindPath(
  desc: DescMessage,
  message: Message,
  variables: readonly FieldPath[],
  captures: readonly string[],
  body: JsonObject,
): void {
  for (let i = 0; i < variables.length; i++) {
    const path = variables[i] as FieldPath;
    const text = captures[i] as string;
    const { leaf, fields } = path;
    const isRepeated = isInJson(body, path);
    if (fields.length === 1 && leaf.scalar === ScalarType.STRING && !leaf.oneof && !isRepeated) {
      // Nearly every path: `name`. A string cannot be wrong, so it needs no reflection (1 us).
      (message as unknown as Record<string, unknown>)[leaf.localName] = text;
      continue;
    }
    bindSlowly(holderOf(desc, message, path), path, text, isRepeated);
  }
}

function bindSlowly(holder: ReflectMessage, path: FieldPath, text: string, isRepeated: boolean): void {
  const { leaf } = path;
  const parsed = parseLeaf(path, text);
  if ("problem" in parsed) throw invalidPath(`${path.text} ${parsed.problem}`);
  const other = leaf.oneof && holder.oneofCase(leaf.oneof);
  if (isRepeated ? !isSame(holder.get(leaf), parsed.value) : other !== undefined) {
    throw invalidField(path.text, "is another in the body than in the path");
  }
  holder.set(leaf, parsed.value);
}

function parseLeaf({ leaf }: FieldPath, text: string): Parsed<ScalarValue> {
  return leaf.fieldKind === "enum"
    ? parseEnum(leaf.enum, text)
    : parseScalar(leaf.scalar as ScalarType, text);
}

/** True if the JSON names the field, whatever value it gives it: null is another value than the path's. */
function isInJson(json: JsonObject, path: FieldPath): boolean {
  let value: JsonValue = json;
  for (const { name, jsonName } of path.fields) {
    if (typeof value !== "object" || value === null || Array.isArray(value)) return false;
    const key: string | undefined = [jsonName, name].find((one) => Object.hasOwn(value as JsonObject, one));
    if (key === undefined) return false;
    value = value[key] ?? null;
  }
  return true;
}

function isSame(a: unknown, b: ScalarValue): boolean {
  return a instanceof Uint8Array && b instanceof Uint8Array ? Buffer.compare(a, b) === 0 : a === b;
}
