// ApiEndpointService over the wire: what the Python SDK asks before anything else, without a credential.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { ApiEndpointSchema } from "../../../src/protocol/gen/yandex/cloud/endpoint/api_endpoint_pb.ts";
import {
  GetApiEndpointRequestSchema,
  ListApiEndpointsResponseSchema,
} from "../../../src/protocol/gen/yandex/cloud/endpoint/api_endpoint_service_pb.ts";
import { CallFailure, callGrpc } from "../lro/lro-client.ts";
import { startYandexWorld, type YandexWorld } from "./yandex-world.ts";

let world: YandexWorld;
before(async () => {
  world = await startYandexWorld();
});
after(() => world[Symbol.asyncDispose]());

const SERVICE = "/yandex.cloud.endpoint.ApiEndpointService";

interface JsonEndpoint {
  id: string;
  address: string;
}

test("List has at least iam and operation, each with host and port, the same on gRPC and REST", async () => {
  const { bytes } = await callGrpc(world.grpc("ocr"), `${SERVICE}/List`, Buffer.alloc(0));
  const endpoints = fromBinary(ListApiEndpointsResponseSchema, bytes).endpoints.map(({ id, address }) => ({
    id,
    address,
  }));
  const ids = endpoints.map(({ id }) => id);
  assert.ok(ids.includes("iam") && ids.includes("operation"), ids.join());
  for (const { address } of endpoints) assert.match(address, /^[a-z0-9.-]+:\d+$/);
  const rest = await world.rest("ocr", "GET", "/endpoints");
  assert.equal(rest.status, 200);
  assert.deepEqual((JSON.parse(rest.text) as { endpoints: JsonEndpoint[] }).endpoints, endpoints);
});

test("Get answers one of them", async () => {
  const rest = await world.rest("ocr", "GET", "/endpoints/operation");
  const request = create(GetApiEndpointRequestSchema, { apiEndpointId: "operation" });
  const { bytes } = await callGrpc(
    world.grpc("ocr"),
    `${SERVICE}/Get`,
    toBinary(GetApiEndpointRequestSchema, request),
  );
  const { id, address } = fromBinary(ApiEndpointSchema, bytes);
  assert.deepEqual(JSON.parse(rest.text), { id, address });
});

test("an unknown endpoint is not found", async () => {
  const rest = await world.rest("ocr", "GET", "/endpoints/nothing");
  const { code, message } = JSON.parse(rest.text) as { code: number; message: string };
  assert.deepEqual([rest.status, code], [404, 5]);
  assert.match(message, /^API endpoint nothing is not found; known endpoints: /);
  const request = create(GetApiEndpointRequestSchema, { apiEndpointId: "nothing" });
  const failure: unknown = await callGrpc(
    world.grpc("ocr"),
    `${SERVICE}/Get`,
    toBinary(GetApiEndpointRequestSchema, request),
  ).catch((error: unknown) => error);
  assert.ok(failure instanceof CallFailure);
  assert.deepEqual([failure.code, failure.reason, failure.message], [5, "ENDPOINT_NOT_FOUND", message]);
});

test("a page token is refused, and other methods are 405", async () => {
  const token = await world.rest("ocr", "GET", "/endpoints?pageToken=x");
  assert.deepEqual([token.status, (JSON.parse(token.text) as { code: number }).code], [400, 3]);
  const post = await world.rest("ocr", "POST", "/endpoints");
  assert.deepEqual([post.status, post.headers["allow"]], [405, "GET, HEAD"]);
});
