// The five pages that Belay is measured by, line by line: verb, path, request, answer, scope, and what becomes of the operation.
// Each test reads like its page; the sentences are the pages' own, shortened.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { JsonObject } from "@bufbuild/protobuf";
import { Operations } from "../../../src/protocol/gen/google/longrunning/operations_pb.ts";
import { IamTokenService } from "../../../src/protocol/gen/yandex/cloud/iam/v1/iam_token_service_pb.ts";
import { OperationService } from "../../../src/protocol/gen/yandex/cloud/operation/operation_service_pb.ts";
import {
  type IdentityWorld,
  OAUTH_TOKEN,
  type ServiceId,
  startIdentityWorld,
  staticTokens,
} from "../identity/identity-world.ts";
import type { WireClient, WireReply } from "../wire/wire-client.ts";

let world: IdentityWorld;
before(async () => {
  world = await startIdentityWorld();
});
after(() => world[Symbol.asyncDispose]());

const RFC_3339 = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?Z$/;

function at(host: string, token: string | null): WireClient {
  return world.named(host, token === null ? null : `Bearer ${token}`);
}

/** Everything that the page of operations.cancel of a Google API says, but for the host, the path and the scope. */
async function readsLikeGoogle(page: {
  service: ServiceId;
  host: string;
  parent: string;
  path: (name: string) => string;
  token: string;
}): Promise<void> {
  const { service, host, parent, path, token } = page;
  const client = at(host, token);
  const cancel = (name: string, options = {}): Promise<WireReply> =>
    client.rest("POST", `${path(name)}:cancel`, options);

  // "Starts asynchronous cancellation on a long-running operation."
  const name = await world.startRunning(service, parent);
  // "The request body must be empty." "If successful, the response body is an empty JSON object."
  const { httpStatus, text, headers } = await cancel(name);
  assert.deepEqual([httpStatus, text], [200, "{}"]);
  assert.equal(headers["content-type"], "application/json; charset=utf-8");
  // "Clients can use Operations.GetOperation to check whether the cancellation succeeded."
  await world.ended(service, name);
  const operation = (await client.rest("GET", path(name))).json as JsonObject & { error: { code: number } };
  // "The operation is not deleted; it becomes an operation with an Operation.error value with a code of 1."
  assert.deepEqual([operation["name"], operation["done"], operation.error.code], [name, true, 1]);
  assert.equal(operation["response"], undefined);

  // An empty object is empty too; anything else is not.
  const others = [await world.startRunning(service, parent), await world.startRunning(service, parent)];
  assert.equal((await cancel(others[0]!, { body: "{}" })).text, "{}");
  assert.equal((await cancel(others[1]!, { body: '{"force":true}' })).httpStatus, 400);

  // "Or whether the operation completed despite cancellation."
  const done = await world.start(service, { parent, type: "test.echo" });
  await world.ended(service, done);
  assert.equal((await cancel(done)).text, "{}");
  const completed = (await client.rest("GET", path(done))).json;
  assert.deepEqual([completed?.["done"], completed?.["error"]], [true, undefined]);

  // The HTTP request is a POST and nothing else.
  for (const method of ["GET", "PUT", "DELETE", "PATCH"]) {
    const refused = await client.rest(method, `${path(done)}:cancel`);
    assert.deepEqual([refused.httpStatus, refused.headers["allow"]], [405, "POST"]);
  }

  // The same on gRPC.
  const onGrpc = await client.grpc(Operations.method.cancelOperation, { name: others[1]! });
  assert.deepEqual([onGrpc.error, onGrpc.bytes.length], [null, 0]);
  await world.ended(service, others[1]!);
  await world.ended(service, others[0]!);
}

/** "Requires the following OAuth scope." */
async function requiresScope(host: string, path: string, scope: string, tokens: string[]): Promise<void> {
  for (const token of tokens) {
    const { httpStatus, headers } = await at(host, token).rest("POST", path);
    assert.equal(httpStatus, 403);
    assert.match(
      headers["www-authenticate"] ?? "",
      new RegExp(`error="insufficient_scope", scope="${scope}"$`),
    );
  }
  const nobody = await at(host, null).rest("POST", path);
  assert.deepEqual([nobody.httpStatus, nobody.headers["www-authenticate"]], [401, 'Bearer realm="belay"']);
}

/** "If the server doesn't support this method, it returns google.rpc.Code.UNIMPLEMENTED." */
async function mayBeUnimplemented(
  service: ServiceId,
  parent: string,
  cancel: (name: string) => Promise<WireReply>,
): Promise<void> {
  const name = await world.start(service, { parent, type: "test.fixed" });
  const { httpStatus, error } = await cancel(name);
  assert.deepEqual([httpStatus, error?.code], [501, 12]);
}

test("Vault API, operations.cancel: POST https://vault.googleapis.com/v1/{name=operations/**}:cancel", async () => {
  const host = "vault.googleapis.com";
  const path = (name: string): string => `/v1/${name}`;
  await readsLikeGoogle({ service: "vault", host, parent: "", path, token: staticTokens.writer });
  const scope = "https://www.googleapis.com/auth/ediscovery";
  const absent = "/v1/operations/opr00000000000000000:cancel";
  await requiresScope(host, absent, scope, [staticTokens.reader, staticTokens.cloud, staticTokens.none]);
  const client = at(host, staticTokens.writer);
  await mayBeUnimplemented("vault", "", (name) => client.rest("POST", `/v1/${name}:cancel`));
});

