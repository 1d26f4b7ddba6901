// Errors of the yandex dialect, to the byte: a bare Status on REST, trailers only on gRPC.
import assert from "node:assert/strict";
import { connect, constants, type IncomingHttpHeaders } from "node:http2";
import { after, before, test } from "node:test";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { ErrorInfoSchema } from "../../../src/protocol/gen/google/rpc/error_details_pb.ts";
import { StatusSchema } from "../../../src/protocol/gen/google/rpc/status_pb.ts";
import { GetOperationRequestSchema } from "../../../src/protocol/gen/yandex/cloud/operation/operation_service_pb.ts";
import { CallFailure } from "../lro/lro-client.ts";
import { callOperation, SERVICE, startYandexWorld, type YandexWorld } from "./yandex-world.ts";

let world: YandexWorld;
before(async () => {
  world = await startYandexWorld();
});
after(() => world[Symbol.asyncDispose]());

const absent = "ocr00000000000000000";

/** The whole body of an error: Status, ErrorInfo, further details, RequestInfo. */
function body(
  code: number,
  message: string,
  info: { reason: string; metadata: object },
  ...more: object[]
): string {
  const details = [
    {
      "@type": "type.googleapis.com/google.rpc.ErrorInfo",
      reason: info.reason,
      domain: "belayd",
      metadata: info.metadata,
    },
    ...more,
    { "@type": "type.googleapis.com/google.rpc.RequestInfo", requestId: "req-7" },
  ];
  return JSON.stringify({ code, message, details });
}

function badRequest(field: string, description: string): object {
  return { "@type": "type.googleapis.com/google.rpc.BadRequest", fieldViolations: [{ field, description }] };
}

interface Row {
  what: string;
  service: string;
  method: string;
  path: (id: string) => string;
  type?: string;
  status: number;
  body: (id: string) => string;
}

const notFound = (id: string): string =>
  body(5, `operation operations/${id} is not found`, {
    reason: "OPERATION_NOT_FOUND",
    metadata: { name: `operations/${id}` },
  });

const rows: readonly Row[] = [
  {
    what: "Get of an absent id",
    service: "ocr",
    method: "GET",
    path: () => `/operations/${absent}`,
    status: 404,
    body: () => notFound(absent),
  },
  {
    what: "Cancel of an absent id",
    service: "ocr",
    method: "GET",
    path: () => `/operations/${absent}:cancel`,
    status: 404,
    body: () => notFound(absent),
  },
  {
    what: "a malformed id",
    service: "ocr",
    method: "GET",
    path: () => "/operations/A%2FB%3a",
    status: 404,
    body: () => notFound("A/B:"),
  },
  {
    what: "an id of 51 characters",
    service: "ocr",
    method: "POST",
    path: () => `/operations/${"a".repeat(51)}:cancel`,
    status: 400,
    body: () =>
      body(
        3,
        "operation_id: is 51 characters long; at most 50 are taken",
        {
          reason: "INVALID_FIELD",
          metadata: { field: "operation_id", problem: "is 51 characters long; at most 50 are taken" },
        },
        badRequest("operation_id", "is 51 characters long; at most 50 are taken"),
      ),
  },
  {
    what: "Cancel in a service that cancels nothing",
    service: "storage",
    method: "GET",
    path: (id) => `/operations/${id}:cancel`,
    status: 501,
    body: () =>
      body(12, "service storage does not support cancelling operations", {
        reason: "CANCEL_NOT_SUPPORTED",
        metadata: { service: "storage" },
      }),
  },
  {
    what: "Cancel of a type that cannot be cancelled",
    service: "ocr",
    type: "test.sealed",
    method: "POST",
    path: (id) => `/operations/${id}:cancel`,
    status: 501,
    body: (id) =>
      body(12, `operation operations/${id} of type test.sealed cannot be cancelled`, {
        reason: "OPERATION_NOT_CANCELLABLE",
        metadata: { name: `operations/${id}`, type: "test.sealed" },
      }),
  },
  {
    what: "Cancel of an operation whose handler cannot be cancelled",
    service: "ocr",
    type: "test.fixed",
    method: "GET",
    path: (id) => `/operations/${id}:cancel`,
    status: 501,
    body: (id) =>
      body(12, `operation operations/${id} of type test.fixed cannot be cancelled`, {
        reason: "OPERATION_NOT_CANCELLABLE",
        metadata: { name: `operations/${id}`, type: "test.fixed" },
      }),
  },
  {
    what: "a path that is not served",
    service: "ocr",
    method: "GET",
    path: () => "/operations",
    status: 404,
    body: () =>
      body(5, "no method is served at GET /operations", {
        reason: "ROUTE_NOT_FOUND",
        metadata: { httpMethod: "GET", path: "/operations" },
      }),
  },
  {
    what: "a method that is not served",
    service: "strict",
    method: "GET",
    path: () => `/operations/${absent}:cancel`,
    status: 405,
    body: () =>
      body(12, `GET is not served at /operations/${absent}:cancel; it takes POST`, {
        reason: "METHOD_NOT_ALLOWED",
        metadata: { httpMethod: "GET", path: `/operations/${absent}:cancel`, allowed: "POST" },
      }),
  },
  {
    what: "an unknown query parameter",
    service: "ocr",
    method: "GET",
    path: () => `/operations/${absent}?verbose=1`,
    status: 400,
    body: () => "",
  },
];

