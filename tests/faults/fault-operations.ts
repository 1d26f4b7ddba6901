// The operations of the fault tests. Each run of a handler leaves its trace outside the server: a line in the file
// BELAY_TEST_RUNS, written by one append, so that the tests need not believe the server's own record.
import { appendFileSync } from "node:fs";
import { defineOperation, type OperationContext, type OperationDefinition } from "../../src/worker/worker.ts";

const runsFile = process.env["BELAY_TEST_RUNS"] ?? "";

/** One line of the runs file: which operation, which attempt, and the monotonic clock (one for all processes). */
export interface RunLine {
  event: "begin" | "stopped" | "finished";
  name: string;
  attempt: number;
  ns: string;
}

function note(event: RunLine["event"], { name, attempt }: OperationContext): void {
  const line: RunLine = { event, name, attempt, ns: String(process.hrtime.bigint()) };
  if (runsFile) appendFileSync(runsFile, `${JSON.stringify(line)}\n`);
}

function untilAborted(context: OperationContext): Promise<never> {
  return new Promise((_, reject) => {
    context.signal.addEventListener("abort", () => {
      note("stopped", context);
      reject(context.signal.reason);
    });
  });
}

export const operations: readonly OperationDefinition[] = [
  defineOperation({ type: "fault.quick" }, async (context) => {
    note("begin", context);
    return { ok: true };
  }),
  defineOperation({ type: "fault.long", graceMs: 1000, maxAttempts: 3, backoffMs: 50 }, async (context) => {
    note("begin", context);
    return await untilAborted(context);
  }),
  defineOperation({ type: "fault.deaf", graceMs: 200, killMs: 200 }, async (context) => {
    note("begin", context);
    return await new Promise<undefined>((resolve) => {
      setTimeout(() => {
        note("finished", context);
        resolve(undefined);
      }, 3000);
    });
  }),
  defineOperation(
    {
      type: "fault.deaf-late",
      graceMs: 10_000,
      killMs: 200,
      attemptTimeoutMs: 300,
      maxAttempts: 2,
      backoffMs: 50,
    },
    async (context) => {
      note("begin", context);
      return await new Promise<undefined>((resolve) => {
        setTimeout(() => {
          note("finished", context);
          resolve(undefined);
        }, 2000);
      });
    },
  ),
  // Writes its pid and its grandchild's, then appends to a file for ever: whether it runs is seen from outside.
  defineOperation({
    type: "fault.process",
    kind: "process",
    graceMs: 1000,
    killMs: 2000,
    maxAttempts: 3,
    backoffMs: 50,
    command: (input) => [
      "sh",
      "-c",
      'sleep 1000 & echo "$$ $!" >> "$1"; while :; do echo x >> "$2"; sleep 0.05; done',
      "sh",
      String(input["pids"]),
      String(input["beats"]),
    ],
  }),
  defineOperation({
    type: "fault.thread",
    kind: "thread",
    graceMs: 300,
    killMs: 2000,
    module: new URL("./busy-loop.ts", import.meta.url),
  }),
];
