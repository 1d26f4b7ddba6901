// Batches told as stories over the real `decide`: parents and children, superseding, slots, sessions and watchers. What the
// searches visit by the thousand is here once, with the lines of the receipts.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Command, CommandOutcome, OpenSessionCommand } from "../../src/engine/commands.ts";
import type { Decision } from "../../src/engine/decision.ts";
import { commitViolations, type Rows, sweepCommitViolations } from "../../src/engine/invariants.ts";
import type { OperationRecord } from "../../src/engine/operation.ts";
import {
  cancelCommand,
  completeCommand,
  EPOCH,
  type StartChoice,
  sampleKey,
  simple,
  startCommand,
  stoppedCommand,
  UNIT,
} from "../../src/testing/sample-operation.ts";
import { Ledger } from "./ledger.ts";

function rowsOf({ operations, slots }: Ledger): Rows {
  return { operations: [...operations.values()], slots };
}

class Story {
  ledger = new Ledger();
  now = EPOCH;
  last: Decision | null = null;

  run(...commands: Command[]): CommandOutcome {
    const { decision, next } = this.ledger.commit(commands, this.now);
    const broken = commitViolations(rowsOf(this.ledger), rowsOf(next));
    const [first] = decision.outcomes;
    if (commands.length === 1 && commands[0]?.type === "sweepChildren" && first?.type === "settled")
      broken.push(...sweepCommitViolations(rowsOf(this.ledger), rowsOf(next), first.count));
    assert.deepEqual(broken, []);
    this.ledger = next;
    this.last = decision;
    return decision.outcomes.at(-1) as CommandOutcome;
  }

  get(name: string): OperationRecord {
    const record = this.ledger.find(sampleKey(name));
    assert.ok(record, name);
    return record;
  }

  /** Starts it, and lets `session` run it. */
  running(name: string, choice: StartChoice = {}, session = "w1"): { session: string; token: number } {
    this.run(startCommand({ name, ...calm, ...choice }));
    return this.lease(name, session);
  }

  lease(name: string, session = "w1"): { session: string; token: number } {
    this.run(simple.assign(session, { guarded: session === "w1", begin: true }, name));
    const { lease } = this.get(name);
    assert.ok(lease?.begun, `${name} has no lease`);
    return { session, token: lease.token };
  }

  /** The lines that the last batch wrote to a receipt. */
  receipt(name: string): string[] {
    const lines = (this.last?.receipts ?? []).filter((line) => line.name === `operations/${name}`);
    return lines.map(({ event }) => `${event.kind} ${event.detail}`.trim());
  }
}

const calm = { stallTimeoutMs: 0, attemptTimeoutMs: 100 };
const sweep: Command = { type: "sweepChildren", limit: 100 };

function childOf(
  parent: string,
  holder: { session: string; token: number },
  policy: "cancel" | "abandon" | "wait" = "cancel",
): Pick<StartChoice, "parentAttempt"> {
  return { parentAttempt: { key: sampleKey(parent), ...holder, policy } };
}

function said(outcome: CommandOutcome): string {
  if (outcome.type === "refused") return outcome.reason;
  return outcome.type === "operation" ? String(outcome.changed) : outcome.type;
}

test("a cancelled parent ends after its children, and its receipt tells of them", () => {
  const story = new Story();
  const p = story.running("p");
  const c = story.running("c", childOf("p", p));
  story.run(cancelCommand({ name: "p" }));
  story.run(sweep);
  assert.deepEqual(story.receipt("p"), ["CHILD operations/c told to stop"]);
  assert.deepEqual(story.receipt("c"), ["REQUESTED parent operations/p was cancelled: no longer needed"]);
  assert.equal(story.get("c").cancel?.requestedBy, "bob");
  story.run(stoppedCommand(p, "HANDLER_STOPPED", "p"));
  assert.deepEqual([story.get("p").state, story.get("p").lease], ["CANCELLING", null]);
  story.run(stoppedCommand(c, "PROCESS_EXITED", "c"));
  assert.equal(story.get("c").state, "CANCELLED");
  assert.equal(story.get("p").state, "CANCELLED");
  assert.deepEqual(story.receipt("p"), ["CHILD operations/c ended CANCELLED", "ENDED CANCELLED"]);
});

