// Holds many WaitOperation calls over some connections, then tells when the last one was answered.

import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { Client, credentials, Metadata } from "@grpc/grpc-js";
import { monotonicNs } from "../../src/base/clock.ts";
import {
  OperationSchema,
  WaitOperationRequestSchema,
} from "../../src/protocol/gen/google/longrunning/operations_pb.ts";
import { answerParent, tellReady } from "../child.ts";

type Question =
  | { ask: "wait"; address: string; names: readonly string[]; connections: number }
  | { ask: "woken" };

const identity = (bytes: Buffer): Buffer => bytes;
let waits: Promise<boolean>[] = [];

function wait(client: Client, name: string): Promise<boolean> {
  const request = create(WaitOperationRequestSchema, { name, timeout: { seconds: 300n } });
  const bytes = Buffer.from(toBinary(WaitOperationRequestSchema, request));
  return new Promise((resolve, reject) => {
    client.makeUnaryRequest(
      "/google.longrunning.Operations/WaitOperation",
      identity,
      identity,
      bytes,
      new Metadata(),
      (error, reply) => (error ? reject(error) : resolve(fromBinary(OperationSchema, reply as Buffer).done)),
    );
  });
}

answerParent<Question>(async (question) => {
  if (question.ask === "wait") {
    const clients = Array.from(
      { length: question.connections },
      () =>
        new Client(question.address, credentials.createInsecure(), { "grpc.use_local_subchannel_pool": 1 }),
    );
    waits = question.names.map((name, index) => wait(clients[index % clients.length] as Client, name));
    return {};
  }
  const done = await Promise.all(waits);
  return { lastNs: String(monotonicNs()), done: done.filter(Boolean).length };
});
tellReady({});
