// Which service a call is for: Host, `:authority` or a port of its own tell services of the same paths apart, and an operation
// of one does not exist for another.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { DescMethod } from "@bufbuild/protobuf";
import { Operations as NativeOperations } from "../../../src/protocol/gen/belay/v1/operations_pb.ts";
import { AutoMl } from "../../../src/protocol/gen/google/cloud/automl/v1beta1/service_pb.ts";
import { Operations } from "../../../src/protocol/gen/google/longrunning/operations_pb.ts";
import { OperationService } from "../../../src/protocol/gen/yandex/cloud/operation/operation_service_pb.ts";
import type { WireClient, WireReply } from "../wire/wire-client.ts";
import { type ServicesWorld, startServicesWorld } from "./services-world.ts";

let world: ServicesWorld;
before(async () => {
  world = await startServicesWorld();
});
after(() => world[Symbol.asyncDispose]());

const ABSENT = "operations/opr00000000000000000";

/** A reply, without the date, the request id, and the name that was asked for. */
function bytesOf(reply: WireReply, name: string): string {
  const {
    date: _date,
    "x-request-id": _id,
    "grpc-status-details-bin": details = "",
    ...others
  } = reply.trailers;
  const binary = Buffer.from(details, "base64").toString("latin1");
  return JSON.stringify([reply.httpStatus, others, reply.text, reply.error?.message, binary]).replaceAll(
    name,
    "NAME",
  );
}

const restCalls: readonly [string, string, string][] = [
  ["GET", "/v1/", ""],
  ["HEAD", "/v1/", ""],
  ["POST", "/v1/", ":cancel"],
  ["DELETE", "/v1/", ""],
  ["GET", "/belay/v1/", ""],
  ["POST", "/belay/v1/", ":cancel"],
  ["GET", "/belay/v1/", "/receipt"],
];
const grpcCalls: readonly DescMethod[] = [
  Operations.method.getOperation,
  Operations.method.waitOperation,
  Operations.method.cancelOperation,
  Operations.method.deleteOperation,
  NativeOperations.method.getOperation,
  NativeOperations.method.cancelOperation,
  NativeOperations.method.getReceipt,
];

async function isFound(client: WireClient, name: string): Promise<void> {
  assert.equal((await client.rest("GET", `/v1/${name}`)).json?.["name"], name);
  assert.equal((await client.grpc(Operations.method.getOperation, { name })).json?.["name"], name);
}

for (const own of ["vault", "dai", "default"]) {
  test(`an operation of ${own} is found there alone; elsewhere it is absent, to the byte`, async () => {
    const name = await world.start(own);
    await isFound(world.client(own), name);
    for (const other of ["vault", "dai", "default"].filter((id) => id !== own)) {
      const client = world.client(other);
      for (const [method, prefix, suffix] of restCalls) {
        const [seen, absent] = [name, ABSENT].map((each) => client.rest(method, `${prefix}${each}${suffix}`));
        const reply = await seen!;
        assert.equal(reply.httpStatus, 404, `${method} ${suffix}`);
        assert.equal(bytesOf(reply, name), bytesOf(await absent!, ABSENT), `${other}: ${method} ${suffix}`);
      }
      for (const method of grpcCalls) {
        const [seen, absent] = [name, ABSENT].map((each) => client.grpc(method, { name: each }));
        const reply = await seen!;
        assert.deepEqual([reply.error?.code, reply.error?.reason], [5, "OPERATION_NOT_FOUND"]);
        assert.equal(bytesOf(reply, name), bytesOf(await absent!, ABSENT), `${other}: ${method.name}`);
      }
      const listed = (await client.rest("GET", "/v1/operations?pageSize=1000")).json?.["operations"] ?? [];
      assert.ok(!JSON.stringify(listed).includes(name));
    }
    assert.equal(await world.stateOf(own, name), "PENDING");
  });
}

const authorities: readonly [authority: string, service: string][] = [
  ["vault.googleapis.com", "vault"],
  ["vault.localhost", "vault"],
  ["vault.localhost:8443", "vault"],
  ["VAULT.GoogleAPIs.com:443", "vault"],
  ["dai.googleapis.com", "dai"],
  ["dai.localhost:1", "dai"],
  ["dai.googleapis.com.", "dai"],
  ["anything.localhost", "default"],
  ["localhost", "default"],
  ["localhost:9", "default"],
  ["127.0.0.1", "default"],
  ["[::1]:8080", "default"],
];

for (const [authority, service] of authorities) {
  test(`${authority} is ${service}, in Host and in :authority`, async () => {
    const name = await world.start(service);
    await isFound(world.named(authority), name);
  });
}

test("a port of a service is for it alone, whatever Host and :authority say", async () => {
  const [port = 0] = world.servicePorts["vault"] ?? [];
  const name = await world.start("vault");
  const ofDefault = await world.start("default");
  for (const authority of [null, "vault.localhost", "dai.localhost", "localhost:1"]) {
    const client = world.named(authority, port);
    await isFound(client, name);
    assert.equal((await client.rest("GET", `/v1/${ofDefault}`)).error?.reason, "OPERATION_NOT_FOUND");
    assert.equal((await client.rest("GET", "/operations/x")).error?.reason, "ROUTE_NOT_FOUND");
    const create = await client.grpc(AutoMl.method.createModel, { parent: "projects/p/locations/l" });
    assert.deepEqual([create.error?.code, create.error?.reason], [12, "METHOD_NOT_SUPPORTED"]);
  }
});