test("a child is its parent's creator's, and an abandoned one is neither told nor awaited", () => {
  const story = new Story();
  const p = story.running("p");
  story.running("c", childOf("p", p, "abandon"));
  assert.equal(story.get("c").createdBy, story.get("p").createdBy);
  story.run(cancelCommand({ name: "p" }));
  assert.deepEqual(story.run(sweep), { type: "settled", count: 0 });
  story.run(stoppedCommand(p, "HANDLER_STOPPED", "p"));
  assert.deepEqual([story.get("p").state, story.get("c").state], ["CANCELLED", "RUNNING"]);
});

test("a parent whose child is unconfirmed does not claim CANCELLED, and learns of late evidence", () => {
  const story = new Story();
  const p = story.running("p");
  const c = story.running("c", childOf("p", p), "w2");
  story.run(cancelCommand({ name: "p" }));
  story.run(sweep);
  story.run(stoppedCommand(p, "HANDLER_STOPPED", "p"));
  story.run(simple.expire("w2", false, "c"));
  const { state, outcome, children } = story.get("p");
  assert.deepEqual(
    [state, outcome?.kind === "error" && outcome.status.code, children?.unconfirmed],
    ["FAILED", 2, 1],
  );
  assert.match(outcome?.kind === "error" ? outcome.status.message : "", /STOP_UNCONFIRMED: .*operations\/c/);
  story.run(stoppedCommand(c, "PROCESS_EXITED", "c"));
  assert.deepEqual(story.receipt("p"), [
    "CHILD operations/c is known to have stopped, after all",
    "CONFIRMED_LATER all children have stopped",
  ]);
  assert.deepEqual(
    [story.get("p").children?.unconfirmed, story.get("p").cancel?.stopConfirmedTime],
    [0, EPOCH],
  );
  assert.equal(story.get("p").state, "FAILED");
});

test("an end as STOP_UNCONFIRMED names up to three of its children, whichever ended last", () => {
  const story = new Story();
  const p = story.running("p");
  for (const name of ["a", "b", "c", "d", "e"]) story.running(name, childOf("p", p), "w2");
  const [, second] = ["a", "b"].map((name) => ({ session: "w2", token: story.get(name).leaseToken }));
  story.run(cancelCommand({ name: "p" }));
  story.run(sweep);
  story.run(stoppedCommand(p, "HANDLER_STOPPED", "p"));
  for (const name of ["a", "b", "c"]) story.run(simple.expire("w2", false, name));
  assert.ok(second);
  story.run(stoppedCommand(second, "PROCESS_EXITED", "b"));
  for (const name of ["d", "e"]) story.run(simple.expire("w2", false, name));
  const { outcome, children } = story.get("p");
  assert.deepEqual(
    children?.unconfirmedNames,
    ["a", "c", "d"].map((name) => `operations/${name}`),
  );
  assert.match(
    outcome?.kind === "error" ? outcome.status.message : "",
    /4 of its children .*\(operations\/a, operations\/c, operations\/d, and 1 more\)/,
  );
});

test("a grandparent waits for the children of a child that finished", () => {
  const story = new Story();
  const p = story.running("p");
  const c = story.running("c", childOf("p", p));
  const g = story.running("g", childOf("c", c));
  story.run(cancelCommand({ name: "p" }), stoppedCommand(p, "HANDLER_STOPPED", "p"));
  story.run(completeCommand(c, "done", "c"));
  assert.deepEqual([story.get("c").state, story.get("p").state], ["SUCCEEDED", "CANCELLING"]);
  story.run(sweep);
  story.run(stoppedCommand(g, "HANDLER_STOPPED", "g"));
  assert.equal(story.get("p").state, "CANCELLED");
});

