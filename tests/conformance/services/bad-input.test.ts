// Bad input over REST, in the form of each dialect: the exact HTTP status, code, reason and message. The same on gRPC where it
// can be sent there. Nothing is started or cancelled by any of it.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { DescMethod, JsonObject } from "@bufbuild/protobuf";
import { Operations as NativeOperations } from "../../../src/protocol/gen/belay/v1/operations_pb.ts";
import { Operations } from "../../../src/protocol/gen/google/longrunning/operations_pb.ts";
import { OperationService } from "../../../src/protocol/gen/yandex/cloud/operation/operation_service_pb.ts";
import { refusedRequests } from "./refused-requests.ts";
import { type ServicesWorld, startServicesWorld } from "./services-world.ts";

let world: ServicesWorld;
let vaultName: string;
let yandexName: string;
before(async () => {
  world = await startServicesWorld();
  vaultName = await world.start("vault");
  yandexName = await world.start("yandex");
});
after(() => world[Symbol.asyncDispose]());

const codeOfStatus: Readonly<Record<number, number>> = { 400: 3, 404: 5, 405: 12, 413: 3, 415: 3, 501: 12 };
const nameOfCode: Readonly<Record<number, string>> = {
  3: "INVALID_ARGUMENT",
  5: "NOT_FOUND",
  12: "UNIMPLEMENTED",
};

for (const row of refusedRequests) {
  const [what, service, method, target, options, [status, reason, message]] = row;
  const shownTarget = target.length > 60 ? `${target.slice(0, 57)}...` : target;
  test(`${service}: ${method} ${shownTarget}, ${what}: ${status} ${reason}`, async () => {
    const name = service === "yandex" ? yandexName : vaultName;
    const put = (text: string): string => text.replaceAll("NAME", name);
    const reply = await world.client(service).rest(method, put(target), options);
    assert.deepEqual(
      [reply.httpStatus, reply.error?.reason, reply.error?.message],
      [status, reason, put(message)],
    );
    const code = codeOfStatus[status]!;
    const body = JSON.parse(reply.text) as { error?: { code: number; status: string }; code?: number };
    if (service === "yandex") assert.equal(body.code, code);
    else assert.deepEqual([body.error?.code, body.error?.status], [status, nameOfCode[code]]);
    assert.equal(reply.headers["content-type"], "application/json; charset=utf-8");
  });
}

const grpcRows: readonly [
  what: string,
  service: string,
  method: DescMethod,
  request: JsonObject,
  code: number,
  reason: string,
  message: string,
][] = [
  [
    "a malformed name",
    "vault",
    Operations.method.cancelOperation,
    { name: "operations/A!" },
    3,
    "INVALID_NAME",
    "operation name operations/A! is not of the form operations/{id}",
  ],
  [
    "no name",
    "vault",
    Operations.method.getOperation,
    {},
    3,
    "INVALID_NAME",
    "operation name  is not of the form operations/{id}",
  ],
  [
    "a negative page size",
    "vault",
    Operations.method.listOperations,
    { name: "operations", pageSize: -1 },
    3,
    "INVALID_FIELD",
    "page_size: is -1; it must not be negative",
  ],
  [
    "garbage as page token",
    "vault",
    Operations.method.listOperations,
    { name: "operations", pageToken: "garbage" },
    3,
    "INVALID_PAGE_TOKEN",
    "page_token: it was changed, or belongs to another request",
  ],
  [
    "a broken filter",
    "vault",
    Operations.method.listOperations,
    { name: "operations", filter: "(" },
    3,
    "INVALID_FILTER",
    "filter, column 2: a field is expected",
  ],
  [
    "a negative timeout",
    "default",
    Operations.method.waitOperation,
    { name: "operations/opr00000000000000000", timeout: "-1s" },
    3,
    "INVALID_FIELD",
    "timeout: must not be negative",
  ],
  ["no id", "yandex", OperationService.method.cancel, {}, 3, "INVALID_FIELD", "operation_id: is required"],
  [
    "a malformed id",
    "yandex",
    OperationService.method.cancel,
    { operationId: "A!" },
    5,
    "OPERATION_NOT_FOUND",
    "operation operations/A! is not found",
  ],
  [
    "a deadline in the past",
    "default",
    NativeOperations.method.startOperation,
    { type: "test.echo", deadline: "2020-01-01T00:00:00Z" },
    3,
    "INVALID_FIELD",
    "deadline: must be in the future",
  ],
  [
    "a payload too large",
    "default",
    NativeOperations.method.startOperation,
    { type: "test.echo", payload: { a: "x".repeat(262_145) } },
    3,
    "PAYLOAD_TOO_LARGE",
    "payload is 262153 bytes; at most 262144 are taken",
  ],
];

for (const [what, service, method, request, code, reason, message] of grpcRows) {
  test(`${service}: gRPC ${method.name}, ${what}: ${code} ${reason}`, async () => {
    const { error, headers } = await world.client(service).grpc(method, request);
    assert.deepEqual([error?.code, error?.reason, error?.message], [code, reason, message]);
    assert.deepEqual(headers, {});
  });
}

test("none of it cancelled anything", async () => {
  assert.equal(await world.stateOf("vault", vaultName), "PENDING");
  assert.equal(await world.stateOf("yandex", yandexName), "PENDING");
});
