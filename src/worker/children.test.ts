// Children as a handler sees them, inline and in a thread: started once, waited for, refused, given up on abort.
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { pathToFileURL } from "node:url";
import { RpcError } from "../base/rpc-error.ts";
import type { ChildState, WorkerReport } from "../protocol/worker-connection.ts";
import { eventually } from "../testing/eventually.ts";
import type { ChildAsked, RecordingConnection } from "../testing/recording-connection.ts";
import { startTestWorker, temporaryFolder } from "../testing/test-worker.ts";
import { ChildFailed, ChildRefused, defineOperation, type OperationDefinition } from "./worker.ts";

const open: ChildState = { name: "operations/child", done: false, error: null, response: null };

/** The same handler inline and in a thread; its source sees `ctx`. */
const kinds: readonly [kind: string, define: (t: TestContext, body: string) => OperationDefinition][] = [
  [
    "inline",
    (_t, body) => {
      const handler = new Function("ctx", `return (async () => { ${body} })()`) as (ctx: unknown) => never;
      return defineOperation({ type: "parent" }, (context) => handler(context));
    },
  ],
  [
    "in a thread",
    (t, body) => {
      const file = join(temporaryFolder(t), "handler.mjs");
      writeFileSync(file, `export async function handler(ctx) { ${body} }`);
      return defineOperation({ type: "parent", kind: "thread", module: pathToFileURL(file) });
    },
  ],
];

async function run(
  t: TestContext,
  definition: OperationDefinition,
  answer: (asked: ChildAsked) => ChildState,
): Promise<{ end: WorkerReport; asked: ChildAsked[]; connection: RecordingConnection }> {
  const { connection } = await startTestWorker(t, [definition]);
  const asked: ChildAsked[] = [];
  connection.answerChild = (each) => {
    asked.push(each);
    return answer(each);
  };
  const end = await connection.endOf(connection.assign("parent"));
  return { end, asked, connection };
}

for (const [kind, define] of kinds) {
  test(`${kind}: a child is started with its options, and its response is awaited`, async (t) => {
    const body = `const child = await ctx.start("child", { payload: { a: 1 }, labels: { team: "x" }, policy: "wait", deadlineMs: 5000 });
      return { name: child.name, response: await child.wait() };`;
    let waits = 0;
    const { end, asked } = await run(t, define(t, body), ({ type }) => {
      const isDone = type === "wait" && ++waits === 2; // an early answer is asked again
      return isDone ? { ...open, done: true, response: { b: 2 } } : open;
    });
    assert.deepEqual(end.type === "complete" && end.response, { name: open.name, response: { b: 2 } });
    const [start, wait] = asked;
    assert.ok(start?.type === "start");
    const { parent, requestId, ...rest } = start.start;
    assert.deepEqual(rest, {
      type: "child",
      payload: { a: 1 },
      policy: "wait",
      shared: false,
      labels: { team: "x" },
      description: "",
      deadlineMs: 5000,
    });
    assert.equal(requestId, `${parent.leaseToken}.1`);
    assert.deepEqual(wait, { type: "wait", service: "default", name: open.name });
  });

  test(`${kind}: a child that fails rejects the wait with a ChildFailed of its code`, async (t) => {
    const body = `const child = await ctx.start("child"); await child.wait();`;
    const error = { code: 9, message: "no paper" };
    const { end } = await run(t, define(t, body), () => ({ ...open, done: true, error }));
    assert.ok(end.type === "fail");
    assert.deepEqual(end.error, { code: 9, message: "child operations/child: no paper" });
  });

  test(`${kind}: a refused start rejects with its reason; one whose answer was lost is asked again`, async (t) => {
    const body = `await ctx.start("child", { requestId: "same" });
      return await ctx.start("child").then(() => ({}), ({ name, reason, code }) => ({ name, reason, code }));`;
    let calls = 0;
    const { end, asked } = await run(t, define(t, body), () => {
      if (++calls === 1) throw new RpcError("STORAGE_UNAVAILABLE");
      if (calls === 2) return open;
      throw new RpcError("PARENT_CLOSED", { name: "operations/1" });
    });
    assert.deepEqual(end.type === "complete" && end.response, {
      name: "ChildRefused",
      reason: "PARENT_CLOSED",
      code: 9,
    });
    const ids = asked.map((each) => each.type === "start" && each.start.requestId);
    assert.deepEqual(ids, ["same", "same", "1.1"]);
  });

  test(`${kind}: the abort ends a wait with its own reason`, async (t) => {
    const body = `const child = await ctx.start("child"); ctx.progress(1); await child.wait();`;
    const { connection } = await startTestWorker(t, [define(t, body)]);
    connection.answerChild = ({ type }) => (type === "start" ? open : new Promise(() => {}));
    const assignment = connection.assign("parent");
    await eventually("it waits", () => connection.reportsOf(assignment, "progress").length > 0);
    connection.cancel(assignment);
    const end = await connection.endOf(assignment);
    assert.ok(end.type === "fail" && end.abortCaused && end.mechanism === "SIGNAL");
  });

  test(`${kind}: a child of policy "wait" needs a deadline`, async (t) => {
    const body = `await ctx.start("child", { policy: "wait" });`;
    const { end } = await run(t, define(t, body), () => open);
    assert.match(end.type === "fail" ? end.error.message : "", /^deadlineMs: is required/);
  });

  test(`${kind}: a child of a policy that does not exist is refused`, async (t) => {
    const { end } = await run(t, define(t, `await ctx.start("child", { policy: "zzz" });`), () => open);
    assert.match(end.type === "fail" ? end.error.message : "", /^policy: is none of cancel, wait, abandon$/);
  });
}

test("the errors are known by name and code", () => {
  const failed = new ChildFailed("operations/1", { code: 1, message: "cancelled" });
  assert.deepEqual([failed.name, failed.code, failed.child], ["ChildFailed", 1, "operations/1"]);
  const refused = new ChildRefused({ code: 9, reason: "PARENT_CLOSED", message: "closed" });
  assert.deepEqual([refused.name, refused.code, refused.reason], ["ChildRefused", 9, "PARENT_CLOSED"]);
});