test("the cancel deadline of a parent is the longest of its descendants", () => {
  const story = new Story();
  const p = story.running("p");
  const c = story.running("c", childOf("p", p));
  story.running("g", { ...childOf("c", c), graceMs: 50 });
  story.run(cancelCommand({ name: "p", force: true }));
  assert.equal(story.get("p").cancel?.deadline, EPOCH + 51 * UNIT);
});

test("force on a parent that is being cancelled reaches its children and theirs, whenever it comes", () => {
  const story = new Story();
  const gentle = { graceMs: 50 };
  const p = story.running("p", gentle);
  const c = story.running("c", { ...gentle, ...childOf("p", p) });
  story.running("g", { ...gentle, ...childOf("c", c) });
  story.run(cancelCommand({ name: "p" }));
  story.run(sweep);
  story.run(sweep);
  assert.deepEqual([story.get("g").cancel?.force, story.run(sweep)], [false, { type: "settled", count: 0 }]);
  story.now += 2 * UNIT;
  story.run(cancelCommand({ name: "p", force: true }));
  assert.deepEqual(story.run(sweep), { type: "settled", count: 1 });
  assert.deepEqual(story.receipt("c"), ["REPEATED force: parent operations/p is stopped by force"]);
  assert.deepEqual(story.receipt("p"), ["CHILD operations/c told to stop by force"]);
  assert.deepEqual(story.run(sweep), { type: "settled", count: 1 });
  assert.deepEqual(story.run(sweep), { type: "settled", count: 0 });
  for (const name of ["c", "g"]) {
    const { cancel } = story.get(name);
    assert.deepEqual([cancel?.force, cancel?.graceEndTime, cancel?.cause], [true, story.now, "parent"]);
  }
  assert.ok((story.get("g").cancel?.deadline ?? 0) < EPOCH + 50 * UNIT, "its deadline was not shortened");
});

test("force finds children that were being cancelled before their parent, and leaves those that others want", () => {
  const story = new Story();
  const gentle = { graceMs: 50 };
  const shared = { requestKey: { method: "Start", requestId: "s", digest: "d" }, shared: true };
  const [p, q] = [story.running("p", gentle), story.running("q", gentle)];
  story.running("c", { ...gentle, ...childOf("p", p) });
  story.running("s", { ...gentle, ...shared, ...childOf("p", p) });
  story.run(startCommand({ name: "s2", ...calm, ...gentle, ...shared, ...childOf("q", q) }));
  story.run(cancelCommand({ name: "c" }), cancelCommand({ name: "s" }));
  story.run(cancelCommand({ name: "p", force: true }));
  assert.deepEqual(story.run(sweep), { type: "settled", count: 2 });
  assert.deepEqual([story.get("c").cancel?.force, story.get("s").cancel?.force], [true, false]);
  assert.deepEqual(
    story.get("s").parents.map(({ detached }) => detached),
    [true, false],
  );
  assert.deepEqual(story.run(sweep), { type: "settled", count: 0 });
});