test("Video Creative Ingest API, operations.cancel: POST https://dai.googleapis.com/v1/{name=operations/**}:cancel", async () => {
  const host = "dai.googleapis.com";
  // The page names no scope.
  await readsLikeGoogle({
    service: "dai",
    host,
    parent: "",
    path: (name) => `/v1/${name}`,
    token: staticTokens.none,
  });
  const client = at(host, staticTokens.none);
  await mayBeUnimplemented("dai", "", (name) => client.rest("POST", `/v1/${name}:cancel`));
});

test("Cloud AutoML, projects.locations.operations.cancel: POST https://automl.googleapis.com/v1beta1/{name}:cancel", async () => {
  const host = "automl.googleapis.com";
  const parent = "projects/p1/locations/us-central1";
  const path = (name: string): string => `/v1beta1/${name}`;
  await readsLikeGoogle({ service: "automl", host, parent, path, token: staticTokens.cloud });
  const scope = "https://www.googleapis.com/auth/cloud-platform";
  const absent = `/v1beta1/${parent}/operations/opr00000000000000000:cancel`;
  await requiresScope(host, absent, scope, [staticTokens.writer, staticTokens.none]);
  const client = at(host, staticTokens.cloud);
  await mayBeUnimplemented("automl", parent, (name) => client.rest("POST", `/v1beta1/${name}:cancel`));
});

/** The fields of the Operation resource: `response` and `error` are one of two. */
function isOperation(operation: JsonObject, id: string): void {
  const fields = [
    "id",
    "description",
    "createdAt",
    "createdBy",
    "modifiedAt",
    "done",
    "metadata",
    "error",
    "response",
  ];
  for (const key of Object.keys(operation)) assert.ok(fields.includes(key), key);
  assert.equal(operation["id"], id);
  assert.match(String(operation["createdAt"]), RFC_3339);
  assert.match(String(operation["modifiedAt"]), RFC_3339);
  assert.equal(operation["createdBy"], "user:somebody");
  const done = operation["done"] === true;
  assert.equal("error" in operation || "response" in operation, done);
  assert.ok(!("error" in operation && "response" in operation));
}

test("Vision OCR API, Operation.Cancel: GET https://operation.api.cloud.yandex.net/operations/{operationId}:cancel", async () => {
  const client = at("operation.api.cloud.yandex.net", staticTokens.all);
  const name = await world.startRunning("yandex");
  const id = name.slice("operations/".length);
  // "HTTP Code: 200 - OK", and an Operation resource.
  const { httpStatus, text, headers } = await client.rest("GET", `/operations/${id}:cancel`);
  assert.equal(httpStatus, 200);
  assert.equal(headers["content-type"], "application/json; charset=utf-8");
  const operation = JSON.parse(text) as JsonObject;
  isOperation(operation, id);
  assert.equal(typeof operation["done"], "boolean");
  // "The error result of the operation in case of failure or cancellation": code, message, details[].
  await world.ended("yandex", name);
  const ended = (await client.rest("GET", `/operations/${id}`)).json as JsonObject;
  isOperation(ended, id);
  const { code, message, details } = ended["error"] as { code: number; message: string; details?: unknown[] };
  assert.deepEqual([ended["done"], code, typeof message, details ?? []], [true, 1, "string", []]);
  // operationId is "Required field".
  const missing = await client.grpc(OperationService.method.cancel, { operationId: "" });
  assert.deepEqual([missing.error?.code, missing.error?.message], [3, "operation_id: is required"]);
  // "Note that currently Object Storage API does not support cancelling operations."
  const stored = await world.start("storage");
  const refused = await world.client("storage", staticTokens.all).rest("GET", `/${stored}:cancel`);
  assert.deepEqual(
    [refused.httpStatus, refused.error?.code, refused.error?.message],
    [501, 12, "service storage does not support cancelling operations"],
  );
});

test("OperationService, Cancel: what the sample in TypeScript and Python calls, gRPC after an exchange of its OAuth token", async () => {
  // new Session({ oauthToken }), and yandexcloud.SDK(token): the token is exchanged before every call.
  const iam = at("iam.api.cloud.yandex.net", null);
  const made = await iam.grpc(IamTokenService.method.create, { yandexPassportOauthToken: OAUTH_TOKEN });
  assert.equal(made.error, null);
  const client = at("operation.api.cloud.yandex.net", String(made.json?.["iamToken"]));
  // client.cancel(CancelOperationRequest.fromPartial({ operationId }))
  const name = await world.startRunning("yandex");
  const operationId = name.slice("operations/".length);
  const { error, json } = await client.grpc(OperationService.method.cancel, { operationId });
  assert.equal(error, null);
  isOperation(json as JsonObject, operationId);
  // "If done == true, exactly one of error or response is set."
  await world.ended("yandex", name);
  const ended = (await client.grpc(OperationService.method.get, { operationId })).json as JsonObject;
  isOperation(ended, operationId);
  assert.equal((ended["error"] as { code: number }).code, 1);
  // The placeholder of the sample is no operation.
  const placeholder = await client.grpc(OperationService.method.cancel, { operationId: "operationId" });
  assert.deepEqual(
    [placeholder.error?.code, placeholder.error?.message],
    [5, "operation operations/operationId is not found"],
  );
});
