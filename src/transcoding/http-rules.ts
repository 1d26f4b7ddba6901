// google.api.http: which paths a method is served at, and where its fields come from. Rules come from a
// method's annotation, or from the service that declares it (as service YAML does for WaitOperation, which
// has none). A rule that does not fit its method is an error at start.
import {
  type DescField,
  type DescMessage,
  type DescMethod,
  getOption,
  hasOption,
  ScalarType,
} from "@bufbuild/protobuf";
import { MethodOptions_IdempotencyLevel } from "@bufbuild/protobuf/wkt";
import { http } from "../protocol/gen/google/api/annotations_pb.ts";
import type { HttpRule } from "../protocol/gen/google/api/http_pb.ts";
import { type FieldPath, findField, resolveFieldPath } from "./field-path.ts";
import { isMultiSegment, type PathTemplate, parsePathTemplate } from "./path-template.ts";
import { PathTemplateError } from "./path-template-scanner.ts";

/**
 * A rule as a service writes it, in the terms of google.api.HttpRule. Exactly one of the methods is given.
 */
export interface HttpRuleDeclaration {
  get?: string;
  put?: string;
  post?: string;
  delete?: string;
  patch?: string;
  /** Another HTTP method, or `*` for any. */
  custom?: { kind: string; path: string };
  /** `*`, a field of the request, or none. */
  body?: string;
  /** A field of the response that is sent in its place. */
  responseBody?: string;
}

/** What google.api.http cannot say of a method's routes. */
export interface BindingOptions {
  /** HEAD may take its GET. Default: the method's idempotency_level is NO_SIDE_EFFECTS. */
  safe?: boolean;
  /** The verb may come escaped (`x%3Acancel`). Default false. */
  encodedVerb?: boolean;
}

/** Where the fields come from that are not in the path. */
export type BodyRule =
  /** The query; there is no body. */
  | { kind: "none" }
  /** The body; there is no query. */
  | { kind: "all" }
  /** This field is the body; all others come from the query. */
  | { kind: "field"; field: DescField };

/** A rule that was checked against its method. */
export interface HttpBinding {
  /** Upper case; `*` for any. */
  httpMethod: string;
  template: PathTemplate;
  /** The fields of the template's variables, in the same order. */
  variables: readonly FieldPath[];
  body: BodyRule;
  responseField: DescField | null;
  safe: boolean;
  encodedVerb: boolean;
}

/** A rule that does not fit its method; the message names both. */
export class HttpRuleError extends Error {
  override name = "HttpRuleError";
}

/**
 * The bindings of a method's google.api.http annotation, additional_bindings included; none if it has none.
 */
export function annotatedBindings(method: DescMethod, options: BindingOptions = {}): HttpBinding[] {
  if (!hasOption(method, http)) return [];
  const rule = getOption(method, http);
  for (const { additionalBindings } of rule.additionalBindings) {
    if (additionalBindings.length > 0) fail(method, "an additional binding has additional bindings");
  }
  const declarations = [rule, ...rule.additionalBindings].map((one) => declarationOf(method, one));
  return declaredBindings(method, declarations, options);
}

/** The bindings of rules that a service declares for a method; they take the place of its annotation. */
export function declaredBindings(
  method: DescMethod,
  rules: readonly HttpRuleDeclaration[],
  options: BindingOptions = {},
): HttpBinding[] {
  return rules.map((rule) => bind(method, rule, options));
}

function declarationOf(method: DescMethod, rule: HttpRule): HttpRuleDeclaration {
  const { pattern, body, responseBody } = rule;
  if (pattern.case === undefined) fail(method, "the rule has no pattern");
  return { [pattern.case]: pattern.value, body, responseBody };
}

function bind(method: DescMethod, rule: HttpRuleDeclaration, options: BindingOptions): HttpBinding {
  const [httpMethod, path] = patternOf(method, rule);
  const template = parseTemplate(method, path);
  const variables = template.variables.map((variable) =>
    bindVariable(method, variable.fieldPath, isMultiSegment(template, variable)),
  );
  const isGet = httpMethod === "GET" || httpMethod === "HEAD";
  if (rule.body && isGet) fail(method, `${httpMethod} ${path} has a body`);
  const safe = options.safe ?? method.idempotency === MethodOptions_IdempotencyLevel.NO_SIDE_EFFECTS;
  return {
    httpMethod,
    template,
    variables,
    body: bindBody(method, rule.body ?? "", variables),
    responseField: rule.responseBody
      ? fieldOf(method, method.output, "response_body", rule.responseBody)
      : null,
    safe: safe && isGet,
    encodedVerb: options.encodedVerb ?? false,
  };
}

function patternOf(method: DescMethod, rule: HttpRuleDeclaration): [string, string] {
  const patterns: [string, string][] = [];
  for (const name of ["get", "put", "post", "delete", "patch"] as const) {
    const path = rule[name];
    if (path !== undefined) patterns.push([name.toUpperCase(), path]);
  }
  if (rule.custom) patterns.push([rule.custom.kind, rule.custom.path]);
  const [pattern] = patterns;
  if (!pattern || patterns.length > 1) fail(method, `a rule has ${patterns.length} patterns; it takes one`);
  if (!/^([A-Z]+|\*)$/.test(pattern[0])) fail(method, `'${pattern[0]}' is no HTTP method`);
  return pattern;
}

function parseTemplate(method: DescMethod, path: string): PathTemplate {
  try {
    return parsePathTemplate(path);
  } catch (error) {
    if (error instanceof PathTemplateError) fail(method, `'${path}', ${error.message}`);
    throw error;
  }
}

/**
 * http.proto: a variable is a non-repeated field of a primitive type; only text can hold several segments.
 */
function bindVariable(method: DescMethod, path: string, isMulti: boolean): FieldPath {
  const bound = resolveFieldPath(method.input, path);
  if (!bound) fail(method, `the variable '${path}' is no field of ${method.input.typeName}`);
  const { leaf } = bound;
  if (leaf.fieldKind !== "scalar" && leaf.fieldKind !== "enum") {
    fail(method, `the variable '${path}' is no scalar field`);
  }
  if (isMulti && leaf.scalar !== ScalarType.STRING) {
    fail(method, `the variable '${path}' takes several segments and is no string`);
  }
  return bound;
}

function bindBody(method: DescMethod, body: string, variables: readonly FieldPath[]): BodyRule {
  if (body === "") return { kind: "none" };
  if (body === "*") return { kind: "all" };
  const field = fieldOf(method, method.input, "body", body);
  // `{book.name=...}` with the body `book` is common: the path then decides that one field.
  if (variables.some((variable) => variable.text === field.name)) {
    fail(method, `the body '${body}' is bound in the path too`);
  }
  return { kind: "field", field };
}

function fieldOf(method: DescMethod, desc: DescMessage, what: string, name: string): DescField {
  const field = findField(desc, name);
  if (!field) fail(method, `the ${what} '${name}' is no field of ${desc.typeName}`);
  return field;
}

function fail(method: DescMethod, problem: string): never {
  throw new HttpRuleError(`${method.parent.typeName}.${method.name}: ${problem}`);
}
