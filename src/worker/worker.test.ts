// The worker with inline handlers: what it reports, when, and what it does about aborts. Time is real and short.
import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate as turnOfTimers } from "node:timers/promises";
import { isDeepStrictEqual } from "node:util";
import type { OperationAborted } from "../base/abort-reasons.ts";
import { monotonicMs } from "../base/clock.ts";
import { createLogger } from "../base/logger.ts";
import { RpcError } from "../base/rpc-error.ts";
import type { JsonObject, ReportOutcome, WorkerReport } from "../protocol/worker-connection.ts";
import { eventually } from "../testing/eventually.ts";
import { RecordingConnection } from "../testing/recording-connection.ts";
import { startTestWorker } from "../testing/test-worker.ts";
import {
  createWorker,
  defineOperation,
  type OperationContext,
  type OperationDefinition,
  RetryableError,
} from "./worker.ts";

const evidence = "HANDLER_STOPPED";

/** A promise that the test settles. */
function gate<T = void>(): { opened: Promise<T>; open(value: T): void } {
  const { promise: opened, resolve: open } = Promise.withResolvers<T>();
  return { opened, open };
}

/** Rejects with the signal's reason, as every API that takes a signal does. */
function untilAborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) =>
    signal.addEventListener("abort", () => reject(signal.reason), { once: true }),
  );
}

const waits = defineOperation({ type: "waits" }, ({ signal }) => untilAborted(signal));

/** An operation whose context the test gets hold of, and that ends when the test says so. */
function held(): {
  definition: OperationDefinition;
  context: Promise<OperationContext>;
  end(response?: JsonObject): void;
} {
  const context = gate<OperationContext>();
  const end = gate<JsonObject | undefined>();
  const definition = defineOperation({ type: "held" }, (given) => {
    context.open(given);
    return end.opened;
  });
  return { definition, context: context.opened, end: (response) => end.open(response) };
}

test("a handler gets its input and facts, and its response is reported", async (t) => {
  const echo = defineOperation({ type: "echo" }, async (context, input) => {
    const { name, type, attempt, createdBy, checkpointed } = context;
    return { input, facts: { name, type, attempt, createdBy, checkpointed } };
  });
  const { connection } = await startTestWorker(t, [echo]);
  assert.deepEqual(connection.hello?.types, ["echo"]);
  const assignment = connection.assign(
    "echo",
    { a: 1 },
    { attempt: 3, createdBy: "ann", checkpoint: { page: 2 } },
  );
  const end = await connection.endOf(assignment);
  assert.ok(end.type === "complete");
  const facts = {
    name: assignment.name,
    type: "echo",
    attempt: 3,
    createdBy: "ann",
    checkpointed: { page: 2 },
  };
  assert.deepEqual(end.response, { input: { a: 1 }, facts });
  await eventually("the slot is free", () => connection.slotsFreed === 1);
});

test("a thrown error fails the attempt; a RetryableError may run again", async (t) => {
  const fails = defineOperation({ type: "fails" }, async () => {
    throw Object.assign(new Error("no such page"), { code: 1 });
  });
  const retries = defineOperation({ type: "retries" }, () => {
    throw new RetryableError("busy"); // thrown, not rejected: the same
  });
  const { connection } = await startTestWorker(t, [fails, retries]);
  const failed = await connection.endOf(connection.assign("fails"));
  const fail = { type: "fail", abortCaused: false, evidence, mechanism: "NONE" } as const;
  assert.deepEqual(failed, {
    ...fail,
    attempt: failed.attempt,
    error: { code: 2, message: "no such page" },
    retryable: false,
  });
  const retried = await connection.endOf(connection.assign("retries"));
  assert.deepEqual(retried, {
    ...fail,
    attempt: retried.attempt,
    error: { code: 2, message: "busy" },
    retryable: true,
  });
});

test("a type that the worker does not serve fails with UNIMPLEMENTED", async (t) => {
  const { connection } = await startTestWorker(t, [waits]);
  const end = await connection.endOf(connection.assign("other"));
  assert.ok(end.type === "fail" && end.error.code === 12 && !end.retryable);
});

