import assert from "node:assert/strict";
import { test } from "node:test";
import { create, fromBinary, type Message } from "@bufbuild/protobuf";
import { ApiEndpointSchema } from "../../protocol/gen/yandex/cloud/endpoint/api_endpoint_pb.ts";
import {
  GetApiEndpointRequestSchema,
  ListApiEndpointsRequestSchema,
  ListApiEndpointsResponseSchema,
} from "../../protocol/gen/yandex/cloud/endpoint/api_endpoint_service_pb.ts";
import { recordedCall } from "../../testing/recorded-call.ts";
import type { ServiceMethod } from "../method.ts";
import { createApiEndpointService } from "./api-endpoint-service.ts";

const endpoints = [
  { id: "iam", address: "localhost:8080" },
  { id: "operation", address: "localhost:8080" },
];
const { methods } = createApiEndpointService(() => endpoints);

function methodOf(name: string): ServiceMethod {
  const method = methods.find(({ desc }) => desc.name === name);
  assert.ok(method);
  return method;
}

const invoke = (name: string, request: Message): Promise<unknown> =>
  Promise.resolve(methodOf(name).invoke(request, recordedCall()));

test("anybody may call both methods", () => {
  assert.deepEqual(
    methods.map(({ isPublic }) => isPublic),
    [true, true],
  );
});

test("List answers all endpoints on one page", async () => {
  const reply = await invoke("List", create(ListApiEndpointsRequestSchema, { pageSize: 1n }));
  const page = fromBinary(ListApiEndpointsResponseSchema, methodOf("List").encodeBinary(reply));
  assert.deepEqual(
    page.endpoints.map(({ id, address }) => ({ id, address })),
    endpoints,
  );
  assert.equal(
    methodOf("List").encodeJson(reply),
    '{"endpoints":[{"id":"iam","address":"localhost:8080"},{"id":"operation","address":"localhost:8080"}]}',
  );
});

test("List refuses a page token, since it never gave one", async () => {
  await assert.rejects(invoke("List", create(ListApiEndpointsRequestSchema, { pageToken: "x" })), {
    reason: "INVALID_PAGE_TOKEN",
    message: "page_token: the list has one page",
  });
});

test("Get answers one endpoint", async () => {
  const reply = await invoke("Get", create(GetApiEndpointRequestSchema, { apiEndpointId: "iam" }));
  const { id, address } = fromBinary(ApiEndpointSchema, methodOf("Get").encodeBinary(reply));
  assert.deepEqual({ id, address }, endpoints[0]);
  assert.equal(methodOf("Get").encodeJson(reply), '{"id":"iam","address":"localhost:8080"}');
});

test("Get of an unknown endpoint names the known ones", async () => {
  await assert.rejects(invoke("Get", create(GetApiEndpointRequestSchema, { apiEndpointId: "compute" })), {
    reason: "ENDPOINT_NOT_FOUND",
    message: "API endpoint compute is not found; known endpoints: iam, operation",
  });
});
