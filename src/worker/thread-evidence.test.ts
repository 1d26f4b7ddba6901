// The end of a thread handler is told only when its thread is gone (G2). The handlers write bytes
// to a trace: what is written after the end was told was written by work that is said to have stopped.
import assert from "node:assert/strict";
import { statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { pathToFileURL } from "node:url";
import { delay } from "../base/timers.ts";
import { eventually } from "../testing/eventually.ts";
import type { RecordingConnection } from "../testing/recording-connection.ts";
import { startTestWorker, temporaryFolder } from "../testing/test-worker.ts";
import { defineOperation } from "./worker.ts";

/** A handler module with `write`, which appends a byte to the trace, and the file that it is traced in. */
async function serve(
  t: TestContext,
  handler: string,
): Promise<{ connection: RecordingConnection; size(): number }> {
  const folder = temporaryFolder(t);
  const trace = join(folder, "trace");
  writeFileSync(trace, "");
  const module = join(folder, "handler.mjs");
  writeFileSync(
    module,
    `import { spawnSync } from "node:child_process";
     import { openSync, writeSync } from "node:fs";
     const trace = ${JSON.stringify(trace)};
     const file = openSync(trace, "a");
     const write = () => writeSync(file, ".");
     export async function handler(context) { ${handler} }`,
  );
  const definition = defineOperation({ type: "thread", kind: "thread", module: pathToFileURL(module) });
  const { connection } = await startTestWorker(t, [definition]);
  return { connection, size: () => statSync(trace).size };
}

/** How long the command of the first handler takes; no terminate reaches a thread that waits for one. */
const COMMAND_MS = 400;

/** Long enough for a thread that lives on to write again. */
const LOOK_MS = 2 * COMMAND_MS;

test("a terminated thread has written its last byte when its end is told", async (t) => {
  const command = `printf . >> "$TRACE"; sleep ${COMMAND_MS / 1000}; printf . >> "$TRACE"`;
  const { connection, size } = await serve(
    t,
    `spawnSync("sh", ["-c", ${JSON.stringify(command)}], { env: { ...process.env, TRACE: trace } }); for (;;) write();`,
  );
  const assignment = connection.assign("thread", {}, { killMs: 5000 });
  await eventually("the command runs", () => size() > 0);
  connection.cancel(assignment, { graceMs: 1 });
  const end = await connection.endOf(assignment);
  const written = size();
  assert.ok(end.type === "stopped" && end.evidence === "THREAD_TERMINATED");
  await delay(LOOK_MS);
  assert.equal(size(), written, "the thread was still running when it was said to have ended");
});

test("what a settled handler left in its thread has ended when its end is told", async (t) => {
  const { connection, size } = await serve(
    t,
    "const spin = () => { write(); setImmediate(spin); }; spin(); return {};",
  );
  const end = await connection.endOf(connection.assign("thread"));
  const written = size();
  assert.equal(end.type, "complete");
  await delay(LOOK_MS);
  assert.equal(size(), written, "the thread was still running when its handler was said to have stopped");
});
