import assert from "node:assert/strict";
import { test } from "node:test";
import { fromBinary } from "@bufbuild/protobuf";
import type { OperationOutcome, OperationState, Payload, StoredOperation } from "../../engine/operation.ts";
import { OperationSchema } from "../../protocol/gen/google/longrunning/operations_pb.ts";
import { structPayload } from "../../protocol/struct.ts";
import { storedOperation } from "../../testing/stored-operation.ts";
import { defaultService } from "../builtin/default.ts";
import { operationBinary, operationJson, toOperationView } from "./projection.ts";

function stored(
  state: OperationState,
  outcome: OperationOutcome | null,
  response: Payload | null,
): StoredOperation {
  return storedOperation({ state, outcome }, response);
}

const error = (code: number, message: string, details: Payload[] = []): OperationOutcome => ({
  kind: "error",
  status: { code, message, details },
  digest: "",
});
const response: OperationOutcome = { kind: "response", digest: "d" };

test("an unfinished operation shows neither error nor response", () => {
  for (const state of ["PENDING", "RUNNING", "CANCELLING"] as const) {
    const view = toOperationView(stored(state, null, null), defaultService);
    assert.deepEqual([view.done, view.error, view.response], [false, null, null]);
  }
});

test("a cancelled operation has error code 1", () => {
  const view = toOperationView(stored("CANCELLED", error(1, "cancelled by ada"), null), defaultService);
  assert.deepEqual([view.done, view.error?.code, view.response], [true, 1, null]);
});

test("error.details stay behind: REST clients throw on a type they do not know", () => {
  const details = [
    { typeUrl: "type.googleapis.com/google.rpc.ErrorInfo", bytes: new Uint8Array([10, 1, 88]) },
  ];
  const view = toOperationView(stored("FAILED", error(9, "no disk", details), null), defaultService);
  assert.deepEqual(view.error, { code: 9, message: "no disk", details: [] });
});

test("a successful operation has a response, if only an Empty one", () => {
  const payload = structPayload({ pages: 3 });
  assert.equal(toOperationView(stored("SUCCEEDED", response, payload), defaultService).response, payload);
  const empty = toOperationView(stored("SUCCEEDED", response, null), defaultService).response;
  assert.equal(empty?.typeUrl, "type.googleapis.com/google.protobuf.Empty");
});

test("the bytes are a google.longrunning.Operation, made once for each state of the operation", () => {
  const operation = stored("SUCCEEDED", response, structPayload({ pages: 3 }));
  const message = fromBinary(OperationSchema, operationBinary(operation, defaultService));
  assert.deepEqual(
    [message.name, message.done, message.result.case],
    [operation.record.name, true, "response"],
  );
  assert.equal(operationBinary(operation, defaultService), operationBinary(operation, defaultService));
  assert.equal(operationJson(operation, defaultService), operationJson(operation, defaultService));
  assert.deepEqual(JSON.parse(operationJson(operation, defaultService)), {
    name: operation.record.name,
    done: true,
    response: { "@type": "type.googleapis.com/google.protobuf.Struct", value: { pages: 3 } },
  });
});

test("a response of a type that is not known here never breaks the JSON", () => {
  const foreign = { typeUrl: "example.com/foo.Bar", bytes: new Uint8Array([1, 2, 3]) };
  assert.deepEqual(
    JSON.parse(operationJson(stored("SUCCEEDED", response, foreign), defaultService)).response,
    {
      "@type": "example.com/foo.Bar",
      value: "AQID",
    },
  );
});