test("a cancel is delivered, acknowledged, and its reason thrown counts as stopped by it", async (t) => {
  let reason: OperationAborted | undefined;
  const sees = defineOperation({ type: "sees" }, async ({ signal }) => {
    await untilAborted(signal).catch((error) => {
      reason = error;
      throw new Error("stopping", { cause: error });
    });
    return undefined;
  });
  const { connection } = await startTestWorker(t, [sees]);
  const assignment = connection.assign("sees");
  await undefined;
  connection.cancel(assignment, { reason: "wrong file", requestedBy: "ann", graceMs: 5000 });
  const end = await connection.endOf(assignment);
  assert.deepEqual(connection.phasesOf(assignment), ["DELIVERED", "ACKNOWLEDGED"]);
  assert.deepEqual(connection.reportsOf(assignment, "cancelPhase"), []); // told with the end, in one change
  assert.ok(end.type === "fail");
  const { steps = [], ...rest } = end;
  assert.equal(steps.length, 2);
  assert.deepEqual(rest, {
    type: "fail",
    attempt: end.attempt,
    error: { code: 1, message: "stopping" },
    retryable: false,
    abortCaused: true,
    evidence,
    mechanism: "SIGNAL",
  });
  assert.equal(reason?.kind, "cancel");
  assert.equal(reason?.reason, "wrong file");
  assert.equal(reason?.requestedBy, "ann");
  assert.equal(reason?.graceMs, 5000);
});

test("the signal fires in the same turn as the cancel notice", async (t) => {
  const { definition, context, end } = held();
  const { connection } = await startTestWorker(t, [definition]);
  const assignment = connection.assign("held");
  const { signal } = await context;
  connection.cancel(assignment);
  assert.equal(signal.aborted, true);
  end();
});

test("the steps of a stop that takes its time are told together, while it goes on", async (t) => {
  const gate = Promise.withResolvers<undefined>();
  const slow = defineOperation({ type: "slow" }, () => gate.promise);
  const { connection } = await startTestWorker(t, [slow]);
  const assignment = connection.assign("slow");
  await undefined;
  connection.cancel(assignment, { graceMs: 5000 });
  const told = await eventually(
    "the steps are told",
    () => connection.reportsOf(assignment, "cancelPhase")[0],
  );
  assert.equal(told.phase, "ACKNOWLEDGED");
  assert.deepEqual(
    told.steps?.map(({ phase }) => phase),
    ["DELIVERED"],
  );
  assert.ok((told.steps?.[0]?.atMs ?? 0) <= told.atMs);
  gate.resolve(undefined);
  const end = await connection.endOf(assignment);
  assert.ok(end.type === "complete" && end.steps === undefined);
});

test("a deadline aborts with its own reason and code", async (t) => {
  const { connection } = await startTestWorker(t, [waits]);
  const assignment = connection.assign("waits");
  connection.cancel(assignment, { cause: "deadline" });
  const end = await connection.endOf(assignment);
  assert.ok(end.type === "fail" && end.abortCaused && end.error.code === 4);
});

test("work that finishes after the abort is complete", async (t) => {
  const { definition, context, end } = held();
  const { connection } = await startTestWorker(t, [definition]);
  const assignment = connection.assign("held");
  await context;
  connection.cancel(assignment);
  end({ pages: 3 });
  const report = await connection.endOf(assignment);
  assert.deepEqual(report.type === "complete" && report.response, { pages: 3 });
});

test("a cancel that comes with the assignment keeps the handler from beginning", async (t) => {
  let began = false;
  const begins = defineOperation({ type: "begins" }, async () => {
    began = true;
    return undefined;
  });
  const { connection } = await startTestWorker(t, [begins]);
  const assignment = connection.assign("begins");
  connection.cancel(assignment);
  const end = await connection.endOf(assignment);
  assert.ok(end.type === "fail" && end.abortCaused);
  assert.equal(began, false);
});

test("a repeated cancel reports nothing again and can only shorten the grace", async (t) => {
  const { definition, context, end } = held();
  const { connection } = await startTestWorker(t, [definition]);
  const assignment = connection.assign("held");
  await context;
  connection.cancel(assignment, { graceMs: 60_000 });
  connection.cancel(assignment, { graceMs: 20 });
  connection.cancel(assignment, { graceMs: 60_000 });
  await eventually("escalated", () => connection.phasesOf(assignment).includes("ESCALATED"));
  assert.deepEqual(connection.phasesOf(assignment), ["DELIVERED", "ACKNOWLEDGED", "ESCALATED"]);
  end();
});

test("a handler that ignores its signal keeps its slot and every other until it ends, and then says so", async (t) => {
  const { definition, context, end } = held();
  const quick = defineOperation({ type: "quick" }, async () => undefined);
  const { connection } = await startTestWorker(t, [definition, quick]);
  // The server ends it unconfirmed at the cancel's deadline; the late report is then answered ALREADY_DONE.
  connection.answer = (report) => {
    const isLate = report.type === "complete" && isDeepStrictEqual(report.response, { late: true });
    return isLate ? "ALREADY_DONE" : "accepted";
  };
  const stuck = connection.assign("held");
  await context;
  connection.cancel(stuck, { graceMs: 0, deadlineMs: 30 });
  await eventually("escalated", () => connection.phasesOf(stuck).includes("ESCALATED"));
  const [escalated] = connection.reportsOf(stuck, "cancelPhase").filter(({ phase }) => phase === "ESCALATED");
  assert.match(
    escalated!.detail,
    /^ignoring the signal for \d+\.\d s: an inline handler cannot be stopped by force$/,
  );
  const stillServed = await connection.endOf(await laterThan(30, () => connection.assign("quick")));
  assert.equal(stillServed.type, "complete"); // its other work goes on
  assert.equal(connection.slotsFreed, 0);
  end({ late: true });
  await eventually("late evidence", () => connection.reportsOf(stuck, "stopped").length === 1);
  await eventually("both slots are free", () => connection.slotsFreed === 2);
});

