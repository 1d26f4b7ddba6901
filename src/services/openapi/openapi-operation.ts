// A method under one of its REST rules as an OpenAPI operation. OpenAPI's path parameters hold no slashes, so a variable
// of several segments becomes one parameter for each wildcard: `/v1/{name=operations/**}` is `/v1/operations/{operation}`.
import { assert } from "../../base/assert.ts";
import type { JsonObject } from "../../protocol/worker-connection.ts";
import { methodText, textOf } from "../document-texts.ts";
import type { DocumentedMethod, DocumentedRule, DocumentedService } from "../documents.ts";
import { isRequired, queryFields } from "../query-fields.ts";
import { scopesOf } from "../service-declaration.ts";
import { readTemplate, type TemplateParts, wildcardNames } from "../template-segments.ts";
import type { OpenApiSchemas } from "./openapi-schemas.ts";

/** An operation, and where it stands. */
export interface OpenApiEntry {
  readonly path: string;
  /** Lower case. */
  readonly httpMethod: string;
  readonly operation: JsonObject;
}

/** The name of the security scheme in the document. */
export const BEARER = "bearer";

/** What an operation's name ends with: ids have no other characters. */
const OPERATION_ID: JsonObject = { type: "string", pattern: "^[a-z0-9-]{1,63}$" };

/** Makes the entry; `number` counts the rules of the method from 0. */
export function openApiEntry(
  service: DocumentedService,
  method: DocumentedMethod,
  rule: DocumentedRule,
  number: number,
  schemas: OpenApiSchemas,
): OpenApiEntry {
  const { desc } = method;
  const template = readTemplate(rule.path);
  const names = wildcardNames(template);
  const segments = template.segments.map(({ text }, index) => (names[index] ? `{${names[index]}}` : text));
  const parameters = [...pathParameters(method, template, names), ...queryParameters(method, rule, schemas)];
  const fullName = `${desc.parent.typeName}.${desc.name}`;
  const body = requestBody(method, rule, schemas);
  const operation: JsonObject = {
    operationId: number === 0 ? fullName : `${fullName}.${number + 1}`,
    tags: [desc.parent.typeName],
    description: methodText(desc),
    ...(parameters.length > 0 && { parameters }),
    ...(body && { requestBody: body }),
    responses: {
      200: {
        description: "Done as asked.",
        ...verdictHeader(method),
        content: responseContent(method, schemas),
      },
      default: { $ref: "#/components/responses/Error" },
    },
    ...security(service, method),
  };
  return {
    path: `/${segments.join("/")}${template.verb && `:${template.verb}`}`,
    httpMethod: rule.httpMethod.toLowerCase(),
    operation,
  };
}

export function jsonContent(schema: JsonObject): JsonObject {
  return { "application/json": { schema } };
}

/** Of a stream, the data of each event. */
function responseContent({ desc }: DocumentedMethod, schemas: OpenApiSchemas): JsonObject {
  const schema = schemas.message(desc.output);
  return desc.methodKind === "server_streaming" ? { "text/event-stream": { schema } } : jsonContent(schema);
}

function pathParameters(
  { desc }: DocumentedMethod,
  { segments, variables }: TemplateParts,
  names: readonly (string | null)[],
): JsonObject[] {
  return names.flatMap((name, index) => {
    if (name === null) return [];
    const { field } = segments[index] ?? {};
    const isWhole = variables.some((variable) => variable.field === field && variable.pattern === "*");
    const description = isWhole ? textOf(`${desc.input.typeName}.${field}`) : undefined;
    const isOperation = name === "operation" || name === "operationId";
    return [
      {
        name,
        in: "path",
        required: true,
        ...(description && { description }),
        schema: isOperation ? OPERATION_ID : { type: "string" },
      },
    ];
  });
}

function queryParameters(
  { desc }: DocumentedMethod,
  rule: DocumentedRule,
  schemas: OpenApiSchemas,
): JsonObject[] {
  return queryFields(desc.input, rule).map(({ name, field }) => {
    const description = textOf(`${field.parent.typeName}.${field.name}`);
    return {
      name,
      in: "query",
      ...(isRequired(field) && { required: true }),
      ...(description && { description }),
      schema: schemas.field(field),
    };
  });
}

/** Never required: where all fields are optional, no body is as good as `{}`. */
function requestBody(
  { desc }: DocumentedMethod,
  rule: DocumentedRule,
  schemas: OpenApiSchemas,
): JsonObject | undefined {
  if (rule.body === "") return undefined;
  if (rule.body === "*") return { content: jsonContent(schemas.message(desc.input)) };
  const field = desc.input.fields.find(({ name }) => name === rule.body);
  assert(field !== undefined, "the body of a checked rule is a field");
  return { required: isRequired(field), content: jsonContent(schemas.field(field)) };
}

function verdictHeader({ kind }: DocumentedMethod): JsonObject {
  if (kind !== "cancel") return {};
  const description = "What the cancel met: PREVENTED_START, STOPPING, TOO_LATE_SUCCEEDED, ...";
  return { headers: { "belay-cancel-verdict": { description, schema: { type: "string" } } } };
}

/** One of the scopes is enough: each is an alternative. */
function security({ declaration, hasIdentity }: DocumentedService, method: DocumentedMethod): JsonObject {
  if (!hasIdentity || method.isPublic) return { security: [] };
  const scopes = scopesOf(declaration, method.kind);
  return {
    security: scopes.length === 0 ? [{ [BEARER]: [] }] : scopes.map((scope) => ({ [BEARER]: [scope] })),
  };
}
