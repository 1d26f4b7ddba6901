// How a server stops: not ready, nothing new, waits answered, calls in flight finished, the rest cut.
import assert from "node:assert/strict";
import { connect } from "node:net";
import { test } from "node:test";
import { Client, credentials } from "@grpc/grpc-js";
import { HealthCheckResponse_ServingStatus as ServingStatus } from "../../../src/protocol/gen/grpc/health/v1/health_pb.ts";
import { eventually } from "../../../src/testing/eventually.ts";
import { type CallFailure, grpcLroClient, restLroClient } from "./lro-client.ts";
import { startWorld } from "./lro-world.ts";
import { rawBytes } from "./raw-http.ts";

test("held waits are answered with the current state, all of them, and the server is closed well before its grace", async () => {
  await using world = await startWorld();
  const name = await world.startRunning();
  const waits = [
    ...Array.from({ length: 200 }, () => grpcLroClient(world.grpc).wait(name, 60_000)),
    ...Array.from({ length: 20 }, () => restLroClient(world.url).wait(name, 60_000)),
  ];
  await eventually("all are held", () => world.engine.waiterCount === 220);
  const began = performance.now();
  const closing = world.server.close({ graceMs: 20_000 });
  for (const { done } of await Promise.all(waits)) assert.equal(done, false);
  await closing;
  assert.ok(performance.now() - began < 10_000);
  world.finish(name);
});

test("a call in flight is finished, a silent connection is cut, a new one is refused", async () => {
  await using world = await startWorld();
  const silent = connect({ port: world.port, host: "127.0.0.1" });
  silent.resume();
  const cut = new Promise((resolve) => silent.once("close", resolve));
  const idle = new Client(world.address, credentials.createInsecure(), {
    "grpc.use_local_subchannel_pool": 1,
  });
  await grpcLroClient(idle).list();
  const inFlight = Array.from({ length: 10 }, () => restLroClient(world.url).list());
  const { counters } = world.server.methods.find(({ fullName }) => fullName.endsWith("/ListOperations"))!;
  // What is not accepted yet when the port closes is refused by the system.
  await eventually("all have come in", () => counters.inFlight + (counters.finished[0] ?? 0) === 11);
  await world.server.close({ graceMs: 20_000 });
  await Promise.all(inFlight);
  await cut;
  await assert.rejects(grpcLroClient(idle).list(), (error: CallFailure) => error.code === 14);
  await assert.rejects(fetch(world.url));
  idle.close();
});

test("while it drains the server is not ready, and takes no new waits", async () => {
  await using world = await startWorld();
  const name = await world.startRunning();
  // A request whose body is not complete holds its connection, and the drain, open.
  const held = connect({ port: world.port, host: "127.0.0.1" });
  let text = "";
  held.on("data", (chunk: Buffer) => {
    text += chunk.toString("latin1");
  });
  const ended = new Promise((resolve) => held.once("close", resolve));
  const body = `{"timeout":"30s"}`;
  held.write(
    `POST /v1/${name}:wait HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n{`,
  );
  await grpcLroClient(world.grpc).get(name); // the server has seen it
  const closing = world.server.close({ graceMs: 20_000 });
  held.write(body.slice(1));
  await ended;
  assert.match(text, /^HTTP\/1\.1 503 /);
  assert.match(text, /"reason":"SHUTTING_DOWN"/);
  assert.match(text, /connection: close/i);
  await closing;
  world.finish(name);
});

test("what does not end within the grace is cut", async () => {
  await using world = await startWorld();
  const held = rawBytes(
    world.port,
    "POST /v1/operations HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\n{",
  );
  await restLroClient(world.url).list();
  const began = performance.now();
  await world.server.close({ graceMs: 200 });
  assert.ok(performance.now() - began < 10_000);
  assert.equal(await held, "");
});

test("a health watch hears of the end", async () => {
  await using world = await startWorld();
  const identity = (bytes: Buffer): Buffer => bytes;
  const seen: number[] = [];
  const call = world.grpc.makeServerStreamRequest(
    "/grpc.health.v1.Health/Watch",
    identity,
    identity,
    Buffer.alloc(0),
  );
  call.on("data", (bytes: Buffer) => seen.push(bytes[1] ?? 0));
  const failed = new Promise<{ code: number }>((resolve) =>
    call.once("error", (error) => resolve(error as never)),
  );
  await eventually("it is open", () => seen.length === 1);
  await world.server.close({ graceMs: 20_000 });
  assert.equal((await failed).code, 14);
  assert.deepEqual(seen, [ServingStatus.SERVING, ServingStatus.NOT_SERVING]);
});

test("a failure inside the server is INTERNAL, and tells nothing but a request id", async () => {
  const world = await startWorld();
  const name = await world.startDone();
  await world.store.close();
  for (const client of [grpcLroClient(world.grpc), restLroClient(world.url)]) {
    for (const call of [
      () => client.list(),
      () => client.get("operations/opr1"),
      () => client.cancel(name),
    ]) {
      await assert.rejects(call(), (error: CallFailure) => {
        assert.ok(error.code === 13 || error.code === 14, String(error.code));
        assert.ok(!/sqlite|\.ts|node:|select /i.test(error.message), error.message);
        return true;
      });
    }
  }
  world.grpc.close();
  await world.server.close();
  await world.engine.close();
});

test("closing twice is fine", async () => {
  await using world = await startWorld();
  await Promise.all([world.server.close(), world.server.close()]);
  await world.server.close();
});
