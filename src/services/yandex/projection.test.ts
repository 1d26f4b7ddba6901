import assert from "node:assert/strict";
import { test } from "node:test";
import { fromBinary } from "@bufbuild/protobuf";
import type { OperationOutcome, OperationState } from "../../engine/operation.ts";
import { OperationSchema } from "../../protocol/gen/yandex/cloud/operation/operation_pb.ts";
import { structPayload } from "../../protocol/struct.ts";
import { storedOperation } from "../../testing/stored-operation.ts";
import { yandexService } from "../builtin/yandex.ts";
import { toYandexView, yandexOperationBinary, yandexOperationJson } from "./projection.ts";

const error = (code: number, message: string): OperationOutcome => ({
  kind: "error",
  status: {
    code,
    message,
    details: [{ typeUrl: "type.googleapis.com/google.rpc.ErrorInfo", bytes: new Uint8Array([10, 1, 88]) }],
  },
  digest: "",
});
const response: OperationOutcome = { kind: "response", digest: "d" };

const view = (
  state: OperationState,
  outcome: OperationOutcome | null = null,
): ReturnType<typeof toYandexView> => toYandexView(storedOperation({ state, outcome }), yandexService);

test("an unfinished operation shows neither error nor response, not even while it is being cancelled", () => {
  for (const state of ["PENDING", "RUNNING", "CANCELLING"] as const) {
    const { done, error: shownError, response: shownResponse } = view(state);
    assert.deepEqual([done, shownError, shownResponse], [false, null, null]);
  }
});

test("a cancelled operation is done with code 1, and details stay behind", () => {
  const { done, error: shown } = view("CANCELLED", error(1, "cancelled by ada"));
  assert.deepEqual([done, shown], [true, { code: 1, message: "cancelled by ada", details: [] }]);
});

test("a successful operation has a response, if only an Empty one", () => {
  assert.equal(view("SUCCEEDED", response).response?.typeUrl, "type.googleapis.com/google.protobuf.Empty");
  const payload = structPayload({ pages: 3 });
  const stored = storedOperation({ state: "SUCCEEDED", outcome: response }, payload);
  assert.equal(toYandexView(stored, yandexService).response, payload);
});

test("bytes and text tell the same operation, made once for each state of it", () => {
  const stored = storedOperation({ state: "RUNNING", description: "reads a scan", createdBy: "user:ada" });
  const message = fromBinary(OperationSchema, yandexOperationBinary(stored, yandexService));
  assert.deepEqual(
    [
      message.id,
      message.description,
      message.createdBy,
      message.done,
      message.createdAt?.nanos,
      message.modifiedAt?.nanos,
    ],
    [stored.record.id, "reads a scan", "user:ada", false, 0, 1000],
  );
  assert.equal(yandexOperationBinary(stored, yandexService), yandexOperationBinary(stored, yandexService));
  assert.equal(
    yandexOperationJson(stored, yandexService),
    `{"id":"${stored.record.id}","description":"reads a scan","createdAt":"2027-01-15T08:00:00Z",` +
      '"createdBy":"user:ada","modifiedAt":"2027-01-15T08:00:00.000001Z","done":false}',
  );
});
