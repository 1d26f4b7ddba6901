// A method under one of its REST rules as an entry of a discovery document: where it stands in the tree of resources,
// its path, parameters, messages and scopes.
import { assert } from "../../base/assert.ts";
import type { JsonObject } from "../../protocol/worker-connection.ts";
import { methodText, textOf } from "../document-texts.ts";
import type { DocumentedMethod, DocumentedRule } from "../documents.ts";
import { isRequired, queryFields } from "../query-fields.ts";
import { type ServiceDeclaration, scopesOf } from "../service-declaration.ts";
import {
  camelCase,
  isVersion,
  isWildcard,
  readTemplate,
  type TemplateParts,
  type TemplateSegment,
  type TemplateVariable,
} from "../template-segments.ts";
import type { DiscoverySchemas } from "./discovery-schemas.ts";

/** Where an entry belongs. */
export interface DiscoveryEntry {
  /** The names of the resources from the outside in: `projects`, `locations`, `operations`. May be empty. */
  readonly resources: readonly string[];
  /** `cancel`. */
  readonly name: string;
  /** The RPC's own name in camelCase, for when `name` is taken. */
  readonly fullName: string;
  /** The entry itself, without its id. */
  readonly method: JsonObject;
}

/** Makes the entry; the messages that it needs are added to `schemas`. */
export function discoveryEntry(
  { desc, kind }: DocumentedMethod,
  rule: DocumentedRule,
  declaration: ServiceDeclaration,
  schemas: DiscoverySchemas,
): DiscoveryEntry {
  const template = readTemplate(rule.path);
  const scopes = [...scopesOf(declaration, kind)];
  const bound = template.variables.map(({ field }) => field);
  const parameters = Object.fromEntries([
    ...template.variables.map((variable) => [
      camelCase(variable.field),
      pathParameter(variable, desc.input.typeName),
    ]),
    ...queryFields(desc.input, rule).map(({ name, field }) => [
      name,
      {
        ...parameterSchema(schemas.property(field)),
        location: "query",
        ...(isRequired(field) && { required: true }),
      },
    ]),
  ]);
  const body = bodyField();
  const method: JsonObject = {
    path: pathOf(template),
    flatPath: flatPathOf(template.segments, template),
    httpMethod: rule.httpMethod,
    description: methodText(desc),
    parameters,
    parameterOrder: bound.map(camelCase),
    ...(body && { request: body }),
    response: schemas.reference(desc.output),
    ...(scopes.length > 0 && { scopes }),
  };
  return {
    resources: resourcesOf(template, declaration),
    name: methodName(desc.name, template.verb),
    fullName: lowerFirst(desc.name),
    method,
  };

  function bodyField(): JsonObject | undefined {
    if (rule.body === "") return undefined;
    if (rule.body === "*") return schemas.reference(desc.input, new Set(bound));
    const field = desc.input.fields.find(({ name }) => name === rule.body);
    assert(field !== undefined, "the body of a checked rule is a field");
    return schemas.property(field);
  }
}

function pathParameter({ field, pattern }: TemplateVariable, messageName: string): JsonObject {
  const description = textOf(`${messageName}.${field}`);
  return {
    ...(description && { description }),
    location: "path",
    required: true,
    type: "string",
    ...(pattern !== "*" && { pattern: patternOf(pattern) }),
  };
}

/** `operations/**` is `^operations/.*$`, `projects/*` is `^projects/[^/]+$`. */
function patternOf(pattern: string): string {
  const parts = pattern.split("/").map((part) => {
    if (part === "**") return ".*";
    return part === "*" ? "[^/]+" : part.replace(/[.~-]/g, "\\$&");
  });
  return `^${parts.join("/")}$`;
}

/** A list is written as its element with `repeated`: parameters have no arrays. */
function parameterSchema(schema: JsonObject): JsonObject {
  const { items, ...rest } = schema;
  if (items === undefined) return schema;
  return { ...rest, ...(items as JsonObject), repeated: true };
}

/** `v1/{+name}:cancel`: a variable that holds slashes is expanded with them (RFC 6570, `+`). */
function pathOf({ segments, variables, verb }: TemplateParts): string {
  const parts: string[] = [];
  const seen = new Set<string>();
  for (const { text, field } of segments) {
    if (field === null) parts.push(text);
    else if (!seen.has(field)) {
      const isMulti = variables.some((variable) => variable.field === field && variable.pattern !== "*");
      parts.push(`{${isMulti ? "+" : ""}${camelCase(field)}}`);
      seen.add(field);
    }
  }
  return parts.join("/") + (verb && `:${verb}`);
}

/** `v1/operations/{operationsId}:cancel`. */
function flatPathOf(segments: readonly TemplateSegment[], { variables, verb }: TemplateParts): string {
  const parts = segments.map((segment, index) => {
    if (!isWildcard(segment)) return segment.text;
    const alone = variables.find(({ field, pattern }) => field === segment.field && pattern === "*");
    if (alone) return `{${camelCase(alone.field)}}`;
    const before = segments[index - 1];
    return before && !isWildcard(before) ? `{${before.text}Id}` : `{segment${index}Id}`;
  });
  return parts.join("/") + (verb && `:${verb}`);
}

/** The collections of a path: its literals behind the version, or behind the service's prefix. */
function resourcesOf({ segments }: TemplateParts, { restPrefix }: ServiceDeclaration): string[] {
  const literals = segments.filter((segment) => !isWildcard(segment)).map(({ text }) => text);
  const version = literals.findIndex(isVersion);
  const skipped = version >= 0 ? version + 1 : restPrefix.split("/").length - 1;
  return literals.slice(skipped).map((text) => text.replaceAll(/[^a-zA-Z0-9]/g, "_"));
}

/** The verb of the path; else what the RPC does, as the standard methods are called (AIP-131 to 135). */
function methodName(rpcName: string, verb: string): string {
  if (verb !== "") return verb;
  const standard = /^(List|Get|Create|Delete|Update)[A-Z]/.exec(rpcName)?.[1];
  if (standard === undefined) return lowerFirst(rpcName);
  return standard === "Update" ? "patch" : standard.toLowerCase();
}

function lowerFirst(text: string): string {
  return text.charAt(0).toLowerCase() + text.slice(1);
}
