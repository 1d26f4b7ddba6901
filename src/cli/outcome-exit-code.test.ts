import assert from "node:assert/strict";
import { test } from "node:test";
import { create } from "@bufbuild/protobuf";
import { type Operation, OperationSchema, State } from "../protocol/gen/belay/v1/operations_pb.ts";
import type { ExitCode } from "./exit-codes.ts";
import { outcomeExitCode, stopExitCode, worstExitCode } from "./outcome-exit-code.ts";

function ended(state: State, message = ""): Operation {
  const result = message === "" ? {} : { result: { case: "error" as const, value: { code: 2, message } } };
  return create(OperationSchema, { state, done: state >= State.SUCCEEDED, ...result });
}

const rows: readonly (readonly [string, Operation, outcome: ExitCode, stop: ExitCode])[] = [
  ["a running operation", ended(State.RUNNING), 6, 6],
  ["a success", ended(State.SUCCEEDED), 0, 0],
  ["a failure", ended(State.FAILED, "no such file"), 2, 2],
  ["a cancelled operation", ended(State.CANCELLED, "cancelled"), 3, 0],
  ["an unconfirmed stop", ended(State.FAILED, "STOP_UNCONFIRMED: nobody knows"), 9, 9],
];
for (const [what, operation, outcome, stop] of rows) {
  test(`${what} exits with ${outcome}, and after a cancel with ${stop}`, () => {
    assert.equal(outcomeExitCode(operation), outcome);
    assert.equal(stopExitCode(operation), stop);
  });
}

test("of several the worst counts", () => {
  assert.equal(worstExitCode([]), 0);
  assert.equal(worstExitCode([0, 3, 2, 0]), 2);
  assert.equal(worstExitCode([3, 9, 2]), 9);
  assert.equal(worstExitCode([0, 5]), 5);
});
