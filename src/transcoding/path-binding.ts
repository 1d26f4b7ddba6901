// The fields of a request that stand in its path.
import { type DescMessage, type Message, ScalarType } from "@bufbuild/protobuf";
import type { ReflectMessage } from "@bufbuild/protobuf/reflect";
import { invalidField, type RpcError } from "../base/rpc-error.ts";
import { type FieldPath, holderOf } from "./field-path.ts";
import type { Parsed } from "./parsed.ts";
import { invalidPath } from "./path-decoding.ts";
import { parseEnum, parseScalar, type ScalarValue } from "./scalar-text.ts";

/**
 * Sets the variables' fields in a message that has those of the body. A field that the body repeats (Go's clients send
 * `{"name": ...}` again) must have the path's value, else INVALID_FIELD; one that the body leaves unset (ProtoJSON: null,
 * and the default of a field without presence) takes it. A value that is not of the field's type is INVALID_PATH.
 */
export function bindPath(
  desc: DescMessage,
  message: Message,
  variables: readonly FieldPath[],
  captures: readonly string[],
): void {
  for (let i = 0; i < variables.length; i++) {
    const path = variables[i] as FieldPath;
    const text = captures[i] as string;
    const { leaf, fields } = path;
    if (fields.length === 1 && leaf.scalar === ScalarType.STRING && !leaf.oneof) {
      // Nearly every path: `name`. A string cannot be wrong, so it needs no reflection (1 us).
      const record = message as unknown as Record<string, unknown>;
      const given = record[leaf.localName];
      if (given !== undefined && given !== "" && given !== text) throw isAnother(path);
      record[leaf.localName] = text;
      continue;
    }
    bindSlowly(holderOf(desc, message, path), path, text);
  }
}

function bindSlowly(holder: ReflectMessage, path: FieldPath, text: string): void {
  const { leaf } = path;
  const parsed = parseLeaf(path, text);
  if ("problem" in parsed) throw invalidPath(`${path.text} ${parsed.problem}`);
  const isOtherCase = leaf.oneof !== undefined && holder.oneofCase(leaf.oneof) !== undefined;
  if (holder.isSet(leaf) ? !isSame(holder.get(leaf), parsed.value) : isOtherCase) throw isAnother(path);
  holder.set(leaf, parsed.value);
}

function isAnother(path: FieldPath): RpcError {
  return invalidField(path.text, "is another in the body than in the path");
}

function parseLeaf({ leaf }: FieldPath, text: string): Parsed<ScalarValue> {
  return leaf.fieldKind === "enum"
    ? parseEnum(leaf.enum, text)
    : parseScalar(leaf.scalar as ScalarType, text);
}

function isSame(a: unknown, b: ScalarValue): boolean {
  return a instanceof Uint8Array && b instanceof Uint8Array ? Buffer.compare(a, b) === 0 : a === b;
}
