// Bugs of cancels, deadlines and evidence in the pure core.
import { byEngine, bySearch, byTable, byTranscript } from "./killers.ts";
import type { Mutant } from "./run-mutant.ts";

const CHANGE = "src/engine/transitions/change.ts";
const CANCEL = "src/engine/transitions/cancel.ts";
const LEASE = "src/engine/transitions/lease.ts";
const REPORT = "src/engine/transitions/report.ts";
const SETTLE = "src/engine/transitions/settle.ts";
const STOP = "src/engine/transitions/stop.ts";
const TICK = "src/engine/transitions/tick.ts";

export const cancelMutants: readonly Mutant[] = [
  {
    name: "a cancel changes what is done",
    breaks: "S6",
    edits: [
      {
        file: CANCEL,
        find: "return nothingToDo(record, tooLate[record.state]);",
        replace: "return cancelPending(record, command, now);",
      },
    ],
    killers: [bySearch("S6: ")],
  },
  {
    name: "a forgotten cancel: a lost lease requeues although it is set",
    breaks: "S8",
    edits: [
      {
        file: LEASE,
        find: 'if (record.state === "CANCELLING") {\n    return isOver',
        replace: "if (now < 0) {\n    return isOver",
      },
      {
        file: CHANGE,
        find: "record.attempt < record.policy.maxAttempts && record.cancel === null",
        replace: "record.attempt < record.policy.maxAttempts",
      },
    ],
    killers: [bySearch("S8: "), byTranscript("cancel.txt: lease expiry", "LEASE_EXPIRED")],
  },
  {
    name: "a rerun after cancel: a retryable failure goes back to the queue",
    breaks: "S8",
    edits: [
      { file: REPORT, find: "(command.abortCaused || command.retryable)", replace: "command.abortCaused" },
      {
        file: CHANGE,
        find: "record.attempt < record.policy.maxAttempts && record.cancel === null",
        replace: "record.attempt < record.policy.maxAttempts",
      },
    ],
    killers: [bySearch("S8: ")],
  },
  {
    name: "a drain drops the cancel that is set",
    breaks: "G8",
    edits: [
      {
        file: LEASE,
        find: 'if (record.state === "CANCELLING") return refuse(record, "CANCEL_PENDING");',
        replace: "",
      },
      {
        file: CHANGE,
        find: "record.attempt < record.policy.maxAttempts && record.cancel === null",
        replace: "record.attempt < record.policy.maxAttempts",
      },
    ],
    killers: [bySearch("S8: ")],
  },
  {
    name: "a requeue forgets the cancel",
    breaks: "S5",
    edits: [
      {
        file: LEASE,
        find: 'if (record.state === "CANCELLING") return refuse(record, "CANCEL_PENDING");\n  if (!mayRunAgain(record))',
        replace: "if (record.attempt >= record.policy.maxAttempts)",
      },
      {
        file: CHANGE,
        find: '    state: "PENDING",\n    lease: null,',
        replace: '    state: "PENDING",\n    cancel: null,\n    lease: null,',
      },
    ],
    killers: [bySearch("S5: ")],
  },
  {
    name: "a cancelled pending operation still runs",
    breaks: "G5",
    edits: [
      {
        file: CANCEL,
        find: "? cancelPending(record, command, now)",
        replace: '? nothingToDo(record, "PREVENTED_START")',
      },
    ],
    killers: [bySearch("S5: ")],
  },
  {
    name: "CANCELLED without evidence: a cancel ends running work at once",
    breaks: "G2",
    edits: [
      {
        file: CANCEL,
        find: '{ ...record, ...touched(record, now), state: "CANCELLING", cancel },\n    { visible: true, receipt },',
        replace:
          '{ ...ended(record, now, "CANCELLED", { kind: "error", status: stopStatus(cancel), digest: "" }), cancel },\n    { visible: true, receipt },',
      },
      {
        file: CANCEL,
        find: 'import { accept, refuse, type Transition, touched } from "./change.ts";\nimport { settled } from "./settle.ts";',
        replace:
          'import { accept, ended, refuse, type Transition, touched } from "./change.ts";\nimport { settled, stopStatus } from "./settle.ts";',
      },
    ],
    killers: [bySearch("G2: ")],
  },
  {
    name: "NEVER_STARTED of work that runs",
    breaks: "G2",
    edits: [
      {
        file: CANCEL,
        find: "return cancelRunning(record, command, now);",
        replace: "return cancelPending(record, command, now);",
      },
    ],
    killers: [bySearch("G2: ")],
  },
  {
    name: "a cancel of a pending operation whose timed-out attempt may still run claims NEVER_STARTED",
    breaks: "G2",
    edits: [
      {
        file: CANCEL,
        find: "return record.held === null ? cancelPending",
        replace: "return now > 0 ? cancelPending",
      },
    ],
    killers: [
      bySearch("G2: NEVER_STARTED of an attempt that began"),
      byTable("pending-held.txt: timed out", "cancel: expected ->CANCELLING, got ->CANCELLED"),
      byTranscript("timeout-requeued.txt: cancel", "STOPPING"),
      byEngine("a cancel after an attempt timeout waits", "PREVENTED_START"),
    ],
  },
  {
    name: "a timeout forgets that its attempt may still run",
    breaks: "G2",
    edits: [
      {
        file: TICK,
        find: "? requeuedHeld(record, now)",
        replace: "? { ...requeuedHeld(record, now), held: null }",
      },
    ],
    killers: [bySearch("G2: work that may still run is not held")],
  },
  {
    name: "the timeout of the last attempt gives its slot away",
    breaks: "G2",
    edits: [{ file: TICK, find: ", held: record.lease };", replace: " };" }],
    killers: [
      bySearch("G2: work that may still run is not held"),
      byTable("held.txt: timed out", "expected late"),
    ],
  },
  {
    name: "the next attempt does not wait for the one whose time ran out",
    breaks: "G2",
    edits: [
      {
        file: CHANGE,
        find: "startAfter: Math.max(next.startAfter, givenUp) };",
        replace: "startAfter: Math.min(next.startAfter, givenUp) };",
      },
    ],
    killers: [bySearch("G2: the next attempt does not wait")],
  },
  {
    name: "an attempt that may still run is forgotten when its operation is only reserved",
    breaks: "G2",
    edits: [
      {
        file: LEASE,
        find: "const begins = command.begin || record.held !== null;",
        replace: "const begins = command.begin;",
      },
    ],
    killers: [
      bySearch("G2: work that may still run is not held"),
      byTable("pending-held.txt: waited for", "reserve w2: expected ->RUNNING"),
    ],
  },
  {
    name: "the expiry of an unguarded attempt counts as evidence",
    breaks: "G2",
    edits: [
      {
        file: LEASE,
        find: "const isOver = isOverFor(lease, command);",
        replace: "const isOver = !command.survived;",
      },
    ],
    killers: [bySearch("G2: "), byTable("cancelling.txt: unguarded", "expire w1")],
  },
  {
    name: "the expiry counts as evidence although the work was seen alive",
    breaks: "G2",
    edits: [
      {
        file: LEASE,
        find: "const isOver = isOverFor(lease, command);",
        replace: "const isOver = lease.guarded;",
      },
    ],
    killers: [bySearch("G2: ")],
  },
  {
    name: "the cancel deadline never ends anything",
    breaks: "G3",
    edits: [
      {
        file: TICK,
        find: 'if (record.state === "CANCELLING") return cancelDeadline(record, now);',
        replace: 'if (record.state === "CANCELLING") return unchanged(record);',
      },
    ],
    killers: [bySearch("G3: ")],
  },
  {
    name: "a repeated cancel moves the deadline back",
    breaks: "G3",
    edits: [
      {
        file: CANCEL,
        find: "wanted.graceEndTime < cancel.graceEndTime;",
        replace: "wanted.graceEndTime !== cancel.graceEndTime;",
      },
    ],
    killers: [bySearch("S6: ")],
  },
  {
    name: "a success loses against a pending cancel",
    breaks: "S7",
    edits: [
      {
        file: REPORT,
        find: 'return accept(ended(told.record, now, "SUCCEEDED",',
        replace:
          'if (record.cancel) return endedAsStopped(record, now, { evidence: "HANDLER_STOPPED", mechanism: "NONE" });\n  return accept(ended(told.record, now, "SUCCEEDED",',
      },
    ],
    killers: [bySearch("S7: ")],
  },
  {
    name: "a handler's own code 1 reads as cancelled",
    breaks: "S7",
    edits: [
      {
        file: CHANGE,
        find: "error.code === StatusCode.CANCELLED || error.code === StatusCode.OK",
        replace: "error.code === StatusCode.OK",
      },
    ],
    killers: [bySearch("S7: ")],
  },
  {
    name: "a deadline ends as CANCELLED",
    breaks: "S7",
    edits: [
      {
        file: SETTLE,
        find: 'const state = cancel.cause === "deadline" ? "FAILED" : "CANCELLED";',
        replace: 'const state = "CANCELLED";',
      },
    ],
    killers: [bySearch("S7: ")],
  },
  {
    name: "the slot of an unconfirmed end is given away",
    breaks: "G2",
    edits: [{ file: STOP, find: "held: record.lease }", replace: "held: null }" }],
    killers: [bySearch("G2: work that may still run is not held")],
  },
];
