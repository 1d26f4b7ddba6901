// ctx.onCleanup: what runs when, in which order, for how long, and what is told of it.
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { pathToFileURL } from "node:url";
import { delay } from "../base/timers.ts";
import type { Assignment, WorkerReport } from "../protocol/worker-connection.ts";
import { eventually } from "../testing/eventually.ts";
import { startTestWorker, temporaryFolder } from "../testing/test-worker.ts";
import { defineOperation, type InlineHandler } from "./worker.ts";

async function endOf(
  t: TestContext,
  handler: InlineHandler,
  rest: Partial<Assignment> = {},
  cancel = false,
): Promise<WorkerReport> {
  const begun = Promise.withResolvers<void>();
  const definition = defineOperation({ type: "cleans" }, (context, input) => {
    begun.resolve();
    return handler(context, input);
  });
  const { connection } = await startTestWorker(t, [definition]);
  const assignment = connection.assign("cleans", {}, { cleanupMs: 5000, ...rest });
  await begun.promise;
  if (cancel) connection.cancel(assignment);
  return await connection.endOf(assignment);
}

function untilAborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
}

test("steps run in reverse order when the handler failed, before the end is reported", async (t) => {
  const order: string[] = [];
  const end = await endOf(t, async ({ onCleanup }) => {
    onCleanup(() => void order.push("first"));
    onCleanup(async () => {
      await delay(20);
      order.push("second");
    });
    throw new Error("boom");
  });
  assert.deepEqual(order, ["second", "first"]);
  assert.equal(end.type === "fail" && end.error.message, "boom");
});

test("steps run when the handler stops because of the abort, and the end still counts as caused by it", async (t) => {
  let cleaned = false;
  const end = await endOf(
    t,
    async ({ onCleanup, signal }) => {
      onCleanup(() => {
        cleaned = true;
      });
      return await untilAborted(signal);
    },
    {},
    true,
  );
  assert.equal(cleaned, true);
  assert.ok(end.type === "fail" && end.abortCaused);
});

test("steps do not run when the handler returns, aborted or not", async (t) => {
  for (const cancel of [false, true]) {
    const end = await endOf(
      t,
      async ({ onCleanup, signal }) => {
        onCleanup(() => assert.fail("it ran"));
        if (cancel) await untilAborted(signal).catch(() => {});
        return { done: true };
      },
      {},
      cancel,
    );
    assert.equal(end.type, "complete");
  }
});

test("a step that fails is told in the error, and does not keep the others from running", async (t) => {
  let ran = false;
  const end = await endOf(t, async ({ onCleanup }) => {
    onCleanup(() => {
      ran = true;
    });
    onCleanup(() => Promise.reject(new Error("disk gone")));
    throw new Error("boom");
  });
  assert.equal(ran, true);
  assert.equal(end.type === "fail" && end.error.message, "boom; the clean-up failed: disk gone");
});

test("a step that fails after a cancel is told for the receipt", async (t) => {
  const end = await endOf(
    t,
    async ({ onCleanup, signal }) => {
      onCleanup(() => Promise.reject(new Error("disk gone")));
      return await untilAborted(signal);
    },
    {},
    true,
  );
  assert.ok(end.type === "fail" && end.abortCaused);
  assert.equal(end.cleanUp, "the clean-up failed: disk gone");
});

