// The same searches as search.test.ts over every policy, longer timers and two operations in pairs of commands.
import { test } from "node:test";
import { isDone } from "../../src/engine/operation.ts";
import { EPOCH, UNIT } from "../../src/testing/sample-operation.ts";
import type { BatchOperation, ChildChoice } from "./batch-actions.ts";
import { type BatchModelOptions, batchModel, isSettled } from "./batch-model.ts";
import { operationModel, type StartChoice } from "./operation-model.ts";
import { runSearch, type SearchName } from "./run-search.ts";

function everyPolicy(): StartChoice[] {
  const choices: StartChoice[] = [];
  for (const maxAttempts of [1, 2, 3])
    for (const onDelete of ["keep", "cancel", "refuse"] as const)
      for (const cancellable of [true, false])
        for (const timers of [
          {},
          { deadlineUnits: 2, criticalMs: 1 },
          { deadlineUnits: 5 },
          { unwatchedMs: 3 },
        ])
          choices.push({ maxAttempts, onDelete, cancellable, ...timers });
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

test("two operations, one with two attempts: no reachable batch breaks an invariant", (t) => {
  const a = { maxAttempts: 1, stallTimeoutMs: 0, attemptTimeoutMs: 2 };
  const b = { ...a, maxAttempts: 2, backoffMs: 0 };
  runSearch(
    t,
    "two operations, two attempts",
    batchModel({ operations: { a, b }, withPairs: false }),
    isSettled,
  );
});

const quick = { maxAttempts: 1, stallTimeoutMs: 0, attemptTimeoutMs: 2 } as const;
const child = (of: string[], policy: ChildChoice["policy"], more: object = {}): BatchOperation => ({
  ...quick,
  child: { of, policy, ...more },
});

/** Families, each with what else can happen to it. */
const families: readonly [name: SearchName, BatchModelOptions][] = [
  [
    "two parents share a child",
    {
      operations: { p: quick, q: quick, c: child(["p", "q"], "cancel", { shared: true }) },
      parts: ["children"],
      withPairs: false,
    },
  ],
  [
    "three generations",
    {
      operations: { p: quick, c: child(["p"], "cancel"), g: child(["c"], "cancel") },
      parts: ["children", "force"],
      withPairs: false,
    },
  ],
  [
    "an abandoned child",
    {
      operations: { p: quick, c: child(["p"], "abandon"), d: child(["p"], "cancel") },
      parts: ["children"],
      withPairs: false,
    },
  ],
  [
    "a parent that is tried again",
    {
      operations: { p: { ...quick, maxAttempts: 2, backoffMs: 0 }, c: child(["p"], "cancel") },
      parts: ["children", "retry", "release", "sessions", "override", "second session"],
      withPairs: false,
    },
  ],
  [
    "a parent with a deadline, and leases that pass",
    {
      operations: { p: { ...quick, deadline: EPOCH + 2 * UNIT }, c: child(["p"], "cancel") },
      parts: ["children", "override", "expiry", "force"],
      leaseMs: 1,
      withPairs: true,
    },
  ],
  [
    "children that supersede one another",
    {
      operations: {
        p: quick,
        c: { ...child(["p"], "cancel"), supersedeKey: "k" },
        d: { ...child(["p"], "wait"), supersedeKey: "k" },
      },
      parts: ["children"],
      withPairs: false,
    },
  ],
  [
    "slots of a key",
    {
      operations: {
        a: { ...quick, concurrencyKey: "k", keyLimit: 1 },
        b: { ...quick, concurrencyKey: "k", keyLimit: 1, typeLimit: 2 },
      },
      parts: ["override", "reserve", "second session", "sessions"],
      withPairs: true,
    },
  ],
];

for (const [name, options] of families) {
  test(`${name}: no reachable batch breaks an invariant, and every state can end`, (t) => {
    runSearch(t, name, batchModel(options), isSettled);
  });
}

test("two operations, two sessions: no reachable batch breaks an invariant, and every state can end", (t) => {
  const operations = { a: quick, b: { ...quick, attemptTimeoutMs: 1 } };
  runSearch(t, "two operations", batchModel({ operations, withPairs: false }), isSettled);
});
