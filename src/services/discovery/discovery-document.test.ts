import assert from "node:assert/strict";
import { test } from "node:test";
import { RpcError } from "../../base/rpc-error.ts";
import { Library } from "../../protocol/library-service.fixture.ts";
import type { JsonObject, JsonValue } from "../../protocol/worker-connection.ts";
import { automlService } from "../builtin/automl.ts";
import { daiService } from "../builtin/dai.ts";
import { defaultService } from "../builtin/default.ts";
import { vaultService } from "../builtin/vault.ts";
import { annotatedMethods, documentedService } from "../documented-service.fixture.ts";
import { findDocument } from "../documents.ts";
import type { ServiceDeclaration } from "../service-declaration.ts";
import { createDiscoveryDocument, discoveryDocument } from "./discovery-document.ts";

const ORIGIN = "http://127.0.0.1:8081";
const WRITE = "https://www.googleapis.com/auth/ediscovery";
const READ = "https://www.googleapis.com/auth/ediscovery.readonly";

function documentOf(declaration: ServiceDeclaration): JsonObject {
  return discoveryDocument(documentedService(declaration), ORIGIN);
}

/** `at(document, "resources.operations.methods.cancel")`. */
function at(document: JsonValue, path: string): JsonObject {
  return path.split(".").reduce((value, key) => (value as JsonObject)[key]!, document) as JsonObject;
}

/** The fields of a method but its texts, for comparison. */
function withoutTexts(value: JsonValue): JsonValue {
  return JSON.parse(JSON.stringify(value, (key, inner) => (key === "description" ? undefined : inner)));
}

test("the links of the document begin where it was asked for", () => {
  const { kind, id, name, version, rootUrl, baseUrl, servicePath, ownerDomain } = documentOf(vaultService);
  assert.deepEqual(
    { kind, id, name, version, rootUrl, baseUrl, servicePath, ownerDomain },
    {
      kind: "discovery#restDescription",
      id: "vault:v1",
      name: "vault",
      version: "v1",
      rootUrl: `${ORIGIN}/`,
      baseUrl: `${ORIGIN}/`,
      servicePath: "",
      ownerDomain: "127.0.0.1",
    },
  );
});

for (const declaration of [vaultService, daiService]) {
  test(`${declaration.id} has exactly cancel, delete, get and list, as its page says`, () => {
    const methods = at(documentOf(declaration), "resources.operations.methods");
    assert.deepEqual(Object.keys(methods).sort(), ["cancel", "delete", "get", "list"]);
  });
}

test("vault's cancel is the one of its public document", () => {
  const document = documentOf(vaultService);
  assert.deepEqual(withoutTexts(at(document, "resources.operations.methods.cancel")), {
    id: "vault.operations.cancel",
    path: "v1/{+name}:cancel",
    flatPath: "v1/operations/{operationsId}:cancel",
    httpMethod: "POST",
    parameters: { name: { location: "path", required: true, type: "string", pattern: "^operations/.*$" } },
    parameterOrder: ["name"],
    request: { $ref: "CancelOperationRequest" },
    response: { $ref: "Empty" },
    scopes: [WRITE],
  });
  assert.deepEqual(at(document, "schemas.CancelOperationRequest.properties"), {});
});

test("vault's list has filter, pageSize and pageToken, and no partial success", () => {
  const list = at(documentOf(vaultService), "resources.operations.methods.list");
  assert.deepEqual(withoutTexts(list["parameters"]!), {
    name: { location: "path", required: true, type: "string", pattern: "^operations$" },
    filter: { location: "query", type: "string" },
    pageSize: { location: "query", type: "integer", format: "int32" },
    pageToken: { location: "query", type: "string" },
  });
  assert.deepEqual(list["scopes"], [WRITE, READ]);
});

test("scopes that open something are told once for all; without any there is no auth", () => {
  assert.deepEqual(Object.keys(at(documentOf(vaultService), "auth.oauth2.scopes")), [WRITE, READ]);
  assert.equal("auth" in documentOf(daiService), false);
});

test("a start method stands at the resource of its path, and the messages of its result are told", () => {
  const document = documentOf(vaultService);
  const count = at(document, "resources.matters.methods.count");
  assert.equal(count["path"], "v1/matters/{matterId}:count");
  assert.deepEqual(count["request"], { $ref: "CountArtifactsRequest" });
  assert.equal("matterId" in at(document, "schemas.CountArtifactsRequest.properties"), false);
  const schemas = Object.keys(at(document, "schemas"));
  assert.ok(schemas.includes("CountArtifactsResponse"), String(schemas));
  assert.deepEqual(at(document, "schemas.CountArtifactsResponse.properties.totalCount"), {
    type: "string",
    format: "int64",
  });
});

test("names below parents have a pattern for each segment, and standard methods their names", () => {
  const document = documentOf(automlService);
  const locations = at(document, "resources.projects.resources.locations.resources");
  const { path, parameters } = at(locations, "operations.methods.wait");
  assert.equal(path, "v1beta1/{+name}:wait");
  assert.equal(at(parameters!, "name")["pattern"], "^projects/[^/]+/locations/[^/]+/operations/[^/]+$");
  assert.equal(at(locations, "operations.methods.list")["path"], "v1beta1/{+name}/operations");
  assert.deepEqual(Object.keys(at(locations, "models.methods")), ["create", "delete"]);
  assert.deepEqual(at(locations, "models.methods.create")["request"], { $ref: "Model" });
});

test("a service of any parents shows its operations once, and nothing of Belay's own surface", () => {
  const document = documentOf({ ...defaultService, discoveryVersion: "v1" });
  assert.deepEqual(Object.keys(at(document, "resources")), ["operations"]);
  assert.equal(JSON.stringify(document).includes("belay.v1"), false);
});

test("lists are parameters that may be repeated; a field that is the body is the request", () => {
  const library = { ...documentedService(vaultService), methods: annotatedMethods(Library) };
  const document = discoveryDocument(library, ORIGIN);
  const search = at(document, "resources.search.methods.search.parameters");
  assert.deepEqual(search["numbers"], {
    location: "query",
    type: "integer",
    format: "int32",
    repeated: true,
  });
  assert.equal(search["time"] && at(search, "time")["format"], "google-datetime");
  assert.deepEqual(at(document, "resources.things.methods.update.request"), { $ref: "Inner" });
  assert.deepEqual(at(document, "schemas.AllKinds.properties.labels"), {
    type: "object",
    additionalProperties: { type: "string" },
  });
});

test("the document is at $discovery/rest, also with an escaped $, and below /discovery", () => {
  const routes = createDiscoveryDocument(documentedService(vaultService));
  for (const path of ["/$discovery/rest", "/%24discovery/rest", "/discovery/v1/apis/vault/v1/rest"]) {
    const route = findDocument(routes, path);
    const reply = route?.respond({ origin: ORIGIN, query: new URLSearchParams("version=v1") });
    assert.equal(reply?.contentType, "application/json; charset=utf-8");
    assert.equal((JSON.parse(reply.body) as JsonObject)["id"], "vault:v1");
  }
  assert.equal(findDocument(routes, "/discovery/v1/apis/vault/v2/rest"), undefined);
});

test("another version is not found", () => {
  const [route] = createDiscoveryDocument(documentedService(vaultService));
  assert.throws(
    () => route?.respond({ origin: ORIGIN, query: new URLSearchParams("version=v2") }),
    (error) => error instanceof RpcError && error.reason === "ROUTE_NOT_FOUND",
  );
});

test("a service without a discovery version has no discovery document", () => {
  assert.deepEqual(createDiscoveryDocument(documentedService(automlService)), []);
});
