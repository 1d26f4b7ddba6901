// Bugs of the worker: what counts as the end of the work, and as evidence of it.
import type { Killer, Mutant } from "./run-mutant.ts";

const THREAD = "src/worker/thread-runner.ts";

const LADDER = "src/worker/stop-ladder.ts";

function byCritical(title: string, says = "AssertionError"): Killer {
  return { file: "src/worker/critical-section.test.ts", title, says };
}

function byLeaseEnd(title: string, says: string): Killer {
  return { file: "src/worker/lease/lease-end.test.ts", title, says };
}

function byWorkSession(title: string, says = "AssertionError"): Killer {
  return { file: "src/worker/work-session.test.ts", title, says };
}

const sections: readonly Mutant[] = [
  {
    name: "an abort during a critical section is dropped",
    breaks: "G7",
    edits: [
      {
        file: "src/worker/critical-gate.ts",
        find: "      if (this.#sections.size === 0) this.cut();\n",
        replace: "",
      },
    ],
    killers: [byCritical("an abort waits for the section", "AssertionError")],
  },
  {
    name: "an abort does not wait for a critical section",
    breaks: "G7",
    edits: [
      {
        file: "src/worker/critical-gate.ts",
        find: "    if (section === null) this.cut();\n",
        replace: "    if (section !== undefined) this.cut();\n",
      },
    ],
    killers: [byCritical("an abort waits for the section")],
  },
  {
    name: "a section that is cut is not told as CUT",
    breaks: "G7",
    edits: [
      {
        file: "src/worker/attempt.ts",
        find: '      this.#reports.phase("CUT", `${this.#section}: cut ${why}`);\n',
        replace: "",
      },
    ],
    killers: [byCritical("a section that outlasts criticalMs is cut", "AssertionError")],
  },
  {
    name: "a section is never cut",
    breaks: "G3",
    edits: [
      {
        file: LADDER,
        find: 'return this.#phase === "held" ? Math.min(this.#cutMs, this.#forceMs) : NEVER;',
        replace: "return NEVER;",
      },
    ],
    killers: [
      { file: "src/worker/stop-ladder.test.ts", title: "each step comes once", says: "AssertionError" },
    ],
  },
  {
    name: "force waits for a critical section",
    breaks: "G3",
    edits: [
      { file: "src/worker/attempt.ts", find: '    if (force) this.#cut("by force");\n', replace: "" },
      { file: LADDER, find: "Math.min(this.#cutMs, this.#forceMs)", replace: "this.#cutMs" },
    ],
    killers: [byCritical("force cuts a section at once", "AssertionError")],
  },
  {
    name: "a repeated cancel eats the grace that began after a section",
    breaks: "G3",
    edits: [{ file: LADDER, find: "(isShorter || !this.#wasHeld)", replace: "(isShorter || this.#wasHeld)" }],
    killers: [
      {
        file: "src/worker/stop-ladder.test.ts",
        title: "a grace that began late is not ended by the repetition",
        says: "AssertionError",
      },
    ],
  },
  {
    name: "a longer grace is taken from a later cancel",
    breaks: "G3",
    edits: [
      {
        file: LADDER,
        find: "      this.#escalateMs = Math.min(this.#escalateMs, now + leftMs);\n  }",
        replace: "      this.#escalateMs = now + leftMs;\n  }",
      },
    ],
    killers: [
      {
        file: "src/worker/stop-ladder.test.ts",
        title: "a shorter grace counts, a longer one never does: began at once",
        says: "not within",
      },
    ],
  },
];

const leases: readonly Mutant[] = [
  {
    name: "the watchdog only warns",
    breaks: "G2",
    edits: [
      {
        file: "src/worker/lease/watchdog-entry.ts",
        find: 'process.kill(process.pid, "SIGKILL");',
        replace: 'process.emitWarning("the work has outlived the lease");',
      },
    ],
    killers: [byLeaseEnd("a worker that was stopped, and continued after its lease", "timed out")],
  },
  {
    name: "the watchdog ends a worker that runs nothing",
    breaks: "L3",
    edits: [
      {
        file: "src/worker/lease/watchdog-entry.ts",
        find: "if (hasPassed && memory.running > 0n)",
        replace: "if (hasPassed && memory.running >= 0n)",
      },
    ],
    killers: [byLeaseEnd("with nothing running a worker outlives its lease", "AssertionError")],
  },
  {
    name: "the watchdog is not told what runs",
    breaks: "G2",
    edits: [{ file: "src/worker/work-session.ts", find: "    watchdog?.began();\n", replace: "" }],
    killers: [byLeaseEnd("a worker that was stopped, and continued after its lease", "timed out")],
  },
  {
    name: "the supervisor ignores the end of the lease",
    breaks: "G2",
    edits: [
      {
        file: "src/worker/supervisor/supervisor-entry.ts",
        find: "    else this.#forAll((command, table) => command.leaseLost(table));\n",
        replace: "",
      },
    ],
    killers: [byLeaseEnd("the commands of a stopped worker die with its lease", "not within")],
  },
  {
    name: "the half of a record that a killed writer left stays for good",
    breaks: "S7",
    edits: [
      {
        file: "src/worker/supervisor/reap-processes.ts",
        find: "  records.removeHalfWritten();\n",
        replace: "",
      },
    ],
    killers: [
      {
        file: "src/worker/supervisor/supervisor-faults.test.ts",
        title: "the half of a record that a killed writer left",
        says: "AssertionError",
      },
    ],
  },
  {
    name: "work is aborted only when the lease has ended",
    breaks: "G2",
    edits: [
      {
        file: "src/worker/lease/lease-guard.ts",
        find: "startTimer(this.leftMs - this.#windowMs, () => this.#due()",
        replace: "startTimer(this.leftMs + this.#windowMs, () => this.#due()",
      },
    ],
    killers: [byWorkSession("work is aborted in time before a lease that is not renewed ends")],
  },
  {
    name: "an assignment that comes after the lease begins",
    breaks: "G2",
    edits: [
      {
        file: "src/worker/work-session.ts",
        find: "const hasLease = open.guard.leftMs > 0;",
        replace: "const hasLease = open.guard.leftMs >= 0;",
      },
      {
        file: "src/worker/work-session.ts",
        find: "    if (open.guard.isEnding || !hasLease) attempt.leaseEnds(open.guard.leftMs);\n",
        replace: "",
      },
    ],
    killers: [byWorkSession("an assignment that comes after the lease has passed")],
  },
  {
    name: "a worker with work that cannot be stopped opens a new session",
    breaks: "G2",
    edits: [{ file: "src/worker/worker.ts", find: "    await former?.untilAllEnded();\n", replace: "" }],
    killers: [byWorkSession("what cannot be stopped keeps a worker without a watchdog")],
  },
];

export const workerMutants: readonly Mutant[] = [
  ...sections,
  ...leases,
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