test("a grace that a caller made shorter is passed on, and nobody's is made longer", () => {
  const story = new Story();
  const p = story.running("p", { graceMs: 50 });
  const c = story.running("c", { graceMs: 80, ...childOf("p", p) });
  story.running("d", { graceMs: 5, ...childOf("p", p) });
  story.running("g", { graceMs: 90, ...childOf("c", c) });
  story.run(cancelCommand({ name: "p" }));
  story.run(sweep);
  story.run(sweep);
  const endsOf = (...names: string[]): number[] =>
    names.map((name) => ((story.get(name).cancel?.graceEndTime ?? 0) - EPOCH) / UNIT);
  assert.deepEqual(endsOf("p", "c", "d", "g"), [50, 80, 5, 90]);
  story.now += 2 * UNIT;
  story.run(cancelCommand({ name: "p", graceMs: 10 }));
  // The sweep comes late, when the grace is over: then it is over for all.
  story.now += 20 * UNIT;
  story.run(sweep);
  assert.deepEqual(story.receipt("c"), [
    "REPEATED grace shortened: the grace of parent operations/p is shorter",
  ]);
  story.run(sweep);
  assert.deepEqual(story.run(sweep), { type: "settled", count: 0 });
  assert.deepEqual(endsOf("p", "c", "d", "g"), [12, 12, 5, 12]);
  assert.ok((story.get("c").cancel?.deadline ?? 0) >= story.now, "no time is left to end it");
});

test("a grace that a caller chose at once holds for the children, too", () => {
  const story = new Story();
  const p = story.running("p", { graceMs: 50 });
  story.running("c", { graceMs: 80, ...childOf("p", p) });
  story.run(cancelCommand({ name: "p", graceMs: 10 }));
  story.now += 3 * UNIT;
  story.run(sweep);
  assert.equal(story.get("c").cancel?.graceEndTime, EPOCH + 10 * UNIT);
  assert.deepEqual(story.run(sweep), { type: "settled", count: 0 });
});

test("force waits for no critical section, and shortens a deadline that counted on one", () => {
  const story = new Story();
  for (const name of ["a", "b"]) story.running(name, { graceMs: 5, criticalMs: 20 });
  story.run(cancelCommand({ name: "a" }), cancelCommand({ name: "b", force: true }));
  assert.equal(story.get("a").cancel?.deadline, EPOCH + 26 * UNIT);
  story.run(cancelCommand({ name: "a", force: true }));
  for (const name of ["a", "b"]) {
    const { graceEndTime, deadline } = story.get(name).cancel ?? {};
    assert.deepEqual([graceEndTime, deadline], [EPOCH, EPOCH + UNIT]);
  }
});

test("no child starts under a closed parent, or from an attempt that is not its own any more", () => {
  const story = new Story();
  const p = story.running("p");
  const start = (name: string, token = p.token): Command =>
    startCommand({ name, ...childOf("p", { session: "w1", token }) });
  assert.equal(said(story.run(start("c", 0))), "LEASE_LOST");
  story.run(cancelCommand({ name: "p" }));
  assert.equal(said(story.run(start("c"))), "PARENT_CLOSED");
  story.run(completeCommand(p, "done", "p"));
  assert.equal(said(story.run(start("c"))), "PARENT_CLOSED");
});

test("a parent takes a thousand children, families have sixteen generations, and none is above itself", () => {
  const story = new Story();
  const p = story.running("p");
  const parent = story.get("p");
  const full = { ...parent, children: { started: 1000, awaited: 0, unconfirmed: 0, stopMs: 0 } };
  const rows = new Map(story.ledger.operations).set("default\ndefault\noperations/p", full);
  const start = startCommand({ name: "c", ...childOf("p", p) });
  assert.equal(
    said(new Ledger({ ...story.ledger, operations: rows }).commit([start], EPOCH).decision.outcomes[0]!),
    "CHILD_LIMIT",
  );
  let holder = p;
  let above = "p";
  const shared = { requestKey: { method: "Start", requestId: "top", digest: "d" }, shared: true };
  const top = new Story();
  holder = top.running("p", { requestKey: shared.requestKey });
  for (let generation = 2; generation <= 16; generation++) {
    const name = `g${generation}`;
    holder = top.running(name, childOf(above, holder));
    above = name;
  }
  assert.equal(said(top.run(startCommand({ name: "g17", ...childOf(above, holder) }))), "CHILD_LIMIT");
  const second = { session: "w1", token: top.get("g2").leaseToken };
  assert.equal(
    said(top.run(startCommand({ name: "x", ...shared, ...childOf("g2", second) }))),
    "CHILD_LIMIT",
  );
});

