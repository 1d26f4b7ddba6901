// The same searches as search.test.ts over every policy, longer timers and two operations in pairs of commands.
import { test } from "node:test";
import { isDone } from "../../src/engine/operation.ts";
import { batchModel, isSettled } from "./batch-model.ts";
import { operationModel, type StartChoice } from "./operation-model.ts";
import { runSearch } from "./run-search.ts";

function everyPolicy(): StartChoice[] {
  const choices: StartChoice[] = [];
  for (const maxAttempts of [1, 2, 3])
    for (const onDelete of ["keep", "cancel", "refuse"] as const)
      for (const cancellable of [true, false])
        for (const deadline of [{}, { deadlineUnits: 2 }, { deadlineUnits: 5 }])
          choices.push({ maxAttempts, onDelete, cancellable, ...deadline });
  return choices;
}

test("one operation under every policy: no reachable step breaks an invariant", (t) => {
  runSearch(
    t,
    "every policy",
    operationModel(everyPolicy()),
    ({ record }) => record === null || isDone(record.state),
  );
});

test("two operations with three attempts each: no reachable batch breaks an invariant", (t) => {
  const policy = { maxAttempts: 3, stallTimeoutMs: 0, attemptTimeoutMs: 1, backoffMs: 0 };
  const operations = { a: policy, b: { ...policy, maxAttempts: 2 } };
  runSearch(t, "three attempts, two operations", batchModel({ operations, withPairs: false }), isSettled);
});

test("two operations: a batch of two commands does what two batches do", (t) => {
  const policy = { maxAttempts: 1, stallTimeoutMs: 0, attemptTimeoutMs: 1, backoffMs: 0 };
  runSearch(
    t,
    "two operations, batch pairs",
    batchModel({ operations: { a: policy, b: policy }, withPairs: true }),
    isSettled,
  );
});