for (const row of rows) {
  test(`REST: ${row.what} is ${row.status} with a bare Status`, async () => {
    const id = row.type || row.service === "storage" ? await world.startRunning(row.service, row.type) : "";
    const reply = await world.rest(row.service, row.method, row.path(id), {
      headers: { "x-request-id": "req-7" },
    });
    assert.equal(reply.status, row.status, reply.text);
    const expected = row.body(id);
    if (expected !== "") assert.equal(reply.text, expected);
    assert.equal(reply.headers["content-type"], "application/json; charset=utf-8");
    assert.equal(reply.headers["cache-control"], "no-store");
    assert.equal(reply.headers["x-request-id"], "req-7");
    world.finish(id);
  });
}

test("a foreign operation and an absent one differ in nothing but their ids", async () => {
  const foreign = await world.start("ocr", "test.hold", { tenant: "globex" });
  const ofOtherService = await world.startDone("strict");
  for (const verb of ["", ":cancel"]) {
    const texts: string[] = [];
    for (const id of [absent, foreign, ofOtherService]) {
      const reply = await world.rest("ocr", "GET", `/operations/${id}${verb}`, {
        headers: { "x-request-id": "r" },
      });
      const { date: _, ...headers } = reply.headers;
      texts.push(JSON.stringify([reply.status, headers, reply.text]).replaceAll(id, "ID"));
    }
    assert.deepEqual(texts, [texts[0], texts[0], texts[0]]);
  }
  const failures: string[] = [];
  for (const id of [absent, foreign, ofOtherService]) {
    const failure: unknown = await callOperation(world.grpc("ocr"), "Cancel", id).catch(
      (error: unknown) => error,
    );
    assert.ok(failure instanceof CallFailure);
    failures.push(
      `${failure.code} ${failure.message} ${JSON.stringify(failure.metadata)}`.replaceAll(id, "ID"),
    );
  }
  assert.deepEqual(failures, [failures[0], failures[0], failures[0]]);
});

interface Frames {
  /** One for each HEADERS frame of the answer. */
  headers: IncomingHttpHeaders[];
  /** The first of them ended the stream. */
  endedByFirst: boolean;
  data: Buffer;
}

