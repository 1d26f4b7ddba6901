// What ignores every request to stop is gone within grace and kill window, every time: 200 threads in a busy loop, and 200
// commands that are deaf to SIGTERM, with children that are too. The pids are asked for from outside.
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { pathToFileURL } from "node:url";
import { monotonicMs } from "../base/clock.ts";
import { eventually } from "../testing/eventually.ts";
import type { RecordingConnection } from "../testing/recording-connection.ts";
import { startTestWorker, temporaryFolder } from "../testing/test-worker.ts";
import { readProcess } from "./supervisor/process-table.ts";
import { defineOperation } from "./worker.ts";

const ROUNDS = 20;
const AT_ONCE = 10;
const GRACE_MS = 100;
const KILL_MS = 5000;

/** Starts and cancels `AT_ONCE` operations of a type `ROUNDS` times; answers the times from cancel to end. */
async function stopAll(
  connection: RecordingConnection,
  type: string,
  begun: (number: number) => boolean,
  stopped: (number: number) => void,
): Promise<number[]> {
  const timesMs: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const numbers = Array.from({ length: AT_ONCE }, (_, index) => round * AT_ONCE + index);
    const stops = numbers.map(async (number) => {
      const assignment = connection.assign(type, { number }, { graceMs: GRACE_MS, killMs: KILL_MS });
      await eventually(`${type} ${number} runs`, () => begun(number), { timeoutMs: 60_000 });
      const fromMs = monotonicMs();
      connection.cancel(assignment);
      const end = await connection.endOf(assignment);
      timesMs.push(monotonicMs() - fromMs);
      assert.equal(end.type, "stopped");
      stopped(number);
    });
    await Promise.all(stops);
  }
  return timesMs;
}

function checkTimes(t: TestContext, timesMs: readonly number[]): void {
  assert.equal(timesMs.length, ROUNDS * AT_ONCE);
  const longestMs = Math.max(...timesMs);
  t.diagnostic(`the longest took ${longestMs.toFixed(0)} ms`);
  assert.ok(longestMs < GRACE_MS + KILL_MS, `${longestMs} ms`);
}

function readNumber(file: string): number {
  try {
    return Number(readFileSync(file, "utf8"));
  } catch {
    return 0;
  }
}

test("200 threads in a busy loop are terminated in time", async (t) => {
  const file = join(temporaryFolder(t), "spin.mjs");
  writeFileSync(
    file,
    "export async function handler({ progress }, { number }) { progress(1, String(number)); for (;;); }",
  );
  const spin = defineOperation({ type: "spin", kind: "thread", module: pathToFileURL(file) });
  const { connection } = await startTestWorker(t, [spin], { slots: AT_ONCE });
  const begun = (number: number): boolean =>
    connection.reports.some((report) => report.type === "progress" && report.message === `${number}`);
  checkTimes(t, await stopAll(connection, "spin", begun, () => {}));
});

test("200 commands that are deaf to SIGTERM, and their deaf children, are killed in time", async (t) => {
  const busy = "while :; do sleep 0.1; done";
  const deaf = defineOperation({
    type: "deaf",
    kind: "process",
    command: ({ number, folder }) => [
      "sh",
      "-c",
      `trap "" TERM; cd ${folder}
       sh -c 'trap "" TERM; echo $$ > child-${number}; ${busy}' &
       echo $$ > parent-${number}; ${busy}`,
    ],
  });
  const { connection, folder } = await startTestWorker(t, [deaf], { slots: AT_ONCE });
  const { assign } = connection;
  connection.assign = (type, input, rest) => assign.call(connection, type, { ...input, folder }, rest);
  const pidsOf = (number: number): number[] =>
    ["parent", "child"].map((each) => readNumber(join(folder, `${each}-${number}`)));
  const begun = (number: number): boolean => pidsOf(number).every((pid) => pid > 1);
  const stopped = (number: number): void => {
    for (const pid of pidsOf(number)) assert.notEqual(readProcess(pid)?.isAlive, true, `pid ${pid} lives`);
  };
  checkTimes(t, await stopAll(connection, "deaf", begun, stopped));
});
