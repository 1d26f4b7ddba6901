// What asks for no credential where identity is configured, and what does: probes and documents are open, reflection is not.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { Client, credentials, Metadata, type ServiceError } from "@grpc/grpc-js";
import { HealthCheckRequestSchema } from "../../../src/protocol/gen/grpc/health/v1/health_pb.ts";
import {
  ServerReflectionRequestSchema,
  ServerReflectionResponseSchema,
} from "../../../src/protocol/gen/grpc/reflection/v1/reflection_pb.ts";
import { ApiEndpointService } from "../../../src/protocol/gen/yandex/cloud/endpoint/api_endpoint_service_pb.ts";
import { type IdentityWorld, type ServiceId, startIdentityWorld, staticTokens } from "./identity-world.ts";

let world: IdentityWorld;
let client: Client;
before(async () => {
  world = await startIdentityWorld();
  client = new Client(world.address, credentials.createInsecure());
});
after(async () => {
  client.close();
  await world[Symbol.asyncDispose]();
});

const open: readonly [service: ServiceId, path: string][] = [
  ["default", "/healthz"],
  ["default", "/readyz"],
  ["vault", "/healthz"],
  ["default", "/openapi.json"],
  ["vault", "/openapi.json"],
  ["automl", "/openapi.json"],
  ["yandex", "/openapi.json"],
  ["vault", "/$discovery/rest?version=v1"],
  ["dai", "/%24discovery/rest?version=v1"],
  ["vault", "/discovery/v1/apis/vault/v1/rest"],
  ["yandex", "/endpoints"],
  ["yandex", "/endpoints/iam"],
];

for (const [service, path] of open) {
  test(`${service} ${path} is open, with no credential and with a wrong one`, async () => {
    for (const token of [null, "no-such-token-here"]) {
      const { httpStatus, text } = await world.client(service, token).rest("GET", path);
      assert.equal(httpStatus, 200, text);
      JSON.parse(text);
    }
  });
}

test("the documents of a server with identity tell the scopes", async () => {
  const { text } = await world.client("vault").rest("GET", "/$discovery/rest?version=v1");
  assert.match(text, /https:\/\/www\.googleapis\.com\/auth\/ediscovery\.readonly/);
});

test("grpc.health.v1 is open", async () => {
  const request = toBinary(HealthCheckRequestSchema, create(HealthCheckRequestSchema));
  const { error } = await world.client("default").grpcBytes("/grpc.health.v1.Health/Check", request);
  assert.equal(error, null);
});

test("ApiEndpointService is open on gRPC: SDKs ask it before they have a token", async () => {
  const { error, json } = await world.client("yandex").grpc(ApiEndpointService.method.list, {});
  assert.equal(error, null);
  const ids = ((json?.["endpoints"] ?? []) as { id: string }[]).map(({ id }) => id);
  assert.ok(ids.includes("iam") && ids.includes("operation"));
});

/** Asks reflection for its services; answers their names, or the error. */
function reflect(version: "v1" | "v1alpha", token: string | null): Promise<string[] | ServiceError> {
  const metadata = new Metadata();
  if (token !== null) metadata.set("authorization", `Bearer ${token}`);
  const identity = (bytes: Buffer): Buffer => bytes;
  const path = `/grpc.reflection.${version}.ServerReflection/ServerReflectionInfo`;
  const call = client.makeBidiStreamRequest(path, identity, identity, metadata);
  const { promise, resolve } = Promise.withResolvers<string[] | ServiceError>();
  call.on("error", (error) => resolve(error as ServiceError));
  call.on("data", (bytes: Buffer) => {
    const { messageResponse } = fromBinary(ServerReflectionResponseSchema, bytes);
    assert.ok(messageResponse.case === "listServicesResponse");
    resolve(messageResponse.value.service.map(({ name }) => name));
  });
  const request = create(ServerReflectionRequestSchema, {
    messageRequest: { case: "listServices", value: "*" },
  });
  call.write(Buffer.from(toBinary(ServerReflectionRequestSchema, request)));
  call.end();
  return promise;
}

for (const version of ["v1", "v1alpha"] as const) {
  test(`reflection ${version} needs a credential: it describes what is not open`, async () => {
    for (const [token, reason] of [
      [null, "CREDENTIALS_MISSING"],
      ["no-such-token-here", "ACCESS_TOKEN_INVALID"],
    ] as const) {
      const refused = await reflect(version, token);
      assert.ok(refused instanceof Error);
      assert.equal(refused.code, 16);
      assert.ok(refused.metadata.get("grpc-status-details-bin")[0]?.includes(reason));
      assert.match(String(refused.metadata.get("www-authenticate")[0]), /^Bearer realm="belay"/);
    }
    const names = await reflect(version, await world.fileToken());
    assert.ok(Array.isArray(names) && names.includes("google.longrunning.Operations"));
  });
}

test("with identity any host is answered, by the service default where none is named", async () => {
  const headers = { host: "ops.example.com" };
  const ada = world.client("default", staticTokens.all);
  assert.equal((await ada.rest("GET", "/v1/operations", { headers })).httpStatus, 200);
  const nobody = await world.client("default").rest("GET", "/v1/operations", { headers });
  assert.deepEqual([nobody.httpStatus, nobody.error?.reason], [401, "CREDENTIALS_MISSING"]);
});

test("a page of another site is refused before its credential is looked at", async () => {
  const headers = { origin: "https://evil.example" };
  const { httpStatus, error } = await world
    .client("default", staticTokens.all)
    .rest("GET", "/v1/operations", { headers });
  assert.deepEqual([httpStatus, error?.reason], [403, "CROSS_SITE_REFUSED"]);
});
