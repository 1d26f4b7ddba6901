// GetOperation over gRPC and REST, and durable StartOperation, each against a peer that does the least.
import { create, toBinary } from "@bufbuild/protobuf";
import { StartOperationRequestSchema } from "../../src/protocol/gen/belay/v1/operations_pb.ts";
import { GetOperationRequestSchema } from "../../src/protocol/gen/google/longrunning/operations_pb.ts";
import type { Belay } from "../belay-server.ts";
import { type Child, startChild } from "../child.ts";
import type { DriveResult, GrpcDrive } from "../drivers/grpc-driver.ts";
import type { HttpDrive } from "../drivers/http-driver.ts";
import { alternate, type Measurement, measured, ratios, type Suite } from "../measurement.ts";

const SECONDS = 4;
const IN_FLIGHT = 64;
const start = (): string =>
  Buffer.from(
    toBinary(StartOperationRequestSchema, create(StartOperationRequestSchema, { type: "bench.parked" })),
  ).toString("base64");

interface Sides {
  belay: Child;
  address: string;
  peer: Child;
  peerAddress: string;
  driver: Child;
}

async function withSides<T>(run: (sides: Sides) => Promise<T>): Promise<T> {
  const belay = await startChild<Belay>(new URL("../belay-server.ts", import.meta.url));
  const peer = await startChild<{ address: string }>(new URL("../peers/noop-grpc.ts", import.meta.url));
  const driver = await startChild(new URL("../drivers/grpc-driver.ts", import.meta.url));
  await using _belay = belay.child;
  await using _peer = peer.child;
  await using _driver = driver.child;
  return await run({
    belay: belay.child,
    address: belay.ready.address,
    peer: peer.child,
    peerAddress: peer.ready.address,
    driver: driver.child,
  });
}

async function drive(driver: Child, options: Omit<GrpcDrive, "seconds">): Promise<number> {
  return (await driver.ask<DriveResult>({ ...options, seconds: SECONDS })).perSecond;
}

async function getOverGrpc(): Promise<readonly Measurement[]> {
  return await withSides(async ({ belay, address, peer, peerAddress, driver }) => {
    const { name, binary } = await belay.ask<{ name: string; binary: string }>({ ask: "doneOperation" });
    await peer.ask({ reply: binary });
    const request = toBinary(GetOperationRequestSchema, create(GetOperationRequestSchema, { name }));
    const requests = [Buffer.from(request).toString("base64")];
    const path = "/google.longrunning.Operations/GetOperation";
    const rounds = await alternate({
      belay: () => drive(driver, { address, path, requests, inFlight: IN_FLIGHT }),
      peer: () =>
        drive(driver, { address: peerAddress, path: "/peer.Peer/Get", requests, inFlight: IN_FLIGHT }),
    });
    const bytes = Buffer.from(binary, "base64").length;
    return [
      measured("get-grpc", "1/s", rounds.belay, null, `${IN_FLIGHT} in flight, ${bytes} bytes`),
      measured("get-grpc-peer", "1/s", rounds.peer, null, "grpc-js handler answering the same bytes"),
      measured("get-grpc-ratio", "x", ratios(rounds.belay, rounds.peer), [">=", 0.8]),
    ];
  });
}

async function getOverRest(): Promise<readonly Measurement[]> {
  const belay = await startChild<Belay>(new URL("../belay-server.ts", import.meta.url));
  const peer = await startChild<{ port: number }>(new URL("../peers/node-http.ts", import.meta.url));
  const driver = await startChild(new URL("../drivers/http-driver.ts", import.meta.url));
  await using child = belay.child;
  await using _peer = peer.child;
  await using client = driver.child;
  const { name } = await child.ask<{ name: string }>({ ask: "doneOperation" });
  const get = async (origin: string): Promise<number> => {
    const question: HttpDrive = { url: `http://${origin}/v1/${name}`, inFlight: IN_FLIGHT, seconds: SECONDS };
    return (await client.ask<{ perSecond: number }>(question)).perSecond;
  };
  const rounds = await alternate({
    belay: () => get(belay.ready.address),
    peer: () => get(`127.0.0.1:${peer.ready.port}`),
  });
  return [
    measured("get-rest", "1/s", rounds.belay, null, `${IN_FLIGHT} connections`),
    measured(
      "get-rest-peer",
      "1/s",
      rounds.peer,
      null,
      "node:http that builds and stringifies the same Operation",
    ),
    measured("get-rest-ratio", "x", ratios(rounds.belay, rounds.peer), [">=", 0.6]),
  ];
}

async function startOverGrpc(): Promise<readonly Measurement[]> {
  return await withSides(async ({ belay, address, peer, peerAddress, driver }) => {
    const { binary } = await belay.ask<{ binary: string }>({ ask: "parkedOperation" });
    await peer.ask({ reply: binary });
    const requests = [start()];
    const path = "/belay.v1.Operations/StartOperation";
    const rounds = await alternate({
      many: () => drive(driver, { address, path, requests, inFlight: IN_FLIGHT }),
      one: () => drive(driver, { address, path, requests, inFlight: 1 }),
      peer: () =>
        drive(driver, { address: peerAddress, path: "/peer.Peer/Get", requests, inFlight: IN_FLIGHT }),
    });
    return [
      measured("start-grpc", "1/s", rounds.many, null, `${IN_FLIGHT} in flight, synchronous=FULL`),
      measured("start-grpc-one", "1/s", rounds.one, null, "1 in flight"),
      measured("start-grpc-peer", "1/s", rounds.peer, null, "grpc-js handler answering the same bytes"),
      measured("start-grpc-batching", "x", ratios(rounds.many, rounds.one), [">=", 5]),
      measured("start-grpc-ratio", "x", ratios(rounds.many, rounds.peer), [">=", 0.4]),
    ];
  });
}

export const getGrpcSuite: Suite = {
  name: "get-grpc",
  method:
    "GetOperation over gRPC against a no-op grpc-js handler that answers the same bytes; the driver is a process of its own.",
  run: getOverGrpc,
};

export const getRestSuite: Suite = {
  name: "get-rest",
  method: "REST GET against node:http that builds and stringifies the same Operation.",
  run: getOverRest,
};

export const startGrpcSuite: Suite = {
  name: "start-grpc",
  method:
    "Durable StartOperation over gRPC, 64 in flight, against 1 in flight and against a no-op handler. No worker takes the type.",
  run: startOverGrpc,
};