test("of a clean-up that takes longer than cleanupMs the end is reported when its step has ended, and told", async (t) => {
  const step = Promise.withResolvers<void>();
  const begun = Promise.withResolvers<void>();
  let isStuck = false;
  const definition = defineOperation({ type: "cleans" }, async ({ onCleanup, signal }) => {
    onCleanup(() => assert.fail("the next one does not begin"));
    onCleanup(() => step.promise);
    begun.resolve();
    return await untilAborted(signal);
  });
  const { connection } = await startTestWorker(t, [definition]);
  const assignment = connection.assign("cleans", {}, { cleanupMs: 60, killMs: 100 });
  await begun.promise;
  connection.cancel(assignment, { graceMs: 500, deadlineMs: 2000 });
  await eventually("the time is over", () =>
    connection.reportsOf(assignment, "cancelPhase").some(({ phase }) => phase === "ESCALATED"),
  );
  const end = connection.endOf(assignment);
  void end.then(() => assert.ok(isStuck, "no end is reported while the step runs"));
  await delay(50);
  isStuck = true;
  step.resolve();
  const report = await end;
  assert.ok(report.type === "fail" && report.abortCaused && report.evidence === "HANDLER_STOPPED");
  assert.match(report.error.message, /; the clean-up did not end within 60 ms$/);
});

test("force lets no other step of a clean-up begin", async (t) => {
  const cleaning = Promise.withResolvers<void>();
  const step = Promise.withResolvers<void>();
  const definition = defineOperation({ type: "cleans" }, async ({ onCleanup }) => {
    onCleanup(() => assert.fail("the next one does not begin"));
    onCleanup(() => {
      cleaning.resolve();
      return step.promise;
    });
    throw new Error("boom");
  });
  const { connection } = await startTestWorker(t, [definition]);
  const assignment = connection.assign("cleans", {}, { cleanupMs: 60_000 });
  await cleaning.promise;
  connection.cancel(assignment, { force: true, graceMs: 0 });
  await eventually("it is forced", () =>
    connection.reportsOf(assignment, "cancelPhase").some(({ phase }) => phase === "ESCALATED"),
  );
  step.resolve();
  const end = await connection.endOf(assignment);
  assert.equal(end.type === "fail" && end.error.message, "boom; the clean-up was cut short");
});

test("onCleanup needs cleanupMs, a function, and a handler that has not settled", async (t) => {
  const end = await endOf(t, async ({ onCleanup }) => void onCleanup(() => {}) as undefined, {
    cleanupMs: 0,
  });
  assert.match(end.type === "fail" ? end.error.message : "", /declares no cleanupMs/);
  let late: (() => void) | undefined;
  await endOf(t, async ({ onCleanup }) => {
    assert.throws(() => onCleanup(7 as never), /takes a function/);
    late = () => onCleanup(() => {});
    return undefined;
  });
  assert.throws(() => late?.(), /has settled/);
});

async function threadEnd(t: TestContext, source: string, rest: Partial<Assignment>): Promise<WorkerReport> {
  const file = join(temporaryFolder(t), "handler.mjs");
  writeFileSync(file, source);
  const definition = defineOperation({ type: "thread", kind: "thread", module: pathToFileURL(file) });
  const { connection } = await startTestWorker(t, [definition]);
  const assignment = connection.assign("thread", {}, rest);
  await eventually("it runs", () => connection.reportsOf(assignment, "progress").length > 0);
  connection.cancel(assignment, { graceMs: 150, deadlineMs: 20_000 });
  return await connection.endOf(assignment);
}

test("in a thread the clean-up has its own time after the grace", async (t) => {
  const end = await threadEnd(
    t,
    `import { setTimeout as delay } from "node:timers/promises";
     export async function handler({ onCleanup, progress, signal, checkpoint }) {
       onCleanup(async () => { await delay(300); await checkpoint({ cleaned: true }); throw new Error("half"); });
       progress(1);
       await new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
     }`,
    { cleanupMs: 5000 },
  );
  assert.ok(end.type === "fail" && end.abortCaused && end.evidence === "HANDLER_STOPPED");
  assert.match(end.error.message, /; the clean-up failed: half$/);
});

test("a clean-up in a thread that never pauses is terminated with it", async (t) => {
  const end = await threadEnd(
    t,
    `export async function handler({ onCleanup, progress, signal }) {
       onCleanup(() => { for (;;); });
       progress(1);
       await new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
     }`,
    { cleanupMs: 100 },
  );
  assert.ok(end.type === "stopped" && end.evidence === "THREAD_TERMINATED");
});