/** A gRPC call as HTTP/2 shows it. */
async function framesOf(service: string, method: string, operationId: string): Promise<Frames> {
  const session = connect(world.url);
  const stream = session.request({
    ":method": "POST",
    ":path": `${SERVICE}/${method}`,
    ":authority": `${service}.test`,
    "content-type": "application/grpc",
    te: "trailers",
    "x-request-id": "req-7",
  });
  const frames: Frames = { headers: [], endedByFirst: false, data: Buffer.alloc(0) };
  stream.on("response", (headers, flags) => {
    frames.headers.push(headers);
    frames.endedByFirst = (flags & constants.NGHTTP2_FLAG_END_STREAM) !== 0;
  });
  stream.on("trailers", (headers) => frames.headers.push(headers));
  stream.on("data", (chunk: Buffer) => {
    frames.data = Buffer.concat([frames.data, chunk]);
  });
  const message = toBinary(GetOperationRequestSchema, create(GetOperationRequestSchema, { operationId }));
  const prefix = Buffer.alloc(5);
  prefix.writeUInt32BE(message.length, 1);
  stream.end(Buffer.concat([prefix, message]));
  await new Promise((resolve) => stream.once("close", resolve));
  session.close();
  return frames;
}

const failures: readonly [string, string, string, () => Promise<string>, string, string][] = [
  ["an absent id", "ocr", "Get", async () => absent, "5", "OPERATION_NOT_FOUND"],
  ["an absent id", "ocr", "Cancel", async () => absent, "5", "OPERATION_NOT_FOUND"],
  ["no id", "ocr", "Cancel", async () => "", "3", "INVALID_FIELD"],
  [
    "a type that cannot be cancelled",
    "ocr",
    "Cancel",
    () => world.startRunning("ocr", "test.sealed"),
    "12",
    "OPERATION_NOT_CANCELLABLE",
  ],
  ["a service that cancels nothing", "storage", "Cancel", async () => absent, "12", "CANCEL_NOT_SUPPORTED"],
  ["a method that is not served", "ocr", "Delete", async () => absent, "12", "METHOD_NOT_SUPPORTED"],
];
for (const [what, service, method, idOf, code, reason] of failures) {
  test(`gRPC: ${method} of ${what} is one HEADERS frame that ends the stream`, async () => {
    const id = await idOf();
    const { headers, endedByFirst, data } = await framesOf(service, method, id);
    assert.deepEqual([headers.length, endedByFirst, data.length], [1, true, 0]);
    const [trailers = {}] = headers;
    assert.deepEqual([trailers[":status"], trailers["grpc-status"]], [200, code]);
    const bytes = Buffer.from(String(trailers["grpc-status-details-bin"]), "base64");
    const { details } = fromBinary(StatusSchema, bytes);
    const info = details.find(({ typeUrl }) => typeUrl.endsWith(".ErrorInfo"));
    assert.equal(info && fromBinary(ErrorInfoSchema, info.value).reason, reason);
    assert.equal(trailers["x-operation-poll-interval"], undefined);
    world.finish(id);
  });
}

test("gRPC: a good Get has its interval and request id in initial metadata, and nothing of them in the trailer", async () => {
  const id = await world.startDone("ocr");
  const { headers, data } = await framesOf("ocr", "Get", id);
  assert.ok(data.length > 5);
  const [initial = {}, trailers = {}] = headers;
  assert.deepEqual([initial["x-operation-poll-interval"], initial["x-request-id"]], ["3", "req-7"]);
  assert.deepEqual([trailers["grpc-status"], trailers["x-request-id"]], ["0", undefined]);
});

test("gRPC: an error names its request in the trailer", async () => {
  const { headers } = await framesOf("ocr", "Get", absent);
  assert.equal(headers[0]?.["x-request-id"], "req-7");
});

test("gRPC: the message is percent-encoded only where it must be", async () => {
  const { headers } = await framesOf("ocr", "Get", "Ä b%");
  assert.equal(
    headers[0]?.["grpc-message"],
    "operation operations/%C3%84%20b%25 is not found".replaceAll(" ", "%20"),
  );
});
