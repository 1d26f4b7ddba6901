// Drives a gRPC unary method in a closed loop from a process of its own: n calls in flight, for some seconds.
import { Client, credentials, Metadata } from "@grpc/grpc-js";
import { answerParent, tellReady } from "../child.ts";

export interface GrpcDrive {
  address: string;
  path: string;
  /** Request messages, base64; the driver goes round. */
  requests: readonly string[];
  inFlight: number;
  seconds: number;
}

export interface DriveResult {
  perSecond: number;
  p50Ms: number;
  p99Ms: number;
}

const identity = (bytes: Buffer): Buffer => bytes;

async function drive(question: GrpcDrive): Promise<DriveResult> {
  const client = new Client(question.address, credentials.createInsecure());
  const requests = question.requests.map((text) => Buffer.from(text, "base64"));
  const call = (request: Buffer): Promise<Buffer> =>
    new Promise((resolve, reject) => {
      client.makeUnaryRequest(question.path, identity, identity, request, new Metadata(), (error, reply) =>
        error ? reject(error) : resolve(reply as Buffer),
      );
    });
  const latencies: number[] = [];
  let next = 0;
  let end = performance.now() + 500; // warm-up, not counted
  const loop = async (): Promise<void> => {
    while (performance.now() < end) {
      const began = performance.now();
      await call(requests[next++ % requests.length] as Buffer);
      latencies.push(performance.now() - began);
    }
  };
  const run = (): Promise<unknown> => Promise.all(Array.from({ length: question.inFlight }, loop));
  await run();
  latencies.length = 0;
  const began = performance.now();
  end = began + question.seconds * 1000;
  await run();
  const seconds = (performance.now() - began) / 1000;
  client.close();
  latencies.sort((a, b) => a - b);
  return {
    perSecond: latencies.length / seconds,
    p50Ms: latencies[Math.floor(latencies.length * 0.5)] ?? 0,
    p99Ms: latencies[Math.floor(latencies.length * 0.99)] ?? 0,
  };
}

answerParent<GrpcDrive>(drive);
tellReady({});
