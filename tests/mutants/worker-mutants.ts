// Bugs of the worker: what counts as the end of the work, and as evidence of it.
import type { Mutant } from "./run-mutant.ts";

const THREAD = "src/worker/thread-runner.ts";

export const workerMutants: readonly Mutant[] = [
  {
    name: "any AbortError counts as stopped by the cancel",
    breaks: "S7",
    edits: [
      {
        file: "src/base/abort-reasons.ts",
        find: "if (current === reason) return true;",
        replace:
          'if (current === reason || (current instanceof Error && current.name === "AbortError")) return true;',
      },
    ],
    killers: [{ file: "src/worker/handler-failure.test.ts", says: "AssertionError" }],
  },
  {
    name: "an attempt that was taken away reports its result",
    breaks: "S9",
    edits: [
      { file: "src/worker/attempt-end.ts", find: "  if (abort.isRevoked) return stopped;\n", replace: "" },
    ],
    killers: [{ file: "src/worker/attempt-end.test.ts", says: "AssertionError" }],
  },
  {
    name: "a terminated thread is evidence before its exit",
    breaks: "G2",
    edits: [
      {
        file: THREAD,
        find: "  readonly ended: Promise<RunEnd>;\n",
        replace: "  readonly ended: Promise<RunEnd>;\n  #resolve: (end: RunEnd) => void = () => {};\n",
      },
      {
        file: THREAD,
        find: "    this.ended = new Promise((resolve) => {\n",
        replace: "    this.ended = new Promise((resolve) => {\n      this.#resolve = resolve;\n",
      },
      {
        file: THREAD,
        find: "    this.#isTerminated = true;\n",
        replace: "    this.#isTerminated = true;\n    this.#resolve(this.#endOf(1));\n",
      },
    ],
    killers: [
      { file: "src/worker/thread-evidence.test.ts", title: "a terminated thread", says: "still running" },
    ],
  },
  {
    name: "a settled handler is evidence while its thread lives on",
    breaks: "G2",
    edits: [
      {
        file: THREAD,
        find: "  readonly ended: Promise<RunEnd>;\n",
        replace: "  readonly ended: Promise<RunEnd>;\n  #resolve: (end: RunEnd) => void = () => {};\n",
      },
      {
        file: THREAD,
        find: "    this.ended = new Promise((resolve) => {\n",
        replace: "    this.ended = new Promise((resolve) => {\n      this.#resolve = resolve;\n",
      },
      {
        file: THREAD,
        find: "        this.#settled = message;\n        void this.#thread.terminate();",
        replace: "        this.#settled = message;\n        this.#resolve(this.#endOf(0));",
      },
    ],
    killers: [
      {
        file: "src/worker/thread-evidence.test.ts",
        title: "what a settled handler left",
        says: "still running",
      },
    ],
  },
  {
    name: "a process has exited when its leader has, whatever is left of its group",
    breaks: "G2",
    edits: [
      {
        file: "src/worker/supervisor/supervised-command.ts",
        find: "    await this.#untilGone(group);\n",
        replace: "",
      },
    ],
    killers: [
      {
        file: "src/worker/process-runner.test.ts",
        title: "what a command leaves in its group",
        says: "AssertionError",
      },
    ],
  },
  {
    name: "a group number that was given again is killed",
    breaks: "G2",
    edits: [
      {
        file: "src/worker/supervisor/process-group.ts",
        find: "? leader.startTime === startTime",
        replace: '? leader.startTime !== ""',
      },
    ],
    killers: [
      {
        file: "src/worker/supervisor/process-group.test.ts",
        title: "a number that was given again",
        says: "AssertionError",
      },
    ],
  },
];