test("a child shared by two parents is left to the other, and stopped with the last", () => {
  const story = new Story();
  const [p, q] = [story.running("p"), story.running("q")];
  const requestKey = { method: "Start", requestId: "c", digest: "d" };
  const shared = { shared: true, requestKey, ...calm };
  assert.equal(said(story.run(startCommand({ name: "c", ...shared, ...childOf("p", p) }))), "true");
  assert.equal(said(story.run(startCommand({ name: "d", ...shared, ...childOf("q", q) }))), "false");
  story.lease("c");
  story.run(cancelCommand({ name: "p" }));
  story.run(sweep);
  assert.deepEqual(story.receipt("p"), ["CHILD operations/c left alone: others want it"]);
  assert.deepEqual([story.get("p").children?.awaited, story.get("c").state], [0, "RUNNING"]);
  story.run(cancelCommand({ name: "q" }));
  story.run(sweep);
  assert.equal(story.get("c").cancel?.cause, "parent");
});

test("a repeated start of a child answers it again after the parent was cancelled; another parent must say shared", () => {
  const story = new Story();
  const [p, q] = [story.running("p"), story.running("q")];
  const requestKey = { method: "Start", requestId: "c", digest: "d" };
  const start = startCommand({ name: "c", requestKey, ...childOf("p", p) });
  story.run(start);
  story.run(cancelCommand({ name: "p" }));
  assert.equal(said(story.run({ ...start, key: sampleKey("d") })), "false");
  assert.equal(
    said(story.run(startCommand({ name: "d", requestKey, ...childOf("q", q) }))),
    "REQUEST_ID_REUSED",
  );
});

test("a newer operation of the same key ends the older ones, whatever their type lets callers do", () => {
  const story = new Story();
  story.running("a", { supersedeKey: "page", cancellable: false });
  story.run(startCommand({ name: "b", supersedeKey: "page" }));
  story.run(
    startCommand({ name: "c", supersedeKey: "page" }),
    startCommand({ name: "d", supersedeKey: "page" }),
  );
  const ends = ["a", "b", "c", "d"].map((name) => [story.get(name).state, story.get(name).cancel?.reason]);
  assert.deepEqual(ends, [
    ["CANCELLING", "superseded by operations/b"],
    ["CANCELLED", "superseded by operations/c"],
    ["CANCELLED", "superseded by operations/d"],
    ["PENDING", undefined],
  ]);
  assert.deepEqual(
    story.last?.audits.map(({ action }) => action),
    ["start", "start"],
  );
});

test("a newer operation reaches nothing of another parent by the same key", () => {
  const story = new Story();
  const keyed = (name: string, parent: string): Command => {
    return { ...startCommand({ name, supersedeKey: "page" }), parent };
  };
  story.run(keyed("a", "projects/p"));
  story.run(keyed("b", "projects/q"), keyed("c", "projects/p"));
  assert.deepEqual(
    ["a", "b", "c"].map((name) => story.get(name).state),
    ["CANCELLED", "PENDING", "PENDING"],
  );
});

const open = (session: string, leaseMs = 10): OpenSessionCommand => ({
  type: "openSession",
  session,
  kind: "remote",
  worker: session,
  build: "",
  principal: "",
  types: ["test.work"],
  slots: 2,
  guarded: true,
  bootId: "boot",
  leaseMs,
});

