// Held waits: they end before the caller's deadline, they cost nobody else anything when their callers vanish, and
// all of them wake.
import assert from "node:assert/strict";
import { connect } from "node:http2";
import { connect as connectTcp } from "node:net";
import { after, before, test } from "node:test";
import { create, toBinary } from "@bufbuild/protobuf";
import { Client, credentials } from "@grpc/grpc-js";
import { WaitOperationRequestSchema } from "../../../src/protocol/gen/google/longrunning/operations_pb.ts";
import { eventually } from "../../../src/testing/eventually.ts";
import { type CallFailure, callGrpc, grpcLroClient, restLroClient } from "./lro-client.ts";
import { type LroWorld, startWorld } from "./lro-world.ts";
import { rawRequest } from "./raw-http.ts";

let world: LroWorld;
before(async () => {
  world = await startWorld({ limits: { waitsPerConnectionMax: 400 } });
});
after(() => world[Symbol.asyncDispose]());

const PATH = "/google.longrunning.Operations/WaitOperation";

function waitRequest(name: string, seconds?: number): Uint8Array {
  const timeout = seconds === undefined ? {} : { timeout: { seconds: BigInt(seconds) } };
  return toBinary(WaitOperationRequestSchema, create(WaitOperationRequestSchema, { name, ...timeout }));
}

/** grpc-js clients of one address share a connection unless they are told not to. */
function ownConnection(): Client {
  return new Client(world.address, credentials.createInsecure(), { "grpc.use_local_subchannel_pool": 1 });
}

test("grpc: a wait is answered before the caller's deadline, so no client ever resets it", async () => {
  const name = await world.startRunning();
  for (const seconds of [undefined, 3600]) {
    const calls = Array.from({ length: 50 }, () =>
      callGrpc(world.grpc, PATH, waitRequest(name, seconds), { deadlineMs: 4000 }),
    );
    await Promise.all(calls); // rejects with DEADLINE_EXCEEDED if one came too late
  }
  world.finish(name);
});

test("grpc: a client that cancels its waits one by one hurts no other call on its connection", async () => {
  const name = await world.startRunning();
  const client = ownConnection();
  const identity = (bytes: Buffer): Buffer => bytes;
  const before = world.engine.waiterCount;
  const honest = callGrpc(client, PATH, waitRequest(name), { deadlineMs: 30_000 });
  for (let round = 0; round < 2; round++) {
    const calls = Array.from({ length: 200 }, () => {
      const call = client.makeUnaryRequest(
        PATH,
        identity,
        identity,
        Buffer.from(waitRequest(name)),
        () => {},
      );
      return call;
    });
    await eventually("200 more waits are held", () => world.engine.waiterCount === before + 201);
    for (const call of calls) call.cancel();
    await eventually("they are let go", () => world.engine.waiterCount === before + 1);
  }
  world.finish(name);
  await honest;
  client.close();
});

test("grpc: a client that resets its streams raw, or drops its connection, leaves no waiter behind", async () => {
  const name = await world.startRunning();
  const before = world.engine.waiterCount;
  const request = waitRequest(name);
  const frame = Buffer.alloc(5 + request.length);
  frame.writeUInt32BE(request.length, 1);
  frame.set(request, 5);
  const session = connect(world.url);
  session.on("error", () => {});
  const open = (): ReturnType<typeof session.request> => {
    const stream = session.request({
      ":method": "POST",
      ":path": PATH,
      "content-type": "application/grpc",
      te: "trailers",
    });
    stream.on("error", () => {});
    stream.end(frame);
    return stream;
  };
  const streams = Array.from({ length: 100 }, open);
  await eventually("the waits are held", () => world.engine.waiterCount === before + 100);
  for (const stream of streams.slice(0, 50)) stream.close(8); // CANCEL
  await eventually("half of them are let go", () => world.engine.waiterCount === before + 50);
  session.destroy();
  await eventually("all of them are let go", () => world.engine.waiterCount === before);
  world.finish(name);
});

test("rest: a client that drops its connection leaves no waiter behind", async () => {
  const name = await world.startRunning();
  const before = world.engine.waiterCount;
  const socket = connectTcp({ port: world.port, host: "127.0.0.1" });
  socket.on("error", () => {});
  socket.write(`POST /v1/${name}:wait HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n`);
  await eventually("the wait is held", () => world.engine.waiterCount === before + 1);
  socket.destroy();
  await eventually("it is let go", () => world.engine.waiterCount === before);
  world.finish(name);
});

test("rest: a client that ends its side is gone: it is all that a killed client says", async () => {
  const name = await world.startRunning();
  const before = world.engine.waiterCount;
  const socket = connectTcp({ port: world.port, host: "127.0.0.1", allowHalfOpen: true });
  socket.write(`POST /v1/${name}:wait HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n`);
  await eventually("the wait is held", () => world.engine.waiterCount === before + 1);
  socket.end();
  await eventually("it is let go", () => world.engine.waiterCount === before);
  socket.destroy();
  world.finish(name);
});

test("rest: a wait outlives the time that a request may take to arrive", async () => {
  await using slow = await startWorld({ limits: { requestTimeoutMs: 1000, headersTimeoutMs: 500 } });
  const name = await slow.startRunning();
  const { status, text } = await rawRequest(slow.port, "POST", `/v1/${name}:wait`, {
    body: `{"timeout":"2.5s"}`,
    headers: { "content-type": "application/json" },
  });
  assert.deepEqual([status, JSON.parse(text).done ?? false], [200, false]);
  slow.finish(name);
});

test("everybody who waits is woken by the end of the operation, on both transports", async () => {
  const name = await world.startRunning();
  const waits = [
    ...Array.from({ length: 300 }, () => grpcLroClient(world.grpc).wait(name, 60_000)),
    ...Array.from({ length: 30 }, () => restLroClient(world.url).wait(name, 60_000)),
  ];
  await eventually("all are held", () => world.engine.waiterCount === 330);
  world.finish(name);
  for (const { done } of await Promise.all(waits)) assert.equal(done, true);
});

test("a wait for an operation that is deleted meanwhile ends NOT_FOUND", async () => {
  const name = await world.startRunning();
  const waiting = grpcLroClient(world.grpc).wait(name, 60_000);
  const rejected = assert.rejects(waiting, (error: CallFailure) => error.reason === "OPERATION_NOT_FOUND");
  await eventually("it is held", () => world.engine.waiterCount === 1);
  await restLroClient(world.url).delete(name);
  await rejected;
  world.finish(name);
});

test("grpc: the waits of one connection are bounded, and its Cancel still gets through", async () => {
  const name = await world.startRunning();
  const client = ownConnection();
  const lro = grpcLroClient(client);
  const waits = Array.from({ length: 400 }, () => lro.wait(name, 60_000));
  await eventually("400 are held", () => world.engine.waiterCount === 400);
  await assert.rejects(
    lro.wait(name, 60_000),
    (error: CallFailure) => error.reason === "OVERLOADED" && error.hasRetryInfo,
  );
  // Another connection has a share of its own.
  assert.equal((await grpcLroClient(world.grpc).wait(name, 10)).done, false);
  assert.equal(await lro.cancel(name), "STOPPING");
  for (const { error } of await Promise.all(waits)) assert.equal(error?.code, 1);
  client.close();
});
