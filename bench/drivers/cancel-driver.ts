// Starts operations that run until they are aborted, cancels them one by one, and notes when each answer came.

import { create, type DescMessage, fromBinary, type MessageShape, toBinary } from "@bufbuild/protobuf";
import { Client, credentials } from "@grpc/grpc-js";
import { monotonicNs } from "../../src/base/clock.ts";
import { delay } from "../../src/base/timers.ts";
import {
  CancelOperationRequestSchema,
  CancelOperationResponseSchema,
  GetOperationRequestSchema,
  OperationSchema,
  StartOperationRequestSchema,
  State,
} from "../../src/protocol/gen/belay/v1/operations_pb.ts";
import { answerParent, tellReady } from "../child.ts";

function unary<I extends DescMessage, O extends DescMessage>(
  client: Client,
  method: string,
  input: I,
  output: O,
  request: MessageShape<I>,
): Promise<MessageShape<O>> {
  return new Promise((resolve, reject) => {
    client.makeUnaryRequest(
      `/belay.v1.Operations/${method}`,
      (message: MessageShape<I>) => Buffer.from(toBinary(input, message)),
      (bytes: Buffer) => fromBinary(output, bytes),
      request,
      (error, reply) => (error ? reject(error) : resolve(reply as MessageShape<O>)),
    );
  });
}

answerParent<{ address: string; count: number }>(async ({ address, count }) => {
  const client = new Client(address, credentials.createInsecure());
  const cancels: { name: string; sentNs: string; ackNs: string }[] = [];
  for (let index = 0; index < count; index++) {
    const request = create(StartOperationRequestSchema, { type: "bench.until-aborted" });
    const { name } = await unary(
      client,
      "StartOperation",
      StartOperationRequestSchema,
      OperationSchema,
      request,
    );
    const get = create(GetOperationRequestSchema, { name });
    while (
      (await unary(client, "GetOperation", GetOperationRequestSchema, OperationSchema, get)).state !==
      State.RUNNING
    ) {
      await delay(1);
    }
    const cancel = create(CancelOperationRequestSchema, { name });
    const sentNs = monotonicNs();
    await unary(
      client,
      "CancelOperation",
      CancelOperationRequestSchema,
      CancelOperationResponseSchema,
      cancel,
    );
    cancels.push({ name, sentNs: String(sentNs), ackNs: String(monotonicNs()) });
  }
  await delay(50); // the last abort event reaches its handler
  client.close();
  return { cancels };
});
tellReady({});
