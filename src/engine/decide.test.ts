import assert from "node:assert/strict";
import { test } from "node:test";
import {
  cancelCommand,
  completeCommand,
  EPOCH,
  payload,
  sampleKey,
  simple,
  startCommand,
} from "../testing/sample-operation.ts";
import type { AcquireCommand, Command, OpenSessionCommand } from "./commands.ts";
import { decide } from "./decide.ts";
import { type Decision, keyText, type ReadSet } from "./decision.ts";
import type { OperationKey, OperationRecord } from "./operation.ts";

const open: OpenSessionCommand = {
  type: "openSession",
  session: "w1",
  kind: "remote",
  worker: "worker one",
  build: "",
  principal: "",
  types: ["test.work"],
  slots: 2,
  guarded: true,
  bootId: "boot",
  leaseMs: 10,
};

const acquire: AcquireCommand = {
  type: "acquire",
  session: "w1",
  types: ["test.work"],
  limit: 2,
  guarded: true,
  begin: true,
};

function readSet(given: {
  records?: readonly OperationRecord[];
  targets?: Record<number, OperationKey[]>;
  open?: boolean;
}): ReadSet {
  const { type: _, ...session } = open;
  return {
    operations: new Map((given.records ?? []).map((record) => [keyText(record), record])),
    requestKeys: new Map(),
    slots: new Map(),
    expired: new Map(),
    sessions: new Map(given.open ? [["w1", { ...session, openTime: EPOCH, heartbeatTime: EPOCH }]] : []),
    targets: new Map(Object.entries(given.targets ?? {}).map(([index, keys]) => [Number(index), keys])),
  };
}

function run(commands: readonly Command[], given: Parameters<typeof readSet>[0] = {}): Decision {
  return decide(readSet(given), commands, EPOCH);
}

function started(name: string, ...more: Command[]): OperationRecord {
  const { inserted } = run([startCommand({ name }), ...more]);
  assert.ok(inserted[0]);
  return inserted[0].record;
}

test("an operation that a batch starts and changes is written once, as it is at the end", () => {
  const { inserted, updated, events } = run([
    startCommand(),
    simple.assign("w1", { guarded: true, begin: true }),
    cancelCommand(),
  ]);
  assert.deepEqual(updated, []);
  assert.deepEqual(
    inserted.map(({ record }) => [record.name, record.state, record.revision]),
    [["operations/a", "CANCELLING", 3]],
  );
  assert.deepEqual(
    events.map(({ revision, state }) => [revision, state]),
    [
      [1, "PENDING"],
      [2, "RUNNING"],
      [3, "CANCELLING"],
    ],
  );
});

test("a refused command writes nothing and stops no other", () => {
  const a = started("a");
  const { outcomes, updated } = run([completeCommand({ session: "w1", token: 1 }), cancelCommand()], {
    records: [a],
  });
  assert.deepEqual(
    outcomes.map((outcome) => (outcome.type === "refused" ? outcome.reason : outcome.type)),
    ["LEASE_LOST", "cancel"],
  );
  assert.equal(updated.length, 1);
});

test("what a grant of the same batch gave to a session goes back when the session closes", () => {
  // The store looks up what a session holds before the batch: there is nothing yet.
  const a = started("a");
  const { outcomes, updated, sessionsClosed } = run(
    [acquire, { type: "closeSession", session: "w1", survivors: [] }],
    {
      records: [a],
      targets: { 0: [sampleKey("a")], 1: [] },
      open: true,
    },
  );
  assert.deepEqual(outcomes[1], { type: "settled", count: 1 });
  assert.deepEqual(
    updated.map(({ state, lease, attempt }) => [state, lease, attempt]),
    [["PENDING", null, 1]],
  );
  assert.deepEqual(sessionsClosed, ["w1"]);
});

test("a session is settled once for each operation, found before the batch or granted in it", () => {
  const a = started("a", simple.assign("w1", { guarded: true, begin: false }));
  const given = { records: [a], targets: { 1: [sampleKey("a")] }, open: true };
  const { outcomes } = run(
    [simple.begin({ session: "w1", token: 1 }), { type: "closeSession", session: "w1", survivors: [] }],
    given,
  );
  assert.deepEqual(outcomes[1], { type: "settled", count: 1 });
});

