// Critical sections of inline handlers, threads and commands: an abort is held back, told, never dropped, never for ever.
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { pathToFileURL } from "node:url";
import { OperationAborted } from "../base/abort-reasons.ts";
import { monotonicMs } from "../base/clock.ts";
import type { Assignment, WorkerReport } from "../protocol/worker-connection.ts";
import { eventually } from "../testing/eventually.ts";
import type { RecordingConnection } from "../testing/recording-connection.ts";
import { startTestWorker, temporaryFolder } from "../testing/test-worker.ts";
import { CriticalGate } from "./critical-gate.ts";
import { defineOperation, type OperationContext } from "./worker.ts";

const critical = { criticalMs: 10_000 };

/** An operation whose handler the test is: it gets the context, and says when the handler returns. */
async function held(
  t: TestContext,
  rest: Partial<Assignment> = critical,
): Promise<{
  connection: RecordingConnection;
  assignment: Assignment;
  context: OperationContext;
  end(): void;
}> {
  const given = Promise.withResolvers<OperationContext>();
  const ended = Promise.withResolvers<undefined>();
  const end = (): void => ended.resolve(undefined);
  t.after(end); // before the worker is closed
  const definition = defineOperation({ type: "held" }, (context) => {
    given.resolve(context);
    return ended.promise;
  });
  const { connection } = await startTestWorker(t, [definition]);
  const assignment = connection.assign("held", {}, rest);
  return { connection, assignment, context: await given.promise, end };
}

function phase(connection: RecordingConnection, assignment: Assignment, name: string): string | undefined {
  return connection.reportsOf(assignment, "cancelPhase").find((report) => report.phase === name)?.detail;
}

test("an abort waits for the section, says why, and has fired when the handler goes on", async (t) => {
  const { connection, assignment, context, end } = await held(t);
  const work = Promise.withResolvers<string>();
  let seen: boolean | undefined;
  const section = context
    .critical("commits the ledger", () => work.promise)
    .then((value) => {
      seen = context.signal.aborted;
      return value;
    });
  connection.cancel(assignment, { graceMs: 5000, deadlineMs: 60_000 });
  assert.equal(context.signal.aborted, false);
  assert.equal(phase(connection, assignment, "DEFERRED"), undefined); // reports are answered a turn later
  await eventually("deferred", () => phase(connection, assignment, "DEFERRED") === "commits the ledger");
  work.resolve("done");
  assert.equal(await section, "done");
  assert.equal(seen, true);
  end();
  await connection.endOf(assignment);
  assert.deepEqual(connection.phasesOf(assignment), ["DELIVERED", "DEFERRED", "ACKNOWLEDGED"]);
});

test("a section that outlasts criticalMs is cut, and the grace begins then", async (t) => {
  const { connection, assignment, context } = await held(t, { criticalMs: 60 });
  void context.critical("too long", () => new Promise(() => {}));
  const from = monotonicMs();
  connection.cancel(assignment, { graceMs: 80, deadlineMs: 60_000 });
  await eventually("aborted", () => context.signal.aborted);
  const cutMs = monotonicMs() - from;
  await eventually("escalated", () => phase(connection, assignment, "ESCALATED"));
  const escalatedMs = monotonicMs() - from;
  assert.ok(cutMs >= 55, `cut after ${cutMs} ms`);
  assert.ok(escalatedMs >= 130, `escalated after ${escalatedMs} ms`);
  assert.deepEqual(connection.phasesOf(assignment), [
    "DELIVERED",
    "DEFERRED",
    "CUT",
    "ACKNOWLEDGED",
    "ESCALATED",
  ]);
  assert.equal(phase(connection, assignment, "CUT"), "too long: cut after 60 ms");
});

test("a cancel that is told again does not take from the grace what the section took", async (t) => {
  const { connection, assignment, context } = await held(t, { criticalMs: 60 });
  void context.critical("too long", () => new Promise(() => {}));
  connection.cancel(assignment, { graceMs: 10_000, deadlineMs: 60_000 });
  connection.cancel(assignment, { graceMs: 9_990, deadlineMs: 60_000 });
  await eventually("cut", () => context.signal.aborted);
  // As a server far away repeats it with every heartbeat: of the grace as it counts it nothing is left by then.
  connection.cancel(assignment, { graceMs: 9_800, deadlineMs: 60_000 });
  assert.equal(phase(connection, assignment, "ESCALATED"), undefined);
  connection.cancel(assignment, { graceMs: 0, deadlineMs: 60_000 }); // this one does shorten it
  await eventually("escalated", () => phase(connection, assignment, "ESCALATED"));
});

test("force cuts a section at once", async (t) => {
  const { connection, assignment, context } = await held(t);
  void context.critical("commit", () => new Promise(() => {}));
  connection.cancel(assignment);
  assert.equal(context.signal.aborted, false);
  connection.cancel(assignment, { force: true, graceMs: 0 });
  assert.equal(context.signal.aborted, true);
  await eventually("escalated", () => phase(connection, assignment, "ESCALATED"));
  assert.equal(phase(connection, assignment, "CUT"), "commit: cut by force");
  assert.match(phase(connection, assignment, "ESCALATED") ?? "", /^stopped by force: /);
});

