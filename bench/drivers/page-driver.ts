// Calls GetOperation of random names and walks List pages over gRPC, one call at a time, from a process of its own.
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { Client, credentials, Metadata } from "@grpc/grpc-js";
import {
  GetOperationRequestSchema,
  ListOperationsRequestSchema,
  ListOperationsResponseSchema,
} from "../../src/protocol/gen/google/longrunning/operations_pb.ts";
import { answerParent, tellReady } from "../child.ts";
import { median } from "../measurement.ts";

/** With names: gets them, in this order. Without: walks as many pages of 50 from the newest on. */
export interface PageDrive {
  address: string;
  names: readonly string[];
  pages: number;
}

const identity = (bytes: Buffer): Buffer => bytes;

function call(client: Client, method: string, request: Uint8Array): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const path = `/google.longrunning.Operations/${method}`;
    client.makeUnaryRequest(path, identity, identity, Buffer.from(request), new Metadata(), (error, reply) =>
      error ? reject(error) : resolve(reply as Buffer),
    );
  });
}

async function timeUs(run: () => Promise<void>): Promise<number> {
  const began = performance.now();
  await run();
  return (performance.now() - began) * 1000;
}

async function drive({ address, names, pages }: PageDrive): Promise<{ p50Us: number }> {
  const client = new Client(address, credentials.createInsecure());
  const times: number[] = [];
  for (const name of names) {
    const request = toBinary(GetOperationRequestSchema, create(GetOperationRequestSchema, { name }));
    times.push(await timeUs(async () => void (await call(client, "GetOperation", request))));
  }
  let pageToken = "";
  for (let page = 0; page < pages; page++) {
    const fields = { name: "operations", pageSize: 50, pageToken };
    const request = toBinary(ListOperationsRequestSchema, create(ListOperationsRequestSchema, fields));
    let reply = Buffer.alloc(0);
    times.push(
      await timeUs(async () => {
        reply = Buffer.from(await call(client, "ListOperations", request));
      }),
    );
    pageToken = fromBinary(ListOperationsResponseSchema, reply).nextPageToken;
  }
  client.close();
  return { p50Us: median(times) };
}

answerParent<PageDrive>(drive);
tellReady({});
