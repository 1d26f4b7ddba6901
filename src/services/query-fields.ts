// The fields of a request that REST takes from the query: those that neither path nor body bind, and that have a text form.
import { type DescField, type DescMessage, getOption, hasOption } from "@bufbuild/protobuf";
import { FieldBehavior, field_behavior } from "../protocol/gen/google/api/field_behavior_pb.ts";
import { unservedFields } from "./document-texts.ts";
import type { DocumentedRule } from "./documents.ts";
import { readTemplate } from "./template-segments.ts";

/** One query parameter. */
export interface QueryField {
  /** In JSON names, dotted for nested fields. */
  readonly name: string;
  /** The field itself; a list field may be repeated. */
  readonly field: DescField;
}

/** Messages that are one text in a query. */
const textForms: ReadonlySet<string> = new Set([
  "google.protobuf.Timestamp",
  "google.protobuf.Duration",
  "google.protobuf.FieldMask",
]);

function hasTextForm({ typeName, file }: DescMessage): boolean {
  return textForms.has(typeName) || file.proto.name === "google/protobuf/wrappers.proto";
}

/** Messages within messages; deeper ones are accepted, but not told. */
const NESTING_MAX = 4;

/** The query parameters of a method under one of its rules, in the order of the fields. */
export function queryFields(desc: DescMessage, rule: DocumentedRule): QueryField[] {
  if (rule.body === "*") return [];
  const bound = new Set(readTemplate(rule.path).variables.map(({ field }) => field));
  if (rule.body !== "") bound.add(rule.body);
  return collect(desc, { bound, path: "", jsonPath: "", within: [desc] });
}

interface Place {
  bound: ReadonlySet<string>;
  /** With a dot at its end, or empty. */
  path: string;
  jsonPath: string;
  /** The messages around it: one that holds itself is told once. */
  within: readonly DescMessage[];
}

function collect(desc: DescMessage, place: Place): QueryField[] {
  return desc.fields.flatMap((field) => {
    const path = place.path + field.name;
    const name = place.jsonPath + field.jsonName;
    if (place.bound.has(path) || unservedFields.has(`${desc.typeName}.${field.name}`)) return [];
    if (field.fieldKind === "map") return [];
    if (field.fieldKind === "list") return field.listKind === "message" ? [] : [{ name, field }];
    if (field.fieldKind !== "message" || hasTextForm(field.message)) return [{ name, field }];
    const { message } = field;
    const isTold = message.typeName.startsWith("google.protobuf.") || place.within.includes(message);
    if (isTold || place.within.length === NESTING_MAX) return [];
    const inner = { ...place, path: `${path}.`, jsonPath: `${name}.`, within: [...place.within, message] };
    return collect(message, inner);
  });
}

/** True if the proto marks the field as required (AIP-203). */
export function isRequired(field: DescField): boolean {
  return (
    hasOption(field, field_behavior) && getOption(field, field_behavior).includes(FieldBehavior.REQUIRED)
  );
}