test("sections may be nested and may overlap: the abort fires when the last one ends", async (t) => {
  const { connection, assignment, context } = await held(t);
  const [outer, inner] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const first = context.critical("outer", () => outer.promise);
  const second = context.critical("inner", () => inner.promise);
  connection.cancel(assignment, { deadlineMs: 60_000 });
  outer.resolve();
  await first;
  assert.equal(context.signal.aborted, false);
  // While an abort is held back, a section of the same stretch may still begin.
  await context.critical("third", () => undefined);
  inner.resolve();
  await second;
  assert.equal(context.signal.aborted, true);
  await assert.rejects(
    context.critical("late", () => assert.fail("it began")),
    context.signal.reason,
  );
});

test("a repeated cancel is the same one, also while it is held back; a stronger reason takes the place of a weaker", async (t) => {
  const { connection, assignment, context } = await held(t);
  const work = Promise.withResolvers<void>();
  const section = context.critical("commit", () => work.promise);
  connection.cancel(assignment, { reason: "first" });
  connection.cancel(assignment, { reason: "second" });
  work.resolve();
  await section;
  assert.equal(context.signal.reason.reason, "first");

  const fired: string[] = [];
  const gate = new CriticalGate({
    fire: ({ kind }) => fired.push(kind),
    deferred: (name) => fired.push(name),
  });
  const leave = gate.enter("commit");
  gate.abort(new OperationAborted({ cause: "shutdown" }));
  gate.abort(new OperationAborted({ cause: "cancel" }));
  leave();
  gate.abort(new OperationAborted({ cause: "lease-lost" }));
  assert.deepEqual(fired, ["commit", "cancel"]);
});

test("the loss of the attempt is not held back", async (t) => {
  const { connection, assignment, context } = await held(t);
  void context.critical("commit", () => new Promise(() => {}));
  connection.revoke(assignment);
  assert.equal(context.signal.reason.kind, "lease-lost");
});

test("a section passes on what its work throws, and needs criticalMs and a reason", async (t) => {
  const { context } = await held(t);
  await assert.rejects(
    context.critical("fails", () => {
      throw new Error("boom");
    }),
    /boom/,
  );
  await assert.rejects(
    context.critical("", () => 1),
    /needs a reason/,
  );
  const without = await held(t, {});
  await assert.rejects(
    without.context.critical("x", () => 1),
    /declares no criticalMs/,
  );
});

async function threadEnd(
  t: TestContext,
  source: string,
  rest: Partial<Assignment>,
  graceMs: number,
): Promise<{ end: WorkerReport; connection: RecordingConnection; assignment: Assignment }> {
  const file = join(temporaryFolder(t), "handler.mjs");
  writeFileSync(file, source);
  const definition = defineOperation({ type: "thread", kind: "thread", module: pathToFileURL(file) });
  const { connection } = await startTestWorker(t, [definition]);
  const assignment = connection.assign("thread", {}, rest);
  await eventually("it runs", () => connection.reportsOf(assignment, "progress").length > 0);
  connection.cancel(assignment, { graceMs });
  return { end: await connection.endOf(assignment), connection, assignment };
}

test("in a thread the abort waits for the section, too, and has fired when the handler goes on", async (t) => {
  const { end, connection, assignment } = await threadEnd(
    t,
    `import { setTimeout as delay } from "node:timers/promises";
     export async function handler({ critical, signal, progress }) {
       await critical("commits", async () => { progress(1); await delay(150); });
       return { aborted: signal.aborted };
     }`,
    { criticalMs: 5000 },
    5000,
  );
  assert.deepEqual(end.type === "complete" && end.response, { aborted: true });
  assert.deepEqual(connection.phasesOf(assignment), ["DELIVERED", "DEFERRED", "ACKNOWLEDGED"]);
});

test("a thread that never pauses in its section is told deferred, cut in time, and terminated after the grace", async (t) => {
  const { end, connection, assignment } = await threadEnd(
    t,
    `export async function handler({ critical, progress }) {
       await critical("spins", () => { progress(1); for (;;); });
     }`,
    { criticalMs: 80 },
    50,
  );
  assert.ok(end.type === "stopped" && end.mechanism === "TERMINATE");
  assert.deepEqual(connection.phasesOf(assignment), ["DELIVERED", "DEFERRED", "CUT", "ESCALATED"]);
  assert.equal(phase(connection, assignment, "DEFERRED"), "spins");
});

test("a command's note holds SIGTERM back until it takes the note away", async (t) => {
  const run = defineOperation({
    type: "run",
    kind: "process",
    command: ({ script }) => ["sh", "-c", String(script)],
  });
  const { connection, folder } = await startTestWorker(t, [run]);
  const log = join(folder, "log");
  const script = `trap 'echo TERM >> ${log}; exit 0' TERM
    echo '{"percent": 1, "critical": "swaps the file"}' >&3
    until [ -e ${folder}/go ]; do sleep 0.02; done
    echo left >> ${log}; echo '{"critical": null}' >&3
    while :; do sleep 0.02; done`;
  const assignment = connection.assign("run", { script }, { criticalMs: 10_000 });
  await eventually("the note has come", () => connection.reportsOf(assignment, "progress").length > 0);
  connection.cancel(assignment);
  await eventually("deferred", () => phase(connection, assignment, "DEFERRED") === "swaps the file");
  writeFileSync(join(folder, "go"), "");
  const end = await connection.endOf(assignment);
  assert.ok(end.type === "stopped" && end.mechanism === "SIGTERM");
  assert.equal(readFileSync(log, "utf8"), "left\nTERM\n");
  assert.deepEqual(connection.phasesOf(assignment), ["DELIVERED", "DEFERRED", "ACKNOWLEDGED"]);
});