test("acquire passes over what has no slot left, takes the highest priority first, and a freed slot is used again", () => {
  const story = new Story();
  story.run(open("w1"));
  const limited = { ...calm, typeLimit: 2, keyLimit: 1, concurrencyKey: "k" };
  story.run(startCommand({ name: "a", ...limited }), startCommand({ name: "b", ...limited, priority: 5 }));
  story.run(startCommand({ name: "c", ...calm }));
  const acquire = { type: "acquire", session: "w1", types: ["test.work"], limit: 2, guarded: true } as const;
  const outcome = story.run({ ...acquire, begin: false });
  const names = outcome.type === "granted" ? outcome.grants.map(({ record }) => record.name) : [];
  assert.deepEqual(names, ["operations/b", "operations/c"]);
  assert.deepEqual(
    story.last?.slots.map(({ concurrencyKey, used }) => [concurrencyKey, used]),
    [
      ["", 1],
      ["k", 1],
    ],
  );
  assert.equal(said(story.run(simple.assign("w2", { guarded: true, begin: true }, "a"))), "NOT_RUNNABLE");
  story.run(simple.giveBack({ session: "w1", token: 1 }, "b"));
  assert.equal(said(story.run(simple.assign("w2", { guarded: true, begin: true }, "a"))), "true");
});

test("a lease that has passed frees what was only reserved, and a heartbeat of the same batch keeps its session", () => {
  const story = new Story();
  story.run(open("w1", 2), open("w2", 2), startCommand({ name: "a", ...calm, maxAttempts: 1 }));
  story.run(simple.assign("w1", { guarded: true, begin: false }, "a"));
  story.now += 2 * UNIT;
  const outcome = story.run({ type: "heartbeat", session: "w2" }, { type: "expireSessions", limit: 10 });
  assert.deepEqual(outcome, { type: "settled", count: 1 });
  assert.deepEqual(story.last?.sessionsClosed, ["w1"]);
  const { state, attempt, lease } = story.get("a");
  assert.deepEqual([state, attempt, lease], ["PENDING", 0, null]);
});

test("a cancel of reserved work ends it at once, and its begin comes too late", () => {
  const story = new Story();
  story.run(startCommand());
  story.run(simple.assign("w1", { guarded: true, begin: false }));
  const outcome = story.run(cancelCommand());
  assert.equal(outcome.type === "cancel" && outcome.verdict, "PREVENTED_START");
  assert.equal(said(story.run(simple.begin({ session: "w1", token: 1 }))), "ALREADY_DONE");
});

test("an override frees the slot, says who said so, and is audited", () => {
  const story = new Story();
  const a = story.running("a", { typeLimit: 1, maxAttempts: 1 });
  assert.equal(said(story.run(simple.override())), "NOT_HELD");
  story.run(cancelCommand());
  story.run(simple.expire("w1", true));
  assert.equal(story.get("a").held?.session, "w1");
  story.run(simple.override());
  assert.deepEqual(story.receipt("a"), ["OVERRIDDEN the machine is gone"]);
  assert.deepEqual(
    [story.get("a").cancel?.evidence, story.get("a").cancel?.mechanism, story.get("a").held],
    ["OPERATOR", "OVERRIDE", null],
  );
  assert.deepEqual(
    story.last?.slots.map(({ used }) => used),
    [0],
  );
  assert.deepEqual(
    story.last?.audits.map(({ action, principal }) => [action, principal]),
    [["override", "carol"]],
  );
  assert.equal(said(story.run(stoppedCommand(a))), "ALREADY_DONE");
});

test("operations that nobody could watch get their whole time again", () => {
  const story = new Story();
  story.run(startCommand({ name: "a", unwatchedMs: 5 }), startCommand({ name: "b", unwatchedMs: 50 }));
  story.now += 10 * UNIT;
  assert.deepEqual(story.run({ type: "restartWatch", before: story.now, limit: 10 }), {
    type: "settled",
    count: 1,
  });
  assert.equal(story.get("a").watchDeadline, story.now + 5 * UNIT);
  story.now += 5 * UNIT;
  story.run({ type: "tickDue", limit: 10 });
  assert.deepEqual([story.get("a").state, story.get("a").cancel?.cause], ["CANCELLED", "unwatched"]);
  assert.equal(story.get("b").state, "PENDING");
});
