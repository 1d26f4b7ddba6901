import assert from "node:assert/strict";
import { test } from "node:test";
import { cancelCommand, EPOCH, simple, startCommand, UNIT } from "../testing/sample-operation.ts";
import type { OperationCommand } from "./commands.ts";
import { isDone, nextTimer, type OperationRecord, operationStates } from "./operation.ts";
import { transition } from "./transition.ts";

function after(...commands: OperationCommand[]): OperationRecord {
  let record: OperationRecord | null = null;
  for (const command of commands) record = transition(record, command, EPOCH).record;
  assert.ok(record);
  return record;
}

const lease = simple.assign("w1", { guarded: true, begin: true });
const calm = { stallTimeoutMs: 0, attemptTimeoutMs: 30 };

const timers: readonly [what: string, record: OperationRecord, units: number | null][] = [
  ["pending without a deadline", after(startCommand()), null],
  ["pending with a deadline", after(startCommand({ deadline: EPOCH + 5 * UNIT })), 5],
  ["running: the attempt timeout", after(startCommand(calm), lease), 30],
  [
    "running: the stall timeout, when it is earlier",
    after(startCommand({ ...calm, stallTimeoutMs: 7 }), lease),
    7,
  ],
  [
    "running: the deadline, when it is earlier",
    after(startCommand({ ...calm, deadline: EPOCH + 4 * UNIT }), lease),
    4,
  ],
  [
    "cancelling: the cancel deadline, and no other",
    after(startCommand({ deadline: EPOCH + UNIT }), lease, cancelCommand()),
    2,
  ],
  ["done", after(startCommand({ deadline: EPOCH + UNIT }), cancelCommand()), null],
];

for (const [what, record, units] of timers) {
  test(`the next timer, ${what}`, () => {
    assert.equal(nextTimer(record), units === null ? null : EPOCH + units * UNIT);
  });
}

test("three of the six states are final", () => {
  assert.deepEqual(operationStates.filter(isDone), ["SUCCEEDED", "FAILED", "CANCELLED"]);
});
