// The OpenAPI 3.1 document of everything that REST serves for one declared service (spec.openapis.org/oas/v3.1.1).

import { StatusSchema } from "../../protocol/gen/google/rpc/status_pb.ts";
import type { JsonObject } from "../../protocol/worker-connection.ts";
import { startMethodsOf } from "../declared/start-methods.ts";
import type { DocumentedMethod, DocumentedRule, DocumentedService, DocumentRoute } from "../documents.ts";
import { isWildcard, readTemplate } from "../template-segments.ts";
import { BEARER, jsonContent, openApiEntry } from "./openapi-operation.ts";
import { OpenApiSchemas } from "./openapi-schemas.ts";

/** The system parameters of every path; those that change nothing are left out. */
const systemParameters: JsonObject = {
  fields: {
    name: "fields",
    in: "query",
    description: "The part of the answer that is wanted: name,error(code,message).",
    schema: { type: "string" },
  },
  prettyPrint: {
    name: "prettyPrint",
    in: "query",
    description: "Indents the answer.",
    schema: { type: "boolean" },
  },
};

/** The HTTP methods that a path item has a place for: a rule for another one, or for any, cannot be told. */
const knownMethods = ["GET", "PUT", "POST", "DELETE", "OPTIONS", "HEAD", "PATCH", "TRACE"];

/** The route of a service's OpenAPI document, `/openapi.json`. */
export function createOpenApiDocument(service: DocumentedService): DocumentRoute {
  return {
    path: "/openapi.json",
    respond: ({ origin }) => ({
      contentType: "application/json; charset=utf-8",
      body: JSON.stringify(openApiDocument(service, origin)),
    }),
  };
}

/** The document itself. */
export function openApiDocument(service: DocumentedService, origin: string): JsonObject {
  const { declaration, hasIdentity } = service;
  const { title, documentationLink } = declaration;
  const schemas = new OpenApiSchemas();
  const paths = pathItems(service, schemas);
  // They appear inside an Any, which names no schema.
  for (const { response, metadata } of startMethodsOf(declaration)) {
    schemas.message(response);
    if (metadata) schemas.message(metadata);
  }
  const error = { description: "An error.", content: jsonContent(errorSchema(service, schemas)) };
  return {
    openapi: "3.1.1",
    info: {
      title,
      description: `${title}, served by Belay.`,
      version: declaration.discoveryVersion ?? versionOf(declaration.restPrefix),
    },
    ...(documentationLink && { externalDocs: { url: documentationLink } }),
    servers: [{ url: origin }],
    paths,
    components: {
      schemas: schemas.toJson(),
      responses: { Error: error },
      parameters: systemParameters,
      ...(hasIdentity && { securitySchemes: { [BEARER]: { type: "http", scheme: "bearer" } } }),
    },
  };
}

/** Paths in the order of the methods. Two rules that are the same to OpenAPI are told once. */
function pathItems(service: DocumentedService, schemas: OpenApiSchemas): JsonObject {
  const parameters = Object.keys(systemParameters).map((name) => ({
    $ref: `#/components/parameters/${name}`,
  }));
  const items = new Map<string, { path: string; item: JsonObject }>();
  for (const method of service.methods) {
    for (const [number, rule] of method.rules.entries()) {
      if (!knownMethods.includes(rule.httpMethod) || !leadsToOperations(rule, method, service)) continue;
      const { path, httpMethod, operation } = openApiEntry(service, method, rule, number, schemas);
      // Templates that differ only in their parameters' names are one path, which may stand here once.
      const key = path.replace(/\{[^}]*\}/g, "{}");
      const known = items.get(key);
      if (known === undefined) items.set(key, { path, item: { parameters, [httpMethod]: operation } });
      else if (known.path === path) known.item[httpMethod] ??= operation;
    }
  }
  return Object.fromEntries([...items.values()].map(({ path, item }) => [path, item]));
}

/** Belay's own surface has paths for every depth of parents; here only those where this service has operations. */
function leadsToOperations(
  { path }: DocumentedRule,
  { desc, kind }: DocumentedMethod,
  { declaration: { parents } }: DocumentedService,
): boolean {
  if (!desc.parent.typeName.startsWith("belay.v1.") || kind === "start" || parents.includes("**"))
    return true;
  const { segments } = readTemplate(path);
  const depth = segments.findIndex(({ text }) => text === "operations") - segments.findIndex(isWildcard);
  return parents.some((parent) => (parent === "" ? depth < 0 : depth === parent.split("/").length));
}

/** AIP-193's body, or the bare Status of the dialect yandex. */
function errorSchema({ declaration }: DocumentedService, schemas: OpenApiSchemas): JsonObject {
  const status = schemas.message(StatusSchema);
  if (declaration.dialect === "yandex") return status;
  return schemas.add("Error", {
    type: "object",
    required: ["error"],
    properties: {
      error: {
        type: "object",
        required: ["code", "message", "status"],
        properties: {
          code: { type: "integer", description: "The HTTP status." },
          message: { type: "string" },
          status: { type: "string", description: "The name of a google.rpc.Code, for instance NOT_FOUND." },
          details: {
            type: "array",
            description: "google.rpc.ErrorInfo with the reason, and what else helps.",
            items: { type: "object", required: ["@type"], properties: { "@type": { type: "string" } } },
          },
        },
      },
    },
  });
}

/** `/v1beta1` is `v1beta1`; without a prefix it is the first version. */
function versionOf(restPrefix: string): string {
  return restPrefix.split("/").at(-1) || "v1";
}
