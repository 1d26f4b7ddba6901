// An operation that a caller may not see, and one that is not there, to the byte: on REST the whole reply as it came over the
// wire, on gRPC message, trailers and details. Only the name that was asked for, and the date, are taken out.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { DescMethod } from "@bufbuild/protobuf";
import { Operations as NativeOperations } from "../../../src/protocol/gen/belay/v1/operations_pb.ts";
import { Operations } from "../../../src/protocol/gen/google/longrunning/operations_pb.ts";
import { OperationService } from "../../../src/protocol/gen/yandex/cloud/operation/operation_service_pb.ts";
import { rawBytes } from "../lro/raw-http.ts";
import { type IdentityWorld, type ServiceId, startIdentityWorld, staticTokens } from "./identity-world.ts";

let world: IdentityWorld;
before(async () => {
  world = await startIdentityWorld();
});
after(() => world[Symbol.asyncDispose]());

const ABSENT_ID = "opr00000000000000000";

/** The whole reply, with the name and the date taken out. */
async function restReply(service: ServiceId, token: string, request: string, name: string): Promise<string> {
  const host = service === "default" ? "localhost" : `${service}.localhost`;
  const head = [
    `${request} HTTP/1.1`,
    `host: ${host}`,
    `authorization: Bearer ${token}`,
    "x-request-id: req-7",
    "connection: close",
    ...(request.startsWith("POST") ? ["content-length: 0"] : []),
  ];
  const reply = await rawBytes(world.port, `${head.join("\r\n")}\r\n\r\n`);
  assert.match(reply, /^HTTP\/1\.1 4\d\d /);
  return reply
    .replaceAll(name, "NAME")
    .replaceAll(idOf(name), "ID")
    .replace(/date: [^\r]*/i, "date: DATE");
}

async function grpcReply(
  service: ServiceId,
  token: string,
  method: DescMethod,
  name: string,
): Promise<string> {
  const request: Record<string, string> = method.input.field["operationId"]
    ? { operationId: idOf(name) }
    : { name };
  const metadata = { "x-request-id": "req-7" };
  const client = world.client(service, token);
  const { headers, trailers, error } = await client.grpc(method, request, { metadata });
  assert.ok(error, "it was let in");
  const { date: _date, "grpc-status-details-bin": details = "", ...others } = trailers;
  const bytes = Buffer.from(details, "base64").toString("latin1");
  return JSON.stringify([headers, others, error.code, error.message, bytes])
    .replaceAll(name, "NAME")
    .replaceAll(idOf(name), "ID");
}

function idOf(name: string): string {
  return name.slice(name.lastIndexOf("/") + 1);
}

type RestCall = readonly [what: string, request: (name: string) => string];

const googleRest = (prefix: string, hasWait: boolean): RestCall[] => [
  ["GET", (name) => `GET ${prefix}/${name}`],
  ["HEAD", (name) => `HEAD ${prefix}/${name}`],
  ["DELETE", (name) => `DELETE ${prefix}/${name}`],
  ["POST :cancel", (name) => `POST ${prefix}/${name}:cancel`],
  ...(hasWait ? [["POST :wait", (name: string) => `POST ${prefix}/${name}:wait`] as const] : []),
  ...nativeRest,
];
const nativeRest: RestCall[] = [
  ["GET of belay.v1", (name) => `GET /belay/v1/${name}`],
  ["POST :cancel of belay.v1", (name) => `POST /belay/v1/${name}:cancel`],
  ["GET receipt", (name) => `GET /belay/v1/${name}/receipt`],
];
const yandexRest: RestCall[] = [
  ["GET", (name) => `GET /${name}`],
  ["GET :cancel", (name) => `GET /${name}:cancel`],
  ["POST :cancel", (name) => `POST /${name}:cancel`],
  ...nativeRest,
];

const native: DescMethod[] = [
  NativeOperations.method.getOperation,
  NativeOperations.method.cancelOperation,
  NativeOperations.method.getReceipt,
];
const googleGrpc: DescMethod[] = [
  Operations.method.getOperation,
  Operations.method.waitOperation,
  Operations.method.cancelOperation,
  Operations.method.deleteOperation,
  ...native,
];
// Over gRPC a yandex service has google.longrunning, too, for operators.
const yandexGrpc: DescMethod[] = [OperationService.method.get, OperationService.method.cancel, ...googleGrpc];

interface Place {
  service: ServiceId;
  parent: string;
  rest: RestCall[];
  grpc: DescMethod[];
}

const places: readonly Place[] = [
  { service: "default", parent: "", rest: googleRest("/v1", true), grpc: googleGrpc },
  { service: "default", parent: "projects/q/locations/l", rest: googleRest("/v1", true), grpc: googleGrpc },
  { service: "vault", parent: "", rest: googleRest("/v1", false), grpc: googleGrpc },
  { service: "dai", parent: "", rest: googleRest("/v1", false), grpc: googleGrpc },
  {
    service: "automl",
    parent: "projects/q/locations/l",
    rest: googleRest("/v1beta1", true),
    grpc: googleGrpc,
  },
  { service: "yandex", parent: "", rest: yandexRest, grpc: yandexGrpc },
];