test("work that survived its session is told apart by its name", () => {
  const records = ["a", "b"].map((name) =>
    started(name, simple.assign("w1", { guarded: true, begin: true }, name), cancelCommand({ name })),
  );
  const close: Command = { type: "closeSession", session: "w1", survivors: ["operations/b"] };
  const { updated } = run([close], { records, targets: { 0: [sampleKey("a"), sampleKey("b")] }, open: true });
  assert.deepEqual(
    updated.map(({ state, cancel }) => [state, cancel?.evidence]),
    [
      ["CANCELLED", "LEASE_EXPIRED"],
      ["FAILED", null],
    ],
  );
});

test("acquire grants up to its limit, and passes over what is no longer there to take", () => {
  const records = [started("a", cancelCommand()), started("b"), started("c"), started("d")];
  const targets = { 0: ["a", "b", "c", "d"].map((name) => sampleKey(name)) };
  const { outcomes } = run([acquire], { records, targets, open: true });
  const [granted] = outcomes;
  assert.deepEqual(granted?.type === "granted" ? granted.grants.map(({ record }) => record.name) : [], [
    "operations/b",
    "operations/c",
  ]);
});

test("two acquires of one batch do not get the same operation", () => {
  const records = [started("a")];
  const targets = { 0: [sampleKey("a")], 1: [sampleKey("a")] };
  const { outcomes } = run([acquire, acquire], { records, targets, open: true });
  assert.deepEqual(
    outcomes.map((outcome) => (outcome.type === "granted" ? outcome.grants.length : outcome.type)),
    [1, 0],
  );
});

test("a session that is not open gets nothing", () => {
  for (const command of [acquire, { type: "heartbeat", session: "w1" }] as const) {
    assert.deepEqual(run([command]).outcomes, [{ type: "refused", reason: "SESSION_UNKNOWN", record: null }]);
  }
});

test("heartbeats are written for the session and touch no operation", () => {
  const a = started("a", simple.assign("w1", { guarded: true, begin: true }));
  const decision = run([{ type: "heartbeat", session: "w1" }], { records: [a], open: true });
  assert.deepEqual(decision.sessionsBeaten, [{ session: "w1", heartbeatTime: EPOCH }]);
  assert.deepEqual([decision.updated, decision.events], [[], []]);
});

test("every start, cancel and delete that changes something leaves one audit entry", () => {
  const { audits } = run([
    startCommand(),
    cancelCommand(),
    cancelCommand(),
    simple.remove(),
    simple.remove(),
  ]);
  assert.deepEqual(
    audits.map(({ action, principal, revisionBefore, revisionAfter }) => [
      action,
      principal,
      revisionBefore,
      revisionAfter,
    ]),
    [
      ["start", "alice", 0, 1],
      ["cancel", "bob", 1, 2],
      ["delete", "bob", 2, 3],
    ],
  );
});

test("a request id answers the operation that it made, in one batch and later", () => {
  const requestKey = { method: "Start", requestId: "r1", digest: "d1" };
  const first = { ...startCommand(), requestKey };
  const again = { ...startCommand({ name: "b" }), requestKey };
  const { outcomes, inserted, requestKeys } = run([
    first,
    again,
    { ...again, requestKey: { ...requestKey, digest: "d2" } },
  ]);
  assert.equal(inserted.length, 1);
  assert.equal(requestKeys.length, 1);
  assert.deepEqual(
    outcomes.map((outcome) =>
      outcome.type === "operation" ? outcome.changed : outcome.type === "refused" && outcome.reason,
    ),
    [true, false, "REQUEST_ID_REUSED"],
  );
});

test("the operation of a request id that has been purged is not made again", () => {
  const requestKey = { method: "Start", requestId: "r1", digest: "d1" };
  const { requestKeys } = run([{ ...startCommand(), requestKey }]);
  const known = { ...readSet({}), requestKeys: new Map([["default\ndefault\nStart\nr1", requestKeys[0]!]]) };
  const { outcomes, inserted } = decide(known, [{ ...startCommand({ name: "b" }), requestKey }], EPOCH);
  assert.deepEqual(outcomes, [{ type: "refused", reason: "NOT_FOUND", record: null }]);
  assert.deepEqual(inserted, []);
});

test("payloads are written under the key of their operation", () => {
  const { payloads } = run([{ ...startCommand(), metadata: payload("metadata") }]);
  assert.deepEqual(
    payloads.map(({ name, kind }) => [name, kind]),
    [
      ["operations/a", "request"],
      ["operations/a", "metadata"],
    ],
  );
});
