// Readiness: what probes see when the store goes away and comes back, and when the server is about to stop. The store that
// is asked for is a TCP port that the test closes and opens.
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, createServer, type Server } from "node:net";
import { test } from "node:test";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import {
  HealthCheckRequestSchema,
  HealthCheckResponseSchema,
  HealthCheckResponse_ServingStatus as ServingStatus,
} from "../../../src/protocol/gen/grpc/health/v1/health_pb.ts";
import { eventually } from "../../../src/testing/eventually.ts";
import { type CallFailure, callGrpc, grpcLroClient, restLroClient } from "./lro-client.ts";
import { type LroWorld, startWorld } from "./lro-world.ts";

async function open(port = 0): Promise<{ server: Server; port: number }> {
  const server = createServer((socket) => socket.end()).listen(port, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  assert.ok(typeof address === "object" && address !== null);
  return { server, port: address.port };
}

async function reach(port: number): Promise<void> {
  const socket = connect({ port, host: "127.0.0.1" });
  socket.resume();
  try {
    await once(socket, "connect");
  } finally {
    socket.destroy();
  }
}

async function probe(world: LroWorld, path: string): Promise<[number, unknown]> {
  const response = await fetch(world.url + path);
  return [response.status, await response.json()];
}

const request = Buffer.from(toBinary(HealthCheckRequestSchema, create(HealthCheckRequestSchema)));

async function check(world: LroWorld): Promise<number> {
  const { bytes } = await callGrpc(world.grpc, "/grpc.health.v1.Health/Check", request);
  return fromBinary(HealthCheckResponseSchema, bytes).status;
}

/** What a health watch has said so far. */
function watch(world: LroWorld): { seen: number[]; stop(): void } {
  const identity = (bytes: Buffer): Buffer => bytes;
  const call = world.grpc.makeServerStreamRequest(
    "/grpc.health.v1.Health/Watch",
    identity,
    identity,
    request,
  );
  const seen: number[] = [];
  call.on("error", () => {});
  call.on("data", (bytes: Buffer) => seen.push(fromBinary(HealthCheckResponseSchema, bytes).status));
  return { seen, stop: () => call.cancel() };
}

const UP = [200, { status: "SERVING" }];
const DOWN = [503, { status: "NOT_SERVING", problems: ["store"] }];

test("the store away: not ready, alive, calls refused at once; the store back: ready by itself", async () => {
  const first = await open();
  await using world = await startWorld({ checkStore: () => reach(first.port) });
  const name = await world.startRunning();
  const watched = watch(world);
  assert.deepEqual([await probe(world, "/readyz"), await check(world)], [UP, ServingStatus.SERVING]);
  first.server.close();
  await eventually("not ready", async () => (await probe(world, "/readyz"))[0] === 503);
  assert.deepEqual(await probe(world, "/readyz"), DOWN);
  assert.deepEqual(await probe(world, "/healthz"), UP);
  assert.equal(await check(world), ServingStatus.NOT_SERVING);
  for (const client of [grpcLroClient(world.grpc), restLroClient(world.url)]) {
    for (const call of [() => client.get(name), () => client.list(), () => client.cancel(name)]) {
      await assert.rejects(call(), (error: CallFailure) => {
        assert.deepEqual([error.code, error.reason, error.hasRetryInfo], [14, "STORAGE_UNREACHABLE", true]);
        return true;
      });
    }
  }
  assert.match(await (await fetch(`${world.url}/metrics`)).text(), /^belay_ready 0$/m);
  const second = await open(first.port);
  await eventually("ready", async () => (await probe(world, "/readyz"))[0] === 200);
  assert.equal(await restLroClient(world.url).cancel(name), "STOPPING");
  const { SERVING, NOT_SERVING } = ServingStatus;
  await eventually("the watch has seen both", () => watched.seen.length === 3);
  assert.deepEqual(watched.seen, [SERVING, NOT_SERVING, SERVING]);
  watched.stop();
  second.server.close();
});

test("an announced stop: not ready on both protocols, while calls and new connections are served", async () => {
  await using world = await startWorld();
  const watched = watch(world);
  await eventually("the watch is open", () => watched.seen.length === 1);
  world.server.announceStop();
  assert.deepEqual(await probe(world, "/readyz"), [503, { status: "NOT_SERVING", problems: ["draining"] }]);
  assert.deepEqual([await probe(world, "/healthz"), await check(world)], [UP, ServingStatus.NOT_SERVING]);
  const name = await world.startDone();
  for (const client of [grpcLroClient(world.grpc), restLroClient(world.url)]) {
    assert.equal((await client.wait(name, 1000)).done, true);
  }
  // Connections that balancers keep open would bring calls for as long as they like.
  assert.equal((await fetch(`${world.url}/v1/operations`)).headers.get("connection"), "close");
  await eventually("the watch was told", () => watched.seen.at(-1) === ServingStatus.NOT_SERVING);
  watched.stop();
});
