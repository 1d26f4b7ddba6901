// The query of a request target: taken apart, and bound to the fields of a request message by their types.
import { create, type DescField, type DescMessage, type Message, type ScalarType } from "@bufbuild/protobuf";
import { type ReflectMessage, reflect } from "@bufbuild/protobuf/reflect";
import { RpcError } from "../base/rpc-error.ts";
import { type FieldPath, hasOwnForm, holderOf, resolveFieldPath } from "./field-path.ts";
import type { BodyRule } from "./http-rules.ts";
import type { Parsed } from "./parsed.ts";
import { parseEnum, parseScalar } from "./scalar-text.ts";
import { parseDuration, parseFieldMask, parseTimestamp } from "./well-known-text.ts";

/** One parameter, unescaped. */
export interface QueryParam {
  name: string;
  value: string;
}

/**
 * Takes a query apart (`a=1&b=x+y&c`). Throws INVALID_QUERY_PARAMETER for broken escapes and raw control
 * characters.
 */
export function parseQuery(query: string): QueryParam[] {
  const params: QueryParam[] = [];
  if (query === "") return params;
  for (const piece of query.split("&")) {
    if (piece === "") continue;
    const equals = piece.indexOf("=");
    const name = decodePart(equals < 0 ? piece : piece.slice(0, equals), piece);
    const value = equals < 0 ? "" : decodePart(piece.slice(equals + 1), name);
    params.push({ name, value });
  }
  return params;
}

function decodePart(text: string, name: string): string {
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code <= 0x20 || code >= 0x7f)
      throw invalidQuery(name, "has a character that must be percent-encoded");
  }
  if (!text.includes("%") && !text.includes("+")) return text;
  try {
    return decodeURIComponent(text.replaceAll("+", " "));
  } catch {
    throw invalidQuery(name, "has a broken escape, or one that is no UTF-8");
  }
}

/** What of the request does not come from the query. */
export interface BoundElsewhere {
  variables: readonly FieldPath[];
  body: BodyRule;
}

/**
 * Sets the fields that the parameters name, dotted for nested ones, in snake_case or camelCase; a repeated
 * field by repeated parameters. Throws INVALID_QUERY_PARAMETER for an unknown field, a value that is not of
 * its type, a singular field or a oneof given twice, and a field that the path or the body binds. Maps, Any,
 * Struct and repeated messages have no form in a query.
 */
export function bindQuery(
  desc: DescMessage,
  message: Message,
  params: readonly QueryParam[],
  elsewhere: BoundElsewhere,
): void {
  const seen = new Set<string>();
  for (const { name, value } of params) {
    if (elsewhere.body.kind === "all")
      throw invalidQuery(name, "is unknown: this method takes its fields in the body");
    const path = resolveFieldPath(desc, name);
    if (!path) throw invalidQuery(name, "is unknown");
    checkFree(name, path, elsewhere);
    const isList = path.leaf.fieldKind === "list";
    if (!isList && seen.has(path.text)) throw invalidQuery(name, "is given more than once");
    seen.add(path.text);
    setField(holderOf(desc, message, path), name, path, value);
  }
}

function checkFree(name: string, path: FieldPath, elsewhere: BoundElsewhere): void {
  if (elsewhere.body.kind === "field" && path.fields[0] === elsewhere.body.field) {
    throw invalidQuery(name, "is bound by the body");
  }
  if (elsewhere.variables.some((variable) => variable.text === path.text)) {
    throw invalidQuery(name, "is bound by the path");
  }
}

function setField(holder: ReflectMessage, name: string, { leaf }: FieldPath, text: string): void {
  const { oneof } = leaf;
  if (oneof && holder.oneofCase(oneof)) {
    throw invalidQuery(name, `is one of ${oneof.name}, of which another is given`);
  }
  const parsed = parseField(leaf, text);
  if ("problem" in parsed) throw invalidQuery(name, parsed.problem);
  if (leaf.fieldKind === "list") holder.get(leaf).add(parsed.value);
  else holder.set(leaf, parsed.value);
}

function parseField(field: DescField, text: string): Parsed<unknown> {
  if (field.fieldKind === "map") return { problem: "is a map, which has no form in a query" };
  if (field.scalar !== undefined) return parseScalar(field.scalar, text);
  if (field.enum) return parseEnum(field.enum, text);
  if (field.fieldKind === "message") return parseMessage(field.message, text);
  return { problem: "is a list of messages, which has no form in a query" };
}

/** The messages with a text form of their own. */
function parseMessage(desc: DescMessage, text: string): Parsed<ReflectMessage> {
  const parsed = hasOwnForm(desc) ? parseOwnForm(desc, text) : null;
  if (!parsed) return { problem: `is a message of type ${desc.typeName}; name one of its fields` };
  if ("problem" in parsed) return parsed;
  const message = create(desc);
  Object.assign(message, parsed.value);
  return { value: reflect(desc, message) };
}

function parseOwnForm(desc: DescMessage, text: string): Parsed<object> | null {
  switch (desc.typeName) {
    case "google.protobuf.Timestamp":
      return parseTimestamp(text);
    case "google.protobuf.Duration":
      return parseDuration(text);
    case "google.protobuf.FieldMask": {
      const parsed = parseFieldMask(text);
      return "problem" in parsed ? parsed : { value: { paths: parsed.value } };
    }
    default:
      return isWrapper(desc)
        ? parseWrapper(desc, text)
        : { problem: `is a ${desc.typeName}, which has no form in a query` };
  }
}

function isWrapper(desc: DescMessage): boolean {
  return desc.file.proto.name === "google/protobuf/wrappers.proto";
}

function parseWrapper(desc: DescMessage, text: string): Parsed<object> {
  const [field] = desc.fields;
  const parsed = parseScalar(field?.scalar as ScalarType, text);
  return "problem" in parsed ? parsed : { value: { value: parsed.value } };
}

/** An INVALID_QUERY_PARAMETER error. It never holds the value: a refused parameter may be a token. */
export function invalidQuery(name: string, problem: string): RpcError {
  const parameter = name.length > 64 ? `${name.slice(0, 63)}…` : name;
  return new RpcError(
    "INVALID_QUERY_PARAMETER",
    { parameter, problem },
    { fieldViolations: [{ field: parameter, description: problem }] },
  );
}