/** Asks once the monotonic clock has moved on by `ms`: the stuck timer that was started before has fired then. */
async function laterThan<T>(ms: number, ask: () => T): Promise<T> {
  const from = monotonicMs();
  await eventually(`${ms} ms have passed`, () => monotonicMs() > from + ms);
  await turnOfTimers(); // on a busy machine the probe's timer is the first of several that are due
  return ask();
}

test("checkpoint resolves only when the server has it, and one that nobody awaits is stored before the end", async (t) => {
  const answer = gate<ReportOutcome>();
  const order: string[] = [];
  const saves = defineOperation({ type: "saves" }, async (context) => {
    await context.checkpoint({ page: 1 });
    order.push("resolved");
    void context.checkpoint({ page: 2 });
    return undefined;
  });
  const { connection } = await startTestWorker(t, [saves]);
  connection.answer = (report) => {
    order.push(report.type);
    const isFirst = report.type === "checkpoint" && isDeepStrictEqual(report.checkpoint, { page: 1 });
    return isFirst ? answer.opened : "accepted";
  };
  const assignment = connection.assign("saves");
  await eventually("the checkpoint is sent", () => order.length === 1);
  order.push("stored");
  answer.open("accepted");
  await connection.endOf(assignment);
  assert.deepEqual(order, ["checkpoint", "stored", "resolved", "checkpoint", "complete"]);
});

test("a checkpoint that cannot be stored rejects: too large, refused by the server, or after the end", async (t) => {
  const { definition, context, end } = held();
  const { connection } = await startTestWorker(t, [definition]);
  connection.answer = (report) => {
    if (report.type === "checkpoint")
      throw new RpcError("PAYLOAD_TOO_LARGE", { field: "checkpoint", size: 9, limit: 8 });
    return "accepted";
  };
  const assignment = connection.assign("held");
  const { checkpoint, signal } = await context;
  await assert.rejects(checkpoint({ text: "x".repeat(300_000) }), { reason: "PAYLOAD_TOO_LARGE" });
  await assert.rejects(checkpoint({ text: "x" }), { name: "ReportRefused" });
  assert.equal(signal.aborted, false);
  end();
  await connection.endOf(assignment);
  await assert.rejects(checkpoint({ late: true }), /the attempt is over/);
});

test("progress is merged: one report in flight, 100 ms apart, the last value wins, the rest before the end", async (t) => {
  const { definition, context, end } = held();
  const { connection } = await startTestWorker(t, [definition]);
  let inFlight = 0;
  let mostInFlight = 0;
  const times: number[] = [];
  const first = gate<ReportOutcome>();
  connection.answer = async (report): Promise<ReportOutcome> => {
    if (report.type !== "progress") return "accepted";
    times.push(monotonicMs());
    mostInFlight = Math.max(mostInFlight, ++inFlight);
    if (times.length === 1) await first.opened;
    inFlight--;
    return "accepted";
  };
  const assignment = connection.assign("held");
  const { progress } = await context;
  const percents = () => connection.reportsOf(assignment, "progress").map((report) => report.percent);
  for (let percent = 1; percent <= 50; percent++) progress(percent, `page ${percent}`);
  first.open("accepted");
  await eventually("the last of the burst", () => percents().length === 2);
  assert.deepEqual(percents(), [1, 50]);
  assert.equal(mostInFlight, 1);
  // The worker sends them 100 ms apart; the first may reach this end some milliseconds late, the second at once.
  assert.ok(times[1]! - times[0]! >= 80, `${times[1]! - times[0]!} ms apart`);
  progress(-5);
  progress(700);
  assert.throws(() => progress(Number.NaN), new TypeError("progress NaN is not a number from 0 to 100"));
  end();
  await connection.endOf(assignment);
  assert.deepEqual(percents(), [1, 50, 100]);
});

test("a report whose answer is lost is sent again until the server knows", async (t) => {
  const quick = defineOperation({ type: "quick" }, async () => ({ ok: true }));
  const { connection } = await startTestWorker(t, [quick]);
  let lost = 0;
  connection.answer = () => {
    if (lost++ < 3) throw new RpcError("STORAGE_UNAVAILABLE");
    return "accepted";
  };
  const end = await connection.endOf(connection.assign("quick"));
  assert.equal(end.type, "complete");
  assert.equal(lost, 4);
});

