// Regressions of single transitions, and random walks with a clock that also steps back. Every reachable state is
// searched in tests/simulation, every pair of state and command is in tests/transcripts/edges.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  cancelCommand,
  completeCommand,
  EPOCH,
  failCommand,
  type Holder,
  type PolicyChoice,
  simple,
  startCommand,
  stoppedCommand,
  UNIT,
} from "../testing/sample-operation.ts";
import type {
  CancelStep,
  CompleteCommand,
  FailCommand,
  OperationCommand,
  StoppedCommand,
} from "./commands.ts";
import { noHistory, remember, stepOf, violations } from "./invariants.ts";
import type { OperationRecord } from "./operation.ts";
import { type Transition, transition } from "./transition.ts";

const w1: Holder = { session: "w1", token: 1 };
const lease = simple.assign("w1", { guarded: true, begin: true });

function accepted(record: OperationRecord | null, command: OperationCommand, now = EPOCH): Transition {
  const result = transition(record, command, now);
  if (result.type === "refused") assert.fail(`${command.type} was refused: ${result.reason}`);
  return result;
}

function run(choice: PolicyChoice, ...commands: OperationCommand[]): OperationRecord {
  let { record } = accepted(null, startCommand(choice));
  for (const command of commands) record = accepted(record, command).record;
  return record;
}

test("deleting an operation that is being cancelled is one visible change", () => {
  const before = run({ onDelete: "cancel" }, lease, cancelCommand());
  const { record, effects } = accepted(before, simple.remove());
  assert.equal(record.revision, before.revision + 1);
  assert.equal(record.deleteTime, EPOCH);
  assert.equal(record.cancel, before.cancel);
  assert.deepEqual(effects, { visible: true });
});

test("a failure that ended as cancelled may be reported again", () => {
  const report = failCommand(w1, { code: 1, abortCaused: true });
  const ended = run({}, lease, cancelCommand(), report);
  const again = accepted(ended, report);
  assert.equal(ended.state, "CANCELLED");
  assert.equal(again.record, ended);
  assert.deepEqual(again.reply, { type: "operation", record: ended, changed: false });
});

test("no report gets more than NOT_FOUND from a done operation that was deleted", () => {
  const deleted = run({}, lease, completeCommand(w1), simple.remove());
  for (const report of [completeCommand(w1), failCommand(w1), stoppedCommand(w1), simple.progress(w1)]) {
    const result = transition(deleted, report, EPOCH);
    assert.deepEqual(result, { type: "refused", reason: "NOT_FOUND", record: deleted }, report.type);
  }
});

test("the backoff doubles with each attempt, up to its limit", () => {
  const delays = [1, 2, 3, 4].map((attempt) => {
    const running = { ...run({ maxAttempts: 9, backoffMs: 100, backoffMaxMs: 500 }, lease), attempt };
    return accepted(running, failCommand(w1, { retryable: true })).record.startAfter - EPOCH;
  });
  assert.deepEqual(delays, [100 * UNIT, 200 * UNIT, 400 * UNIT, 500 * UNIT]);
});

test("a drain gives work back without backoff", () => {
  assert.equal(run({ backoffMs: 100 }, lease, simple.release(w1)).startAfter, EPOCH);
});

test("the cancel deadline is grace, critical section, clean-up and kill window, from the request on", () => {
  const { policy } = run({});
  const running = run({}, lease);
  const cancel = { ...policy.cancel, graceMs: 10, criticalMs: 200, cleanupMs: 3000, killMs: 40_000 };
  const asked = accepted({ ...running, policy: { ...policy, cancel } }, cancelCommand()).record.cancel;
  assert.equal(asked?.graceEndTime, EPOCH + 10 * UNIT);
  assert.equal(asked?.deadline, EPOCH + 43_210 * UNIT);
});

