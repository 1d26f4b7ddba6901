// Handlers in real threads. Their modules are written to a temporary folder: as plain JavaScript, and as TypeScript.
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { pathToFileURL } from "node:url";
import { monotonicMs } from "../base/clock.ts";
import type { ReportOutcome } from "../protocol/worker-connection.ts";
import { eventually } from "../testing/eventually.ts";
import type { RecordingConnection } from "../testing/recording-connection.ts";
import { startTestWorker, temporaryFolder } from "../testing/test-worker.ts";
import { readProcess } from "./supervisor/process-table.ts";
import { defineOperation, type ThreadDefinition } from "./worker.ts";

async function serve(
  t: TestContext,
  source: string,
  options: Partial<ThreadDefinition> & { extension?: string } = {},
): Promise<RecordingConnection> {
  const { extension = "mjs", ...rest } = options;
  const file = join(temporaryFolder(t), `handler.${extension}`);
  writeFileSync(file, source);
  const definition = defineOperation({
    type: "thread",
    kind: "thread",
    module: pathToFileURL(file),
    ...rest,
  });
  return (await startTestWorker(t, [definition])).connection;
}

const untilAborted = `
  const untilAborted = (signal) => new Promise((_, reject) =>
    signal.addEventListener("abort", () => reject(signal.reason), { once: true }));`;

test("a TypeScript handler runs in a thread with the whole context", async (t) => {
  const connection = await serve(
    t,
    `import { threadId } from "node:worker_threads";
     interface Facts { name: string }
     export async function handler(context: any, input: { a: number }): Promise<object> {
       const { name, type, attempt, createdBy, checkpointed }: Facts & Record<string, unknown> = context;
       context.progress(50, "half");
       context.log("half way", { page: 1 });
       await context.checkpoint({ page: 1 });
       return { isThread: threadId > 0, input, facts: { name, type, attempt, createdBy, checkpointed } };
     }`,
    { extension: "ts" },
  );
  const assignment = connection.assign("thread", { a: 1 }, { createdBy: "ann", checkpoint: { page: 0 } });
  const end = await connection.endOf(assignment);
  const facts = {
    name: assignment.name,
    type: "thread",
    attempt: 1,
    createdBy: "ann",
    checkpointed: { page: 0 },
  };
  assert.deepEqual(end.type === "complete" && end.response, { isThread: true, input: { a: 1 }, facts });
  assert.equal(connection.reportsOf(assignment, "progress")[0]?.message, "half");
  assert.deepEqual(connection.reportsOf(assignment, "checkpoint")[0]?.checkpoint, { page: 1 });
});

test("a handler in a thread sees the typed abort reason, and throwing it counts as stopped by it", async (t) => {
  const connection = await serve(
    t,
    `${untilAborted}
     export async function handler({ signal, progress }) {
       progress(1);
       try { await untilAborted(signal); }
       catch (reason) { throw new Error([reason.kind, reason.reason, reason.requestedBy].join(), { cause: reason }); }
     }`,
  );
  const assignment = connection.assign("thread");
  await eventually("it runs", () => connection.reportsOf(assignment, "progress").length > 0);
  connection.cancel(assignment, { reason: "wrong file", requestedBy: "ann" });
  const end = await connection.endOf(assignment);
  assert.deepEqual(connection.phasesOf(assignment), ["DELIVERED", "ACKNOWLEDGED"]);
  assert.ok(end.type === "fail");
  assert.equal(end.error.message, "cancel,wrong file,ann");
  assert.deepEqual([end.abortCaused, end.evidence, end.mechanism], [true, "HANDLER_STOPPED", "SIGNAL"]);
});

test("a busy loop is terminated after the grace, within the kill window", async (t) => {
  const connection = await serve(t, "export async function handler({ progress }) { progress(1); for (;;); }");
  const assignment = connection.assign("thread", {}, { killMs: 2000 });
  await eventually("it runs", () => connection.reportsOf(assignment, "progress").length > 0);
  const from = monotonicMs();
  connection.cancel(assignment, { graceMs: 100 });
  const end = await connection.endOf(assignment);
  assert.deepEqual(end, {
    type: "stopped",
    attempt: end.attempt,
    evidence: "THREAD_TERMINATED",
    mechanism: "TERMINATE",
  });
  assert.ok(monotonicMs() - from < 2100, `${monotonicMs() - from} ms`);
  assert.deepEqual(connection.phasesOf(assignment), ["DELIVERED", "ESCALATED"]); // it never saw the signal
});

test("a thread that a revoke ends reports that it stopped", async (t) => {
  const connection = await serve(t, "export async function handler({ progress }) { progress(1); for (;;); }");
  const assignment = connection.assign("thread");
  await eventually("it runs", () => connection.reportsOf(assignment, "progress").length > 0);
  connection.revoke(assignment, { reason: "timeout", killMs: 50 });
  const end = await connection.endOf(assignment);
  assert.ok(end.type === "stopped" && end.evidence === "THREAD_TERMINATED");
});

test("a cancel before the module is loaded keeps the handler from beginning", async (t) => {
  const connection = await serve(t, "export async function handler() { return { began: true }; }");
  const assignment = connection.assign("thread");
  connection.cancel(assignment);
  const end = await connection.endOf(assignment);
  assert.ok(end.type === "fail" && end.abortCaused);
});