test("a response that the server refuses fails the operation instead of hanging it", async (t) => {
  const quick = defineOperation({ type: "quick" }, async () => ({ ok: true }));
  const { connection } = await startTestWorker(t, [quick]);
  connection.answer = (report) => {
    if (report.type === "complete")
      throw new RpcError("PAYLOAD_TOO_LARGE", { field: "response", size: 9, limit: 8 });
    return "accepted";
  };
  const end = await connection.endOf(connection.assign("quick"));
  assert.ok(end.type === "fail" && end.error.code === 13);
  assert.equal(end.error.message, "the response was refused: response is 9 bytes; at most 8 are taken");
});

for (const how of ["revoked", "answered LEASE_LOST"] as const) {
  test(`an attempt that is ${how} is aborted and reports only that it stopped`, async (t) => {
    const { definition, context, end } = held();
    const { connection } = await startTestWorker(t, [definition]);
    const assignment = connection.assign("held");
    const { signal, progress, checkpoint } = await context;
    if (how === "revoked") connection.revoke(assignment);
    else {
      connection.answer = () => "LEASE_LOST";
      progress(1);
    }
    await eventually("aborted", () => signal.aborted);
    assert.equal((signal.reason as OperationAborted).kind, "lease-lost");
    progress(99);
    await assert.rejects(checkpoint({ late: true }), /the attempt is over/);
    end({ not: "ours" });
    const report = await connection.endOf(assignment);
    assert.equal(report.type, "stopped");
    assert.equal(connection.reportsOf(assignment, "complete").length, 0);
    assert.ok(connection.reportsOf(assignment, "progress").length <= 1);
    await eventually("the slot is free", () => connection.slotsFreed === 1);
  });
}

test("drain lets work finish, then releases what stops by the shutdown", async (t) => {
  const finishes = held();
  const { worker, connection } = await startTestWorker(t, [finishes.definition, waits]);
  const finished = connection.assign("held");
  const released = connection.assign("waits");
  await finishes.context;
  const drained = worker.drain(50);
  await eventually("no new work", () => connection.isDraining);
  finishes.end({ done: true });
  await drained;
  assert.equal((await connection.endOf(finished)).type, "complete");
  assert.equal((await connection.endOf(released)).type, "release");
});

const releaseRows: readonly [outcome: ReportOutcome, next: WorkerReport["type"] | null][] = [
  ["NOT_RETRYABLE", "fail"],
  ["CANCEL_PENDING", "stopped"],
  ["LEASE_LOST", null],
];
for (const [outcome, next] of releaseRows) {
  test(`a release that is answered ${outcome} is followed by ${next ?? "nothing"}`, async (t) => {
    const { worker, connection } = await startTestWorker(t, [waits]);
    connection.answer = (report) => (report.type === "release" ? outcome : "accepted");
    const assignment = connection.assign("waits");
    await undefined;
    await worker.drain(0);
    const [, after, ...more] = connection.reports;
    assert.equal(after?.type ?? null, next);
    assert.deepEqual(more, []);
    if (after?.type === "fail") assert.equal(after.error.code, 10);
    assert.ok(connection.hasEnded(assignment));
  });
}

test("close leaves the session open while a handler that cannot be stopped runs on", async (t) => {
  const { definition, context, end } = held();
  const { worker, connection } = await startTestWorker(t, [definition]);
  connection.assign("held");
  await context;
  await worker.close();
  assert.equal(connection.isClosed, false);
  end();
});

test("start and close may be called twice, close before start; the worker is an async disposable", async (t) => {
  const { worker, connection } = await startTestWorker(t, [waits]);
  await worker.start();
  await Promise.all([worker.close(), worker.close()]);
  await worker.drain(0);
  await worker[Symbol.asyncDispose]();
  assert.equal(connection.isClosed, true);
  const unused = new RecordingConnection();
  const idle = createWorker({
    connection: unused,
    handlers: [waits],
    processFolder: "/nowhere",
    logger: createLogger("silent"),
  });
  await idle.close();
  await assert.rejects(idle.start(), /closed/);
  assert.equal(unused.hello, undefined);
});

test("createWorker refuses wrong definitions", () => {
  const options = {
    connection: new RecordingConnection(),
    processFolder: "/nowhere",
    logger: createLogger("silent"),
  };
  assert.throws(() => createWorker({ ...options, handlers: [waits, waits] }), /waits is declared twice/);
  assert.throws(() => createWorker({ ...options, handlers: [{ ...waits, killMs: 1 }] }), /killMs 1 is not/);
  assert.throws(() => createWorker({ ...options, handlers: [], slots: 0 }), /slots 0 is below 1/);
});