async function isUntouched(service: ServiceId, name: string): Promise<void> {
  const { record } = await world.engine.get({ service, tenant: "default", name });
  assert.deepEqual([record.state, record.deleteTime], ["PENDING", null]);
}

/** Compares what is answered for each of the names, by every call. */
async function checkSame(place: Place, token: string, names: string[], status: RegExp): Promise<void> {
  for (const [what, request] of place.rest) {
    const replies: string[] = [];
    for (const name of names) replies.push(await restReply(place.service, token, request(name), name));
    assert.match(replies[0]!, status, what);
    for (const reply of replies) assert.equal(reply, replies[0], what);
  }
  for (const method of place.grpc) {
    const replies: string[] = [];
    for (const name of names) replies.push(await grpcReply(place.service, token, method, name));
    for (const reply of replies) assert.equal(reply, replies[0], method.name);
  }
}

for (const place of places) {
  const { service, parent } = place;
  const where = `${service}, ${parent === "" ? "operations/*" : `${parent}/operations/*`}`;
  const nameOf = (id: string): string => `${parent === "" ? "" : `${parent}/`}operations/${id}`;

  test(`${where}: another tenant's operation is NOT_FOUND like an absent one`, async () => {
    const foreign = await world.start(service, { parent });
    await checkSame(place, staticTokens.globex, [foreign, nameOf(ABSENT_ID)], /^HTTP\/1\.1 404 /);
    await isUntouched(service, foreign);
  });

  test(`${where}: without a grant for the parent, what exists, what does not and what cannot are alike`, async () => {
    const existing = await world.start(service, { parent });
    const malformed = nameOf("OPR_________________");
    const expected = service === "yandex" ? /^HTTP\/1\.1 40[34] / : /^HTTP\/1\.1 403 /;
    // Belay's own paths of a yandex service are names, not bare ids: they are denied.
    const { rest, grpc } = place;
    for (const [calls, methods] of [
      [rest.filter((call) => !nativeRest.includes(call)), grpc.filter((method) => !native.includes(method))],
      [nativeRest, native],
    ] as const) {
      const part = { ...place, rest: [...calls], grpc: [...methods] };
      await checkSame(part, staticTokens.projectP, [existing, nameOf(ABSENT_ID), malformed], expected);
    }
    await isUntouched(service, existing);
  });
}

test("a caller without a grant gets the words of AIP-211", async () => {
  const client = world.client("vault", staticTokens.projectP);
  const { httpStatus, text, headers } = await client.rest("POST", `/v1/operations/${ABSENT_ID}:cancel`);
  const [permission, resource] = ["operations.cancel", `operations/${ABSENT_ID}`];
  const info = {
    "@type": "type.googleapis.com/google.rpc.ErrorInfo",
    reason: "IAM_PERMISSION_DENIED",
    domain: "belayd",
    metadata: { permission, resource },
  };
  const message = `Permission '${permission}' denied on resource '${resource}' (or it might not exist).`;
  const error = { code: 403, message, status: "PERMISSION_DENIED", details: [info] };
  assert.deepEqual([httpStatus, text], [403, JSON.stringify({ error })]);
  assert.equal(headers["www-authenticate"], undefined);
});

test("a grant reaches what is below it, and not its neighbour of a longer name", async () => {
  const client = world.client("default", staticTokens.projectP);
  const rows: readonly [string, string][] = [
    ["projects/p", "OPERATION_NOT_FOUND"],
    ["projects/p/locations/l", "OPERATION_NOT_FOUND"],
    ["projects/p2", "IAM_PERMISSION_DENIED"],
    ["projects/P", "IAM_PERMISSION_DENIED"],
    ["folders/projects/projects/p", "IAM_PERMISSION_DENIED"],
  ];
  for (const [parent, reason] of rows) {
    const name = `${parent}/operations/${ABSENT_ID}`;
    const { error } = await client.rest("GET", `/v1/${name}`);
    assert.equal(error?.reason, reason, parent);
    const { error: grpcError } = await client.grpc(Operations.method.getOperation, { name });
    assert.equal(grpcError?.reason, reason, parent);
  }
});

test("a list shows nobody's operations but the tenant's, and is denied without a grant", async () => {
  const parent = "projects/q";
  const name = await world.start("default", { parent });
  const list = (token: string): ReturnType<typeof restList> => restList(token, parent);
  assert.deepEqual((await list(staticTokens.all)).names, [name]);
  assert.deepEqual(await list(staticTokens.globex), { names: [], reason: "" });
  assert.deepEqual(await list(staticTokens.projectP), { names: [], reason: "IAM_PERMISSION_DENIED" });
  assert.deepEqual(await list(staticTokens.root), { names: [], reason: "IAM_PERMISSION_DENIED" });
});

async function restList(token: string, parent: string): Promise<{ names: string[]; reason: string }> {
  const { json, error } = await world.client("default", token).rest("GET", `/v1/${parent}/operations`);
  const operations = (json?.["operations"] ?? []) as { name: string }[];
  return { names: operations.map(({ name }) => name), reason: error?.reason ?? "" };
}