test("a shorter grace shortens the deadline with it, a longer one is not taken", () => {
  const cancelling = run({ graceMs: 10 }, lease, cancelCommand());
  const shorter = accepted(cancelling, cancelCommand({ graceMs: 4 }), EPOCH + UNIT).record.cancel;
  assert.equal(shorter?.graceEndTime, EPOCH + 5 * UNIT);
  assert.equal(shorter?.deadline, EPOCH + 6 * UNIT);
  assert.equal(accepted(cancelling, cancelCommand({ graceMs: 11 })).record, cancelling);
});

test("an unconfirmed end says so, in a code that no client retries", () => {
  const { record, effects } = accepted(run({}, lease, cancelCommand()), simple.tick(), EPOCH + 2 * UNIT);
  const error = record.outcome?.kind === "error" ? record.outcome.status : null;
  assert.equal(error?.code, 2);
  assert.match(error?.message ?? "", /^STOP_UNCONFIRMED: .* the work may still be running$/);
  assert.deepEqual(
    effects.receipt?.map((event) => event.kind),
    ["UNCONFIRMED", "ENDED"],
  );
});

interface Draw {
  pick: number;
  session: "w1" | "w2";
  /** How many tokens before the last one. */
  age: number;
  clock: number;
}

const commandMakers: readonly ((holder: Holder) => OperationCommand)[] = [
  () => startCommand(),
  ({ session }) => simple.assign(session, { guarded: session === "w1", begin: false }),
  ({ session }) => simple.assign(session, { guarded: session === "w1", begin: true }),
  simple.begin,
  simple.giveBack,
  simple.release,
  (holder) => simple.progress(holder, 25),
  (holder) => simple.progress(holder, 75),
  simple.checkpoint,
  (holder) => simple.phase(holder, "DELIVERED"),
  (holder) => simple.phase(holder, "ESCALATED"),
  (holder) => completeCommand(holder),
  (holder) => completeCommand(holder, "other"),
  (holder) => failCommand(holder),
  (holder) => failCommand(holder, { retryable: true }),
  (holder) => failCommand(holder, { code: 1, abortCaused: true }),
  (holder) => stoppedCommand(holder),
  (holder) => stoppedCommand(holder, "PROCESS_EXITED"),
  () => cancelCommand(),
  () => cancelCommand({ graceMs: 0, includeDeleted: true }),
  () => simple.remove(),
  ({ session }) => simple.expire(session),
  ({ session }) => simple.expire(session, true),
  () => simple.tick(),
];

const draw: fc.Arbitrary<Draw> = fc.record({
  pick: fc.nat(commandMakers.length - 1),
  session: fc.constantFrom("w1", "w2"),
  age: fc.constantFrom(0, 0, 0, 1),
  clock: fc.integer({ min: -2 * UNIT, max: 2 * UNIT }),
});

const policies: fc.Arbitrary<PolicyChoice> = fc.record({
  maxAttempts: fc.integer({ min: 1, max: 4 }),
  onDelete: fc.constantFrom("keep", "cancel", "refuse"),
  cancellable: fc.constantFrom(true, true, false),
  stallTimeoutMs: fc.constantFrom(0, 2),
  graceMs: fc.integer({ min: 0, max: 3 }),
});

test("any commands in any order, with a clock that also steps back, break no invariant", () => {
  fc.assert(
    fc.property(policies, fc.array(draw, { maxLength: 40 }), (policy, draws) => {
      let record: OperationRecord | null = null;
      let history = noHistory;
      let now = EPOCH;
      const apply = (command: OperationCommand): void => {
        const step = stepOf(record, command, now, transition(record, command, now), history);
        assert.deepEqual(violations(step), [], `${command.type} on ${record?.state ?? "none"}`);
        history = remember(step);
        record = step.after;
      };
      apply(startCommand({ ...policy, deadline: EPOCH + 10 * UNIT }));
      for (const { pick, session, age, clock } of draws) {
        now += clock;
        const token: number = ((record as OperationRecord | null)?.leaseToken ?? 0) - age;
        const make = commandMakers[pick];
        if (make) apply(make({ session, token }));
      }
    }),
    { numRuns: 2000 },
  );
});