test("a yandex port answers in its dialect, also what is refused before a method is reached", async () => {
  const [port = 0] = world.servicePorts["yandex"] ?? [];
  const client = world.named(null, port);
  const name = await world.start("yandex");
  assert.equal((await client.rest("GET", `/${name}`)).json?.["id"], name.slice("operations/".length));
  const { text, httpStatus } = await client.rest("GET", "/nothing");
  assert.equal(httpStatus, 404);
  assert.deepEqual(Object.keys(JSON.parse(text)), ["code", "message", "details"]);
});

test("what only one service has is served under a name that is no service's", async () => {
  const name = await world.start("yandex");
  const client = world.client("default");
  assert.equal((await client.rest("GET", `/${name}`)).json?.["id"], name.slice("operations/".length));
  const operationId = name.slice("operations/".length);
  assert.equal((await client.grpc(OperationService.method.get, { operationId })).json?.["id"], operationId);
  const { error } = await client.grpc(AutoMl.method.createModel, { parent: "projects/p/locations/l" });
  assert.equal(error?.reason, "START_NOT_SERVED");
});

test("under a service's name there is nothing of the others", async () => {
  const rows: readonly [service: string, path: string, form: "google" | "yandex"][] = [
    ["vault", "/operations/x", "google"],
    ["vault", "/v1beta1/projects/p/locations/l/operations/x", "google"],
    ["automl", "/v1/operations/x", "google"],
    ["automl", "/iam/v1/tokens", "google"],
    ["yandex", "/v1/operations/x", "yandex"],
    ["yandex", "/v1beta1/projects/p/locations/l/operations/x", "yandex"],
  ];
  for (const [service, path, form] of rows) {
    const { httpStatus, text, error } = await world.client(service).rest("GET", path);
    assert.deepEqual([httpStatus, error?.code, error?.reason], [404, 5, "ROUTE_NOT_FOUND"], path);
    assert.equal(error?.message, `no method is served at GET ${path}`);
    assert.equal(Object.keys(JSON.parse(text))[0], form === "google" ? "error" : "code");
  }
  const grpcRows: readonly [service: string, method: DescMethod, request: Record<string, string>][] = [
    ["vault", OperationService.method.get, { operationId: "x" }],
    ["vault", AutoMl.method.createModel, { parent: "projects/p/locations/l" }],
    ["yandex", AutoMl.method.createModel, { parent: "projects/p/locations/l" }],
    ["automl", OperationService.method.cancel, { operationId: "x" }],
  ];
  for (const [service, method, request] of grpcRows) {
    const { error } = await world.client(service).grpc(method, request);
    const path = `/${method.parent.typeName}/${method.name}`;
    assert.deepEqual(
      [error?.code, error?.reason, error?.message],
      [12, "METHOD_NOT_SUPPORTED", `method ${path} is not supported`],
    );
  }
});

for (const host of [
  "evil.example",
  "vault.googleapis.com.evil.example",
  "evilvault.googleapis.com",
  "vault.localhost.evil.example",
]) {
  test(`without identity the unknown host ${host} is refused, on both transports`, async () => {
    const client = world.named(host);
    const message = `host ${host} is refused: without identity the server answers only to loopback names and its services' hosts`;
    const rest = await client.rest("GET", "/v1/operations");
    assert.deepEqual(
      [rest.httpStatus, rest.error?.reason, rest.error?.message],
      [403, "HOST_REFUSED", message],
    );
    const grpc = await client.grpc(Operations.method.listOperations, { name: "operations" });
    assert.deepEqual(
      [grpc.error?.code, grpc.error?.reason, grpc.error?.message],
      [7, "HOST_REFUSED", message],
    );
  });
}

test("a page token of one service, or of another parent, is refused by the others", async () => {
  for (let count = 0; count < 2; count++) {
    await world.start("vault");
    await world.start("dai");
  }
  const page = (await world.client("vault").rest("GET", "/v1/operations?pageSize=1")).json;
  const pageToken = String(page?.["nextPageToken"]);
  const calls = [
    world.client("dai").rest("GET", `/v1/operations?pageToken=${pageToken}`),
    world.client("default").rest("GET", `/v1/operations?pageToken=${pageToken}`),
    world.client("default").rest("GET", `/v1/projects/p/operations?pageToken=${pageToken}`),
    world.client("dai").grpc(Operations.method.listOperations, { name: "operations", pageToken }),
  ];
  for (const { error } of await Promise.all(calls)) {
    assert.deepEqual(
      [error?.code, error?.reason, error?.message],
      [3, "INVALID_PAGE_TOKEN", "page_token: it was changed, or belongs to another request"],
    );
  }
  const own = await world.client("vault").rest("GET", `/v1/operations?pageToken=${pageToken}`);
  assert.equal(own.error, null);
});

test("a type that one service claims is not started in another", async () => {
  const body = { type: "dai.ingest" };
  const inDai = await world.client("dai").rest("POST", "/belay/v1/operations", { body });
  assert.match(String(inDai.json?.["name"]), /^operations\/dai[a-z0-9]{17}$/);
  for (const service of ["default", "vault"]) {
    const { httpStatus, error } = await world.client(service).rest("POST", "/belay/v1/operations", { body });
    assert.deepEqual([httpStatus, error?.reason], [400, "OPERATION_TYPE_UNKNOWN"]);
    assert.match(error?.message ?? "", /^operation type dai\.ingest is not served here; known types: /);
  }
});
