import assert from "node:assert/strict";
import { test } from "node:test";
import { Validator } from "@seriousme/openapi-schema-validator";
import { Library } from "../../protocol/library-service.fixture.ts";
import type { JsonObject } from "../../protocol/worker-connection.ts";
import { automlService } from "../builtin/automl.ts";
import { builtinServices } from "../builtin/builtin-services.ts";
import { defaultService } from "../builtin/default.ts";
import { vaultService } from "../builtin/vault.ts";
import { yandexService } from "../builtin/yandex.ts";
import { annotatedMethods, documentedService } from "../documented-service.fixture.ts";
import type { ServiceDeclaration } from "../service-declaration.ts";
import { createOpenApiDocument, openApiDocument } from "./openapi-document.ts";

const ORIGIN = "https://ops.example.com";

function documentOf(declaration: ServiceDeclaration): JsonObject {
  return openApiDocument(documentedService(declaration), ORIGIN);
}

function at(value: unknown, ...path: string[]): JsonObject {
  return path.reduce((inner, key) => (inner as Record<string, unknown>)[key], value) as JsonObject;
}

for (const declaration of builtinServices) {
  test(`the document of ${declaration.id} is valid OpenAPI 3.1`, async () => {
    const { valid, errors } = await new Validator().validate(structuredClone(documentOf(declaration)));
    assert.deepEqual(errors ?? [], []);
    assert.equal(valid, true);
  });

  test(`every reference in the document of ${declaration.id} leads somewhere, and ids of operations differ`, () => {
    const document = documentOf(declaration);
    const text = JSON.stringify(document);
    for (const [, kind, name] of text.matchAll(/"#\/components\/(\w+)\/([^"]+)"/g)) {
      assert.ok(at(document, "components", kind!)[name!], `${kind} ${name}`);
    }
    const ids = [...text.matchAll(/"operationId":"([^"]+)"/g)].map(([, id]) => id);
    assert.equal(new Set(ids).size, ids.length);
  });
}

test("an API with every kind of field and rule is valid, too", async () => {
  const library = { ...documentedService(defaultService), methods: annotatedMethods(Library) };
  const document = openApiDocument(library, ORIGIN);
  const { errors } = await new Validator().validate(structuredClone(document));
  assert.deepEqual(errors ?? [], []);
  const schema = (field: string): JsonObject =>
    at(document, "components", "schemas", "library.v1.AllKinds", "properties", field);
  assert.deepEqual(schema("labels"), { type: "object", additionalProperties: { type: "string" } });
  assert.deepEqual(schema("boxedLong")["type"], "string");
  assert.deepEqual(schema("nested"), { $ref: "#/components/schemas/library.v1.AllKinds" });
  assert.deepEqual(schema("bytesValue"), { type: "string", contentEncoding: "base64" });
  const update = at(
    document,
    "paths",
    "/v1/things/{thing}",
    "patch",
    "requestBody",
    "content",
    "application/json",
  );
  assert.deepEqual(update["schema"], { $ref: "#/components/schemas/library.v1.Inner" });
});

test("a name of several segments is a parameter for each of its wildcards", () => {
  const paths = Object.keys(at(documentOf(automlService), "paths"));
  assert.ok(paths.includes("/v1beta1/projects/{project}/locations/{location}/operations/{operation}:cancel"));
  assert.ok(Object.keys(at(documentOf(vaultService), "paths")).includes("/v1/operations/{operation}"));
});

test("yandex cancels by GET and POST, and its errors are bare", () => {
  const document = documentOf(yandexService);
  const item = at(document, "paths", "/operations/{operationId}:cancel");
  assert.deepEqual(Object.keys(item).sort(), ["get", "parameters", "post"]);
  const schema = at(document, "components", "responses", "Error", "content", "application/json", "schema");
  assert.deepEqual(schema, { $ref: "#/components/schemas/google.rpc.Status" });
});

test("each of a method's scopes is an alternative; without identity nothing is asked for", () => {
  const get = at(documentOf(vaultService), "paths", "/v1/operations/{operation}", "get");
  assert.deepEqual(
    get["security"],
    vaultService.scopes.get?.map((scope) => ({ bearer: [scope] })),
  );
  const open = openApiDocument({ ...documentedService(vaultService), hasIdentity: false }, ORIGIN);
  assert.deepEqual(at(open, "paths", "/v1/operations/{operation}", "get")["security"], []);
  assert.equal("securitySchemes" in at(open, "components"), false);
});

test("Belay's own surface is told for the depth of the service's parents", () => {
  const receipts = (declaration: ServiceDeclaration): string[] =>
    Object.keys(at(documentOf(declaration), "paths")).filter((path) => path.endsWith("/receipt"));
  assert.deepEqual(receipts(vaultService), ["/belay/v1/operations/{operation}/receipt"]);
  assert.deepEqual(receipts(automlService), [
    "/belay/v1/{collection}/{id}/{collection2}/{id2}/operations/{operation}/receipt",
  ]);
  assert.equal(receipts(defaultService).length, 4);
});

test("messages are told as ProtoJSON writes them", () => {
  const document = documentOf(vaultService);
  const schema = (message: string, field: string): JsonObject =>
    at(document, "components", "schemas", message, "properties", field);
  assert.equal(schema("vault.v1.CountArtifactsResponse", "totalCount")["type"], "string");
  assert.equal(schema("belay.v1.Operation", "createTime")["format"], "date-time");
  assert.deepEqual(schema("vault.v1.CountArtifactsRequest", "query"), {
    type: "object",
    additionalProperties: true,
  });
  assert.deepEqual(schema("google.longrunning.Operation", "response")["required"], ["@type"]);
  assert.deepEqual(at(document, "components", "schemas", "vault.v1.CountResultView")["enum"], [
    "COUNT_RESULT_VIEW_UNSPECIFIED",
    "TOTAL_COUNT",
    "ALL",
  ]);
});

test("the document is served at /openapi.json, with the origin as its server", () => {
  const route = createOpenApiDocument(documentedService(vaultService));
  assert.equal(route.path, "/openapi.json");
  const { body } = route.respond({ origin: ORIGIN, query: new URLSearchParams() });
  assert.deepEqual((JSON.parse(body) as JsonObject)["servers"], [{ url: ORIGIN }]);
});