test("an abort reason that nobody caught counts as stopped by the abort", async (t) => {
  const connection = await serve(
    t,
    `${untilAborted}
     export async function handler({ signal, progress }) {
       progress(1);
       void untilAborted(signal);
       await new Promise(() => {});
     }`,
  );
  const assignment = connection.assign("thread");
  await eventually("it runs", () => connection.reportsOf(assignment, "progress").length > 0);
  connection.cancel(assignment);
  const end = await connection.endOf(assignment);
  assert.ok(end.type === "fail" && end.abortCaused);
});

test("what a settled handler left running goes with its thread", async (t) => {
  const connection = await serve(
    t,
    `export async function handler(_, { shared }) { const spin = () => setImmediate(spin); spin(); return { done: true }; }`,
  );
  const end = await connection.endOf(connection.assign("thread"));
  assert.equal(end.type, "complete");
  await eventually("the slot is free", () => connection.slotsFreed === 1);
});

const failureRows: readonly [
  name: string,
  source: string,
  code: number,
  message: RegExp,
  evidence: string,
][] = [
  [
    "a throw",
    'export const handler = async () => { throw new Error("boom"); }',
    2,
    /^boom$/,
    "HANDLER_STOPPED",
  ],
  [
    "a stray error",
    'export const handler = () => new Promise(() => { setImmediate(() => { throw new Error("late"); }); })',
    2,
    /^late$/,
    "HANDLER_STOPPED",
  ],
  [
    "a google.rpc code",
    'export const handler = async () => { throw Object.assign(new Error("no"), { code: 5 }); }',
    5,
    /^no$/,
    "HANDLER_STOPPED",
  ],
  [
    "process.exit",
    "export const handler = () => new Promise(() => process.exit(3))",
    2,
    /^the thread exited with code 3 before/,
    "THREAD_TERMINATED",
  ],
  ["no export", "export const other = 1", 2, /has no export "handler"/, "HANDLER_STOPPED"],
  ["a syntax error", "export const = 1", 2, /./, "HANDLER_STOPPED"],
  [
    "a response that is no JSON",
    "export const handler = async () => ({ f() {} })",
    13,
    /function/,
    "HANDLER_STOPPED",
  ],
  [
    "too much memory",
    "export const handler = async () => { for (const all = []; ; await new Promise(setImmediate)) all.push(new Array(10_000).fill(all.length)); }",
    8,
    /memory/,
    "THREAD_TERMINATED",
  ],
];

for (const [name, source, code, message, evidence] of failureRows) {
  test(`${name} in a thread fails the attempt with code ${code}, and the worker lives`, async (t) => {
    const connection = await serve(t, source, { resourceLimits: { maxOldGenerationSizeMb: 32 } });
    const end = await connection.endOf(connection.assign("thread"));
    assert.ok(end.type === "fail");
    assert.match(end.error.message, message);
    assert.deepEqual([end.error.code, end.abortCaused, end.evidence], [code, false, evidence]);
  });
}

test("process.exit after the abort, unforced, is a stop by the signal", async (t) => {
  const connection = await serve(
    t,
    `export function handler({ signal, progress }) {
       progress(1);
       return new Promise(() => signal.addEventListener("abort", () => process.exit(0)));
     }`,
  );
  const assignment = connection.assign("thread");
  await eventually("it runs", () => connection.reportsOf(assignment, "progress").length > 0);
  connection.cancel(assignment);
  const end = await connection.endOf(assignment);
  assert.ok(end.type === "stopped" && end.evidence === "THREAD_TERMINATED" && end.mechanism === "SIGNAL");
});

test("checkpoint in a thread waits for the server, and rejects with its refusal", async (t) => {
  const connection = await serve(
    t,
    `export async function handler(context) {
       const before = await context.checkpoint({ page: 1 }).then(() => "stored", (error) => error.message);
       return { before };
     }`,
  );
  connection.answer = async (report): Promise<ReportOutcome> =>
    report.type === "checkpoint" ? "CANCEL_PENDING" : "accepted";
  const end = await connection.endOf(connection.assign("thread"));
  assert.deepEqual(end.type === "complete" && end.response, {
    before: "the checkpoint was not stored: CANCEL_PENDING",
  });
});

test("the processes that a stopped thread has spawned are gone before its end is told", async (t) => {
  const connection = await serve(
    t,
    `import { spawn } from "node:child_process";
     export async function handler({ checkpoint }) {
       const { pid } = spawn("sleep", ["600"], { stdio: "ignore", detached: true });
       await checkpoint({ pid });
       for (;;) {}
     }`,
  );
  const assignment = connection.assign("thread");
  const pid = await eventually("it has spawned", () => {
    const { checkpoint } = connection.reportsOf(assignment, "checkpoint")[0] ?? {};
    return Number(checkpoint?.["pid"]) || undefined;
  });
  connection.cancel(assignment, { graceMs: 50 });
  const end = await connection.endOf(assignment);
  assert.equal(end.type === "stopped" && end.evidence, "THREAD_TERMINATED");
  assert.equal(readProcess(pid)?.isAlive ?? false, false);
});
