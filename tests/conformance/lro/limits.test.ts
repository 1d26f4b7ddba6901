// The bounds of the wire side: the last value that is taken, the first that is not, and who is shed last.
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import { after, before, test } from "node:test";
import { create, toBinary } from "@bufbuild/protobuf";
import { Metadata } from "@grpc/grpc-js";
import { ListOperationsRequestSchema } from "../../../src/protocol/gen/google/longrunning/operations_pb.ts";
import { type CallFailure, callGrpc, grpcLroClient, restLroClient } from "./lro-client.ts";
import { type LroWorld, startWorld } from "./lro-world.ts";
import { rawBytes, rawRequest } from "./raw-http.ts";

let world: LroWorld;
before(async () => {
  world = await startWorld();
});
after(() => world[Symbol.asyncDispose]());

const LIST = "/google.longrunning.Operations/ListOperations";

function list(filterLength: number): Uint8Array {
  const filter = "x".repeat(filterLength);
  return toBinary(ListOperationsRequestSchema, create(ListOperationsRequestSchema, { filter }));
}

test("grpc: a message of 4 MiB reaches the method, one byte more is RESOURCE_EXHAUSTED", async () => {
  const overhead = list(4_000_000).length - 4_000_000;
  const reaches = callGrpc(world.grpc, LIST, list(4_194_304 - overhead));
  await assert.rejects(reaches, (error: CallFailure) => error.reason === "INVALID_FILTER");
  const refused = callGrpc(world.grpc, LIST, list(4_194_305 - overhead));
  await assert.rejects(refused, (error: CallFailure) => error.code === 8);
});

test("grpc: metadata of 15 kB is taken, of 17 kB refused, and the method is not called", async () => {
  const call = (size: number): Promise<unknown> => {
    const metadata = new Metadata();
    metadata.set("big", "x".repeat(size));
    return callGrpc(world.grpc, LIST, list(0), { metadata });
  };
  await call(15_000);
  const before = world.server.methods.find(({ fullName }) => LIST.endsWith(fullName))?.counters.finished[0];
  await assert.rejects(call(17_000), (error: CallFailure) => error.reason === "METADATA_TOO_LARGE");
  const counters = world.server.methods.find(({ fullName }) => LIST.endsWith(fullName))?.counters;
  assert.equal(counters?.finished[0], before);
});

test("rest: headers of 15 kB are taken, of 17 kB are 431", async () => {
  const status = async (size: number): Promise<number> =>
    (await rawRequest(world.port, "GET", "/v1/operations", { headers: { big: "x".repeat(size) } })).status;
  assert.deepEqual([await status(15_000), await status(17_000)], [200, 431]);
});

test("rest: headers, and bodies, that come too slowly are cut off with 408", async () => {
  await using slow = await startWorld({ limits: { headersTimeoutMs: 300, requestTimeoutMs: 600 } });
  const headers = await rawBytes(slow.port, "GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-Slow");
  assert.match(headers, /^HTTP\/1\.1 408 /);
  const body = await rawBytes(
    slow.port,
    "POST /v1/operations HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{",
  );
  assert.match(body, /^HTTP\/1\.1 408 /);
});

test("a connection that says nothing is closed", async () => {
  await using quick = await startWorld({ limits: { peekTimeoutMs: 100 } });
  const socket = connect({ port: quick.port, host: "127.0.0.1" });
  socket.resume();
  await once(socket, "close");
});

test("lists are shed first, and a Cancel never", async () => {
  await using tight = await startWorld({ limits: { listsInFlightMax: 0, callsInFlightMax: 0 } });
  const name = await tight.startRunning();
  for (const client of [grpcLroClient(tight.grpc), restLroClient(tight.url)]) {
    for (const call of [() => client.list(), () => client.get(name), () => client.wait(name, 10)]) {
      await assert.rejects(
        call(),
        (error: CallFailure) => error.reason === "OVERLOADED" && error.hasRetryInfo,
      );
    }
  }
  const failure = await restLroClient(tight.url)
    .get(name)
    .catch((error: CallFailure) => error);
  assert.ok(failure instanceof Error && "headers" in failure);
  assert.deepEqual([failure.httpStatus, failure.headers["retry-after"]], [429, "1"]);
  const trailers = await grpcLroClient(tight.grpc)
    .get(name)
    .catch((error: CallFailure) => error);
  assert.ok(trailers instanceof Error && "headers" in trailers);
  // gRFC A6.
  assert.match(String(trailers.headers["grpc-retry-pushback-ms"]), /^([5-9]\d\d|1000)$/);
  assert.equal(await restLroClient(tight.url).cancel(name), "STOPPING");
  assert.match(await grpcLroClient(tight.grpc).cancel(name), /^ALREADY_/);
  await grpcLroClient(tight.grpc).delete(name);
});

test("a slot is given back after every call, answered, failed or dropped", async () => {
  await using tight = await startWorld({ limits: { callsInFlightMax: 1, listsInFlightMax: 1 } });
  const client = restLroClient(tight.url);
  for (let round = 0; round < 5; round++) {
    await client.list();
    await assert.rejects(client.get("operations/opr1"));
    await assert.rejects(client.list({ pageSize: -1 }));
  }
  for (const { counters } of tight.server.methods) assert.equal(counters.inFlight, 0);
});

test("every call is counted with its code and its duration", async () => {
  await using counted = await startWorld();
  const client = grpcLroClient(counted.grpc);
  await client.list();
  await assert.rejects(client.list({ pageSize: -1 }));
  const method = counted.server.methods.find(({ fullName }) => LIST.endsWith(fullName));
  const { finished } = method!.counters;
  assert.deepEqual([finished[0], finished[3]], [1, 1]);
  const page = await (await fetch(`${counted.url}/metrics`)).text();
  const labels = `service="default",method="${method!.fullName}"`;
  assert.ok(page.split("\n").includes(`belay_rpc_duration_seconds_count{${labels}} 2`), page);
});
