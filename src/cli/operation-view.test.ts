import assert from "node:assert/strict";
import { test } from "node:test";
import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import {
  Cancellation_Phase,
  OperationSchema,
  State,
  StateSchema,
} from "../protocol/gen/belay/v1/operations_pb.ts";
import { outcomeFields } from "./operation-view.ts";

const rows = [
  [State.CANCELLING, "ACKNOWLEDGED, by anonymous, ends by 2026-01-01T00:00:10.000Z"],
  // Finished work wins: there was no stop, and the cancel deadline no longer says anything.
  [State.SUCCEEDED, "ACKNOWLEDGED, by anonymous"],
] as const;

for (const [state, text] of rows) {
  test(`the cancel of an operation that is ${StateSchema.value[state]?.name} is shown as ${JSON.stringify(text)}`, () => {
    const operation = create(OperationSchema, {
      state,
      done: state !== State.CANCELLING,
      cancellation: {
        phase: Cancellation_Phase.ACKNOWLEDGED,
        cause: "cancel",
        requestedBy: "anonymous",
        cancelDeadline: timestampFromMs(Date.UTC(2026, 0, 1, 0, 0, 10)),
      },
    });
    assert.deepEqual(new Map(outcomeFields(operation, 0)).get("cancel"), text);
  });
}
