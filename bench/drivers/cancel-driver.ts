// Starts operations that run until they are aborted, cancels them one by one, and notes when each answer came.

import { create } from "@bufbuild/protobuf";
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
import { NativeClient } from "./native-client.ts";

answerParent<{ address: string; count: number }>(async ({ address, count }) => {
  const client = new NativeClient(address);
  const cancels: { name: string; sentNs: string; ackNs: string }[] = [];
  for (let index = 0; index < count; index++) {
    const request = create(StartOperationRequestSchema, { type: "bench.until-aborted" });
    const { name } = await client.call(
      "StartOperation",
      StartOperationRequestSchema,
      OperationSchema,
      request,
    );
    const get = create(GetOperationRequestSchema, { name });
    while (
      (await client.call("GetOperation", GetOperationRequestSchema, OperationSchema, get)).state !==
      State.RUNNING
    ) {
      await delay(1);
    }
    const cancel = create(CancelOperationRequestSchema, { name });
    const sentNs = monotonicNs();
    await client.call("CancelOperation", CancelOperationRequestSchema, CancelOperationResponseSchema, cancel);
    cancels.push({ name, sentNs: String(sentNs), ackNs: String(monotonicNs()) });
  }
  await delay(50); // the last abort event reaches its handler
  client.close();
  return { cancels };
});
tellReady({});
