// Starts operations for a remote worker, and cancels them one by one or all by one filter; notes when each answer came.
import { create } from "@bufbuild/protobuf";
import { monotonicNs } from "../../src/base/clock.ts";
import { delay } from "../../src/base/timers.ts";
import {
  CancelOperationRequestSchema,
  CancelOperationResponseSchema,
  CancelOperationsRequestSchema,
  ListOperationsRequestSchema,
  ListOperationsResponseSchema,
  OperationSchema,
  StartOperationRequestSchema,
} from "../../src/protocol/gen/belay/v1/operations_pb.ts";
import { answerParent, tellReady } from "../child.ts";
import { NativeClient } from "./native-client.ts";

export type RemoteDrive =
  | { ask: "start"; type: string; count: number }
  /** One after the other, with a pause of `pauseMs` before each. */
  | { ask: "startEach"; type: string; count: number; pauseMs: number }
  | { ask: "cancelEach"; names: readonly string[]; pauseMs: number }
  /** One call for all of a type; then asks until none of them is live. */
  | { ask: "cancelAll"; type: string };

/** When a call was sent and answered, in nanoseconds of the machine's monotonic clock. */
export interface CallTimes {
  name: string;
  sentNs: string;
  ackNs: string;
}

const POLL_MS = 50;

let client: NativeClient | undefined;

async function startEach({ type, count, pauseMs }: RemoteDrive & { ask: "startEach" }): Promise<CallTimes[]> {
  const calls: CallTimes[] = [];
  for (let index = 0; index < count; index++) {
    await delay(pauseMs);
    const sentNs = String(monotonicNs());
    const request = create(StartOperationRequestSchema, { type });
    const answer = await client?.call(
      "StartOperation",
      StartOperationRequestSchema,
      OperationSchema,
      request,
    );
    calls.push({ name: answer?.name ?? "", sentNs, ackNs: String(monotonicNs()) });
  }
  await delay(500); // the last one begins
  return calls;
}

async function cancelEach({ names, pauseMs }: RemoteDrive & { ask: "cancelEach" }): Promise<CallTimes[]> {
  const calls: CallTimes[] = [];
  for (const name of names) {
    await delay(pauseMs);
    const sentNs = String(monotonicNs());
    const request = create(CancelOperationRequestSchema, { name });
    const schemas = [CancelOperationRequestSchema, CancelOperationResponseSchema] as const;
    await client?.call("CancelOperation", ...schemas, request);
    calls.push({ name, sentNs, ackNs: String(monotonicNs()) });
  }
  await delay(500); // the last abort event reaches its handler
  return calls;
}

async function cancelAll(type: string): Promise<CallTimes & { settledNs: string }> {
  const sentNs = String(monotonicNs());
  const filter = `type = "${type}" AND done = false`;
  const order = create(CancelOperationsRequestSchema, { filter, reason: "bench" });
  const made = await client?.call("CancelOperations", CancelOperationsRequestSchema, OperationSchema, order);
  const ackNs = String(monotonicNs());
  const list = create(ListOperationsRequestSchema, { filter, pageSize: 1 });
  for (;;) {
    await delay(POLL_MS);
    const schemas = [ListOperationsRequestSchema, ListOperationsResponseSchema] as const;
    const page = await client?.call("ListOperations", ...schemas, list);
    if (page?.operations.length === 0 && page.nextPageToken === "") break;
  }
  return { name: made?.name ?? "", sentNs, ackNs, settledNs: String(monotonicNs()) };
}

answerParent<RemoteDrive & { address: string }>(async (drive) => {
  client ??= new NativeClient(drive.address);
  switch (drive.ask) {
    case "start":
      return { names: await client.start(drive.type, drive.count) };
    case "startEach":
      return { calls: await startEach(drive) };
    case "cancelEach":
      return { calls: await cancelEach(drive) };
    case "cancelAll":
      return await cancelAll(drive.type);
  }
});
tellReady({});
