// AIP-193 on both transports: every reason of the table is provoked, or said where else it is.
import assert from "node:assert/strict";
import { connect } from "node:http2";
import { after, before, test } from "node:test";
import { create, type DescMessage, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { Metadata } from "@grpc/grpc-js";
import { ERROR_DOMAIN, type ErrorReason, errorReasons } from "../../../src/base/error-reasons.ts";
import { httpStatusOf } from "../../../src/base/status-code.ts";
import {
  type GetReceiptRequest,
  GetReceiptRequestSchema,
  CancelOperationRequestSchema as NativeCancelRequestSchema,
  ReleaseHeldOperationRequestSchema,
  RerunOperationRequestSchema,
  StartOperationRequestSchema,
} from "../../../src/protocol/gen/belay/v1/operations_pb.ts";
import type { StartChildSchema } from "../../../src/protocol/gen/belay/v1/workers_pb.ts";
import {
  GetOperationRequestSchema,
  ListOperationsRequestSchema,
} from "../../../src/protocol/gen/google/longrunning/operations_pb.ts";
import { HealthCheckRequestSchema } from "../../../src/protocol/gen/grpc/health/v1/health_pb.ts";
import { connectRawWorker, RawWorker } from "../../../src/testing/raw-worker.ts";
import { openWatch } from "../wire/watch-client.ts";
import { WireClient } from "../wire/wire-client.ts";
import {
  CallFailure,
  callGrpc,
  failureOfGrpc,
  failureOfRest,
  failureOfStatus,
  grpcLroClient,
  restLroClient,
} from "./lro-client.ts";
import { type LroWorld, startWorld } from "./lro-world.ts";
import { rawRequest } from "./raw-http.ts";

let world: LroWorld;
before(async () => {
  world = await startWorld();
});
after(() => world[Symbol.asyncDispose]());

type Provoke = () => Promise<unknown>;

async function rest(
  method: string,
  path: string,
  body?: string,
  headers: Record<string, string> = {},
): Promise<void> {
  const json: Record<string, string> = body === undefined ? {} : { "content-type": "application/json" };
  const {
    status,
    text,
    headers: received,
  } = await rawRequest(world.port, method, path, { body, headers: { ...json, ...headers } });
  if (status >= 400) throw failureOfRest(status, text, received);
}

function start(init: object): Promise<unknown> {
  const request = create(StartOperationRequestSchema, { type: "test.echo", ...init });
  return callGrpc(
    world.grpc,
    "/belay.v1.Operations/StartOperation",
    toBinary(StartOperationRequestSchema, request),
  );
}

function nested(depth: number): object {
  let value = {};
  for (let level = 1; level < depth; level++) value = { a: value };
  return value;
}

/** A method of belay.v1.Operations that takes a name. */
async function native<Schema extends DescMessage>(
  method: string,
  schema: Schema,
  init: MessageInitShape<Schema>,
): Promise<void> {
  await callGrpc(world.grpc, `/belay.v1.Operations/${method}`, toBinary(schema, create(schema, init)));
}

/** A watch that is refused. */
async function watchWith(transport: "grpc" | "rest", resumeToken: string): Promise<void> {
  const wire = new WireClient({ url: world.url, authority: null });
  const error = await openWatch(wire, transport, { resumeToken }).ended;
  wire.close();
  assert.ok(error);
  throw new CallFailure({
    ...error,
    fields: [],
    hasRetryInfo: false,
    detailTypes: error.details.map((detail) => detail["@type"]),
    httpStatus: null,
    headers: {},
  });
}

/** A worker with attempts of its own, that starts a child by each of them; throws what the last one is refused with. */
async function startChildren(
  parents: number,
  child: MessageInitShape<typeof StartChildSchema>,
  before: (name: string) => Promise<void> = async () => {},
): Promise<void> {
  const worker = await connectRawWorker(world.address, { slots: parents });
  try {
    for (let number = 1; number <= parents; number++) {
      await world.start("test.raw");
      const { attempt } = await worker.begun();
      await before(attempt.name);
      const value = {
        ...{ requestNumber: BigInt(number), parent: attempt, type: "test.parked", requestId: "c" },
        ...child,
      };
      worker.say({ case: "startChild", value });
      const { refused } = await worker.next("child");
      if (refused) throw failureOfStatus(refused);
    }
  } finally {
    await worker.bye();
  }
}

const absent = "operations/opr00000000000000000";
const grpc = (): ReturnType<typeof grpcLroClient> => grpcLroClient(world.grpc);
const client = (): ReturnType<typeof restLroClient> => restLroClient(world.url);

const provoked: readonly [ErrorReason, "grpc" | "rest", Provoke][] = [
  ["OPERATION_NOT_FOUND", "grpc", () => grpc().get(absent)],
  ["OPERATION_NOT_FOUND", "rest", () => client().get(absent)],
  [
    "RECEIPT_NOT_FOUND",
    "grpc",
    async () => {
      const request: GetReceiptRequest = create(GetReceiptRequestSchema, { name: await world.startDone() });
      await callGrpc(
        world.grpc,
        "/belay.v1.Operations/GetReceipt",
        toBinary(GetReceiptRequestSchema, request),
      );
    },
  ],
  ["RECEIPT_NOT_FOUND", "rest", async () => rest("GET", `/belay/v1/${await world.startDone()}/receipt`)],
  ["ROUTE_NOT_FOUND", "rest", () => rest("GET", "/v2/operations")],
  ["ROUTE_NOT_FOUND", "rest", () => rest("GET", "/")],
  ["METHOD_NOT_ALLOWED", "rest", () => rest("PUT", `/v1/${absent}`)],
  ["METHOD_NOT_ALLOWED", "rest", () => rest("POST", "/healthz")],
  [
    "METHOD_NOT_SUPPORTED",
    "grpc",
    () => callGrpc(world.grpc, "/google.longrunning.Operations/Purge", Buffer.alloc(0)),
  ],
  ["METHOD_NOT_SUPPORTED", "grpc", () => callGrpc(world.grpc, "/x", Buffer.alloc(0))],
  ["INVALID_NAME", "grpc", () => grpc().get("")],
  ["INVALID_NAME", "rest", () => client().get("operations/A")],
  ["INVALID_NAME", "grpc", () => grpc().list({ name: "projects" })],
  ["INVALID_FIELD", "grpc", () => grpc().list({ pageSize: -1 })],
  ["INVALID_FIELD", "rest", () => client().list({ pageSize: -1 })],
  // Bytes that are no such message.
  [
    "INVALID_FIELD",
    "grpc",
    () => callGrpc(world.grpc, "/google.longrunning.Operations/GetOperation", Buffer.from([0x0a, 0xff])),
  ],
  ["INVALID_JSON", "rest", () => rest("POST", "/v1/operations", "{")],
  ["INVALID_JSON", "rest", () => rest("POST", "/v1/operations", `{"nonsense": 1}`)],
  ["INVALID_QUERY_PARAMETER", "rest", () => rest("GET", "/v1/operations?nonsense=1")],
  ["INVALID_QUERY_PARAMETER", "rest", () => rest("GET", "/v1/operations?access_token=secret")],
  ["INVALID_QUERY_PARAMETER", "rest", () => rest("GET", "/v1/operations?callback=alert")],
  ["INVALID_PATH", "rest", () => rest("GET", "/v1/operations//x")],
  ["INVALID_PATH", "rest", () => rest("GET", "/v1/operations/%zz")],
  ["INVALID_FILTER", "grpc", () => grpc().list({ filter: "done = " })],
  ["INVALID_FILTER", "rest", () => client().list({ filter: "nonsense = 1" })],
  ["INVALID_PAGE_TOKEN", "grpc", () => grpc().list({ pageToken: "nonsense" })],
  ["INVALID_PAGE_TOKEN", "rest", () => client().list({ pageToken: "nonsense" })],
  ["PARTIAL_SUCCESS_UNSUPPORTED", "grpc", () => grpc().list({ returnPartialSuccess: true })],
  ["PARTIAL_SUCCESS_UNSUPPORTED", "rest", () => client().list({ returnPartialSuccess: true })],
  ["PAYLOAD_TOO_LARGE", "grpc", () => start({ payload: { a: "x".repeat(262_145) } })],
  [
    "PAYLOAD_TOO_LARGE",
    "rest",
    () => rest("POST", "/v1/operations", `{"type":"test.echo","payload":{"a":"${"x".repeat(262_145)}"}}`),
  ],
  ["PAYLOAD_TOO_DEEP", "grpc", () => start({ payload: nested(101) })],
  [
    "PAYLOAD_TOO_DEEP",
    "rest",
    () => rest("POST", "/v1/operations", JSON.stringify({ type: "test.echo", payload: nested(101) })),
  ],
  ["PAYLOAD_TOO_MANY_KEYS", "grpc", () => start({ payload: { a: new Array(10_001).fill(0) } })],
  [
    "PAYLOAD_TOO_MANY_KEYS",
    "rest",
    () =>
      rest(
        "POST",
        "/v1/operations",
        JSON.stringify({ type: "test.echo", payload: { a: new Array(10_001).fill(0) } }),
      ),
  ],
  ["OPERATION_TYPE_UNKNOWN", "grpc", () => start({ type: "no.such" })],
  ["OPERATION_TYPE_UNKNOWN", "rest", () => rest("POST", "/v1/operations", `{"type":"no.such"}`)],
  [
    "REQUEST_ID_REUSED",
    "grpc",
    () => start({ requestId: "r1" }).then(() => start({ requestId: "r1", description: "another" })),
  ],
  ["OPERATION_NOT_CANCELLABLE", "rest", async () => client().cancel(await world.startDone("test.fixed"))],
  ["DELETE_REFUSED", "grpc", async () => grpc().delete(await world.startRunning("test.keep"))],
  ["HOST_REFUSED", "rest", () => rest("GET", "/v1/operations", undefined, { host: "evil.example" })],
  [
    "CROSS_SITE_REFUSED",
    "rest",
    () => rest("GET", "/v1/operations", undefined, { origin: "https://evil.example" }),
  ],
  [
    "CONTENT_TYPE_REFUSED",
    "rest",
    () => rest("POST", "/v1/operations", `{"type":"test.echo"}`, { "content-type": "text/plain" }),
  ],
  [
    "CONTENT_TYPE_REFUSED",
    "rest",
    () => rest("POST", "/v1/operations", `{"type":"test.echo"}`, { "content-type": "nonsense" }),
  ],
  [
    "ENCODING_REFUSED",
    "rest",
    () => rest("POST", "/v1/operations", `{"type":"test.echo"}`, { "content-encoding": "br" }),
  ],
  ["MALFORMED_HTTP", "rest", () => rest("GET", "/v1/operations", undefined, { big: "x".repeat(20_000) })],
  [
    "METADATA_TOO_LARGE",
    "grpc",
    () => {
      const metadata = new Metadata();
      metadata.set("big", "x".repeat(20_000));
      return callGrpc(world.grpc, "/google.longrunning.Operations/GetOperation", Buffer.alloc(0), {
        metadata,
      });
    },
  ],
  [
    "HEALTH_SERVICE_UNKNOWN",
    "grpc",
    () => {
      const request = create(HealthCheckRequestSchema, { service: "no.such" });
      return callGrpc(
        world.grpc,
        "/grpc.health.v1.Health/Check",
        toBinary(HealthCheckRequestSchema, request),
      );
    },
  ],
  [
    "ETAG_MISMATCH",
    "grpc",
    async () =>
      native("CancelOperation", NativeCancelRequestSchema, {
        name: await world.start("test.parked"),
        etag: '"99"',
      }),
  ],
  [
    "ETAG_MISMATCH",
    "rest",
    async () => rest("POST", `/belay/v1/${await world.start("test.parked")}:cancel`, `{"etag":"\\"99\\""}`),
  ],
  [
    "NOT_HELD",
    "grpc",
    async () =>
      native("ReleaseHeldOperation", ReleaseHeldOperationRequestSchema, {
        name: await world.startDone(),
        reason: "seen",
      }),
  ],
  [
    "NOT_HELD",
    "rest",
    async () => rest("POST", `/belay/v1/${await world.startDone()}:releaseHold`, `{"reason":"seen"}`),
  ],
  [
    "NOT_RERUNNABLE",
    "grpc",
    async () => native("RerunOperation", RerunOperationRequestSchema, { name: await world.startDone() }),
  ],
  ["NOT_RERUNNABLE", "rest", async () => rest("POST", `/belay/v1/${await world.startDone()}:rerun`, "{}")],
  ["INVALID_RESUME_TOKEN", "grpc", () => watchWith("grpc", "nonsense")],
  ["INVALID_RESUME_TOKEN", "rest", () => watchWith("rest", "nonsense")],
  [
    "WORKER_PROTOCOL",
    "grpc",
    async () => {
      const worker = new RawWorker(world.address);
      worker.say({ case: "heartbeat", value: { sequence: 1n } });
      const error = await worker.ended;
      if (error) throw failureOfGrpc(error);
    },
  ],
  [
    "LEASE_LOST",
    "grpc",
    () =>
      startChildren(1, { parent: { service: "default", tenant: "default", name: absent, leaseToken: 9n } }),
  ],
  ["PARENT_CLOSED", "grpc", () => startChildren(1, {}, async (name) => void (await grpc().cancel(name)))],
  ["CHILD_LIMIT", "grpc", () => startChildren(17, { shared: true })],
];

for (const [reason, transport, provoke] of provoked) {
  test(`${transport}: ${reason} is told with its code, one ErrorInfo and its parameters`, async () => {
    const failure = await provoke().then(
      () => assert.fail("nothing failed"),
      (error: unknown) => error,
    );
    assert.ok(failure instanceof CallFailure, String(failure));
    assert.deepEqual(
      [failure.reason, failure.domain, failure.code],
      [reason, ERROR_DOMAIN, errorReasons[reason].code],
    );
    assert.equal(
      new Set(failure.detailTypes).size,
      failure.detailTypes.length,
      "each detail type at most once",
    );
    for (const [, parameter] of errorReasons[reason].message.matchAll(/\{(\w+)\}/g)) {
      assert.ok(parameter! in failure.metadata, `parameter ${parameter} is in ErrorInfo.metadata`);
    }
    for (const key of Object.keys(failure.metadata)) assert.match(key, /^[a-z][a-zA-Z0-9_-]{0,63}$/);
  });
}

/** Reasons that this file cannot provoke, and where they are tested. */
const elsewhere: Partial<Record<ErrorReason, string>> = {
  OVERLOADED: "limits.test.ts",
  SHUTTING_DOWN: "shutdown.test.ts",
  DEADLINE_TOO_SHORT: "below: grpc-js may answer first",
  CALL_CANCELLED: "nobody is left to see it; waits.test.ts",
  INTERNAL_ERROR: "shutdown.test.ts: a closed store",
  STORAGE_FULL: "the store's tests",
  STORAGE_UNAVAILABLE: "the store's tests",
  STORAGE_UNREACHABLE: "readiness.test.ts",
  PREFETCH_REFUSED: "conformance/yandex/rest-paths.test.ts",
  CREDENTIALS_MISSING: "conformance/identity",
  ACCESS_TOKEN_INVALID: "conformance/identity",
  ACCESS_TOKEN_EXPIRED: "conformance/identity",
  ACCESS_TOKEN_TYPE_UNSUPPORTED: "conformance/identity",
  ACCESS_TOKEN_SCOPE_INSUFFICIENT: "conformance/identity",
  IAM_PERMISSION_DENIED: "conformance/identity",
  IDENTITY_UNAVAILABLE: "src/server/auth/remote-keys.test.ts",
  CANCEL_NOT_SUPPORTED: "conformance/services",
  START_NOT_SERVED: "conformance/declared",
  ENDPOINT_NOT_FOUND: "conformance/yandex/endpoints.test.ts",
  FORCE_REFUSED: "conformance/native/permissions.test.ts",
  WORKER_CREDENTIAL: "conformance/native/permissions.test.ts",
  WORK_REFUSED: "conformance/native/permissions.test.ts",
  RESUME_TOKEN_EXPIRED: "conformance/store/feed-reads.ts; on the wire in src/server/streams.test.ts",
  WATCH_TOO_SLOW: "src/services/native/watch-operations.test.ts",
  WORKER_TOO_SLOW: "src/services/worker/worker-outbox.test.ts",
  HTTP2_WITHOUT_GRPC: "foreign-clients.test.ts: over HTTP/2 without gRPC",
};

test("every reason of the table is provoked here, or elsewhere", () => {
  const here = new Set(provoked.map(([reason]) => reason));
  const missing = Object.keys(errorReasons).filter(
    (reason) => !here.has(reason as ErrorReason) && !(reason in elsewhere),
  );
  assert.deepEqual(missing, []);
});

test("every code has the HTTP status of google/rpc/code.proto", () => {
  const statuses = Array.from({ length: 17 }, (_, code) => httpStatusOf(code));
  assert.deepEqual(
    statuses,
    [200, 499, 500, 400, 504, 404, 409, 403, 429, 400, 409, 400, 501, 500, 503, 500, 401],
  );
});

const httpWords: readonly [string, number, Provoke, Record<string, string>][] = [
  [
    "a wrong method is 405 with Allow",
    405,
    () => rest("PATCH", `/v1/${absent}`),
    { allow: "DELETE, GET, HEAD" },
  ],
  [
    "a wrong content type is 415",
    415,
    () => rest("POST", "/v1/operations", "{}", { "content-type": "text/plain" }),
    {},
  ],
  [
    "a foreign host is 403",
    403,
    () => rest("GET", "/v1/operations", undefined, { host: "evil.example" }),
    {},
  ],
];

for (const [what, status, provoke, headers] of httpWords) {
  test(`rest: ${what}`, async () => {
    const failure = await provoke().then(
      () => assert.fail("nothing failed"),
      (error: CallFailure) => error,
    );
    for (const [name, value] of Object.entries(headers)) assert.equal(failure.headers[name], value);
    assert.equal(failure.httpStatus, status);
  });
}

test("a field error names its field in BadRequest, on both transports", async () => {
  for (const each of [grpc(), client()]) {
    await assert.rejects(
      each.list({ pageSize: -1 }),
      (error: CallFailure) => error.fields[0] === "page_size",
    );
  }
});

test("grpc: an error comes in trailers only, with the message and details of one status", async () => {
  const session = connect(world.url);
  const request = toBinary(GetOperationRequestSchema, create(GetOperationRequestSchema, { name: absent }));
  const frame = Buffer.alloc(5 + request.length);
  frame.writeUInt32BE(request.length, 1);
  frame.set(request, 5);
  const stream = session.request({
    ":method": "POST",
    ":path": "/google.longrunning.Operations/GetOperation",
    "content-type": "application/grpc",
    te: "trailers",
  });
  stream.end(frame);
  const headers = await new Promise<Record<string, unknown>>((resolve) => stream.once("response", resolve));
  assert.deepEqual(
    [headers[":status"], headers["grpc-status"], headers["content-type"]],
    [200, "5", "application/grpc+proto"],
  );
  assert.ok(headers["grpc-status-details-bin"]);
  stream.resume();
  session.close();
});

test("a message in any language arrives whole, and half a character breaks nothing", async () => {
  for (const name of ["операция", "日本", "100%", 'a "quoted" name', "a\u0000b"]) {
    await assert.rejects(grpc().get(name), (error: CallFailure) => error.message.includes(name));
  }
});

test("what a caller sent is not echoed back at length", async () => {
  const long = `operations/${"x".repeat(100_000)}`;
  await assert.rejects(
    grpc().get(long),
    (error: CallFailure) => error.code === 3 && error.message.length <= 1024,
  );
  const list = create(ListOperationsRequestSchema, { filter: `"${"日".repeat(50_000)}` });
  await assert.rejects(
    callGrpc(
      world.grpc,
      "/google.longrunning.Operations/ListOperations",
      toBinary(ListOperationsRequestSchema, list),
    ),
    (error: CallFailure) => error.code === 3,
  );
});

test("grpc: a call whose deadline is over on arrival is DEADLINE_EXCEEDED", async () => {
  const session = connect(world.url);
  const stream = session.request({
    ":method": "POST",
    ":path": "/google.longrunning.Operations/GetOperation",
    "content-type": "application/grpc",
    "grpc-timeout": "1n",
    te: "trailers",
  });
  stream.end(Buffer.alloc(5));
  const headers = await new Promise<Record<string, unknown>>((resolve) => stream.once("response", resolve));
  assert.equal(headers["grpc-status"], "4");
  stream.resume();
  session.close();
});