const steps = (...agoMs: number[]): readonly CancelStep[] =>
  (["DELIVERED", "ACKNOWLEDGED"] as const).map((phase, index) => ({
    phase,
    detail: "",
    agoMs: agoMs[index] ?? 0,
  }));

const UNTIL = EPOCH + 100 * UNIT;

const ends: readonly [string, CompleteCommand | FailCommand | StoppedCommand, string[]][] = [
  ["stopped", stoppedCommand(w1), ["STOPPED", "ENDED"]],
  ["failed by the abort", failCommand(w1, { abortCaused: true }), ["STOPPED", "ENDED"]],
  ["failed by itself", failCommand(w1), ["ENDED"]],
  ["completed", completeCommand(w1), ["ENDED"]],
];

for (const [how, command, kinds] of ends) {
  test(`steps of a cancel that are told when it ${how} are one change with it, each at its own time`, () => {
    const before = run({}, lease, cancelCommand());
    const { record, effects } = accepted(before, { ...command, steps: steps(30, 20) }, UNTIL);
    assert.equal(record.revision, before.revision + 1);
    assert.deepEqual(
      [record.cancel?.deliverTime, record.cancel?.acknowledgeTime],
      [UNTIL - 30_000, UNTIL - 20_000],
    );
    assert.deepEqual(
      effects.receipt?.map(({ kind, time }) => [kind, time]),
      [
        ["DELIVERED", UNTIL - 30_000],
        ["ACKNOWLEDGED", UNTIL - 20_000],
        ...kinds.map((kind) => [kind, UNTIL]),
      ],
    );
  });
}

test("a step is never before the request, before another step, or after now", () => {
  const before = run({}, lease, cancelCommand());
  const phase = { ...simple.phase(w1, "ESCALATED"), agoMs: -5, steps: steps(5000, 40) };
  const { record } = accepted(before, phase, UNTIL);
  const { deliverTime, acknowledgeTime, escalateTime } = record.cancel ?? {};
  assert.deepEqual([deliverTime, acknowledgeTime, escalateTime], [EPOCH, UNTIL - 40_000, UNTIL]);
  const disordered = accepted(before, { ...simple.phase(w1, "ESCALATED"), steps: steps(10, 40) }, UNTIL);
  assert.equal(disordered.record.cancel?.acknowledgeTime, UNTIL - 10_000);
});

test("steps that are known already are not told again", () => {
  const before = run({}, lease, cancelCommand(), simple.phase(w1, "DELIVERED"));
  const { record, effects } = accepted(before, { ...stoppedCommand(w1), steps: steps(2, 1) }, UNTIL);
  assert.equal(record.cancel?.deliverTime, EPOCH);
  assert.deepEqual(
    effects.receipt?.map(({ kind }) => kind),
    ["ACKNOWLEDGED", "STOPPED", "ENDED"],
  );
  const repeated = { ...simple.phase(w1, "DELIVERED"), steps: steps(2).slice(0, 1) };
  assert.equal(accepted(before, repeated).record, before);
});

test("steps without a cancel count for nothing", () => {
  const { record, effects } = accepted(run({}, lease), { ...completeCommand(w1), steps: steps(2, 1) });
  assert.equal(record.cancel, null);
  assert.deepEqual(effects.receipt, []);
});

test("what went wrong with the clean-up of stopped work is on the receipt", () => {
  const before = run({}, lease, cancelCommand());
  const report = { ...failCommand(w1, { abortCaused: true }), cleanUp: "the clean-up failed: disk gone" };
  const { record, effects } = accepted(before, report, UNTIL);
  assert.equal(record.state, "CANCELLED");
  const stop = effects.receipt?.find(({ kind }) => kind === "STOPPED");
  assert.equal(stop?.detail, "HANDLER_STOPPED by SIGNAL; the clean-up failed: disk gone");
});
