// Bugs of the record itself, and of `decide`, which folds a batch over it.
import { byPairs, bySearch, byTable, byTranscript } from "./killers.ts";
import type { Mutant } from "./run-mutant.ts";

const CHANGE = "src/engine/transitions/change.ts";
const CANCEL = "src/engine/transitions/cancel.ts";
const LEASE = "src/engine/transitions/lease.ts";
const REPORT = "src/engine/transitions/report.ts";
const START = "src/engine/transitions/start.ts";
const FOLD = "src/engine/batch/fold.ts";
const SESSIONS = "src/engine/batch/session-commands.ts";
const STARTS = "src/engine/batch/start-operation.ts";

export const recordMutants: readonly Mutant[] = [
  {
    name: "a worker's completion overwrites what is done",
    breaks: "S1",
    edits: [
      {
        file: REPORT,
        find: "if (isHeldBy(record, command))\n    return confirmLate(",
        replace:
          'if (isDone(record.state) && record.leaseToken === command.token)\n    return accept(ended(record, now, "SUCCEEDED", { kind: "response", digest: command.digest }), {\n      visible: true,\n      payloads: [{ kind: "response", payload: command.response }],\n    });\n  if (isHeldBy(record, command))\n    return confirmLate(',
      },
    ],
    killers: [bySearch("S1: "), byTranscript("complete.txt: complete(e)", "ALREADY_DONE")],
  },
  {
    name: "a change without a new revision",
    breaks: "S13",
    edits: [
      {
        file: CANCEL,
        find: "return { ...record, ...touched(record, now), deleteTime: now };",
        replace: "return { ...record, deleteTime: now };",
      },
    ],
    killers: [bySearch("S13: ")],
  },
  {
    name: "a delete while it is cancelled bumps no revision",
    breaks: "S13",
    edits: [
      {
        file: CANCEL,
        find: 'cancelled.type === "refused" || cancelled.record === record',
        replace: 'cancelled.type === "refused"',
      },
    ],
    killers: [bySearch("S13: ")],
  },
  {
    name: "progress that shows nothing new bumps the revision",
    breaks: "S13",
    edits: [
      {
        file: REPORT,
        find: "return accept({ ...record, activityTime: now }, { visible: false });",
        replace:
          "return accept({ ...record, ...touched(record, now), activityTime: now }, { visible: true });",
      },
    ],
    killers: [bySearch("S13: ")],
  },
  {
    name: "reserving is visible",
    breaks: "S13",
    edits: [
      {
        file: LEASE,
        find: ": accept(reserved, { visible: false });",
        replace: ": accept({ ...reserved, ...touched(reserved, now) }, { visible: true });",
      },
    ],
    killers: [bySearch("S13: ")],
  },
  {
    name: "updateTime follows a clock that steps back",
    breaks: "S13",
    edits: [
      { file: CHANGE, find: "updateTime: Math.max(record.updateTime + 1, now)", replace: "updateTime: now" },
    ],
    killers: [bySearch("S13: ")],
  },
  {
    name: "a deleted name is given out again",
    breaks: "S18",
    edits: [
      {
        file: START,
        find: 'if (record !== null) return refuse(record, "ALREADY_EXISTS");',
        replace:
          'if (record !== null && record.deleteTime === null) return refuse(record, "ALREADY_EXISTS");',
      },
    ],
    killers: [bySearch("S18: "), byTable("held.txt: deleted", "start")],
  },
  {
    name: "a late write brings a deleted operation back",
    breaks: "S18",
    edits: [
      {
        file: CHANGE,
        find: "    doneTime: change.updateTime,\n",
        replace: "    doneTime: change.updateTime,\n    deleteTime: null,\n",
      },
    ],
    killers: [bySearch("S18: ")],
  },
  {
    name: "a success without its response",
    breaks: "S2",
    edits: [
      {
        file: REPORT,
        find: '    payloads: [{ kind: "response", payload: command.response }],\n',
        replace: "",
      },
    ],
    killers: [bySearch("S2: ")],
  },
  {
    name: "the request id is ignored",
    breaks: "S4",
    edits: [
      {
        file: STARTS,
        find: "if (requestKey === null) return null;",
        replace: "if (requestKey !== undefined) return null;",
      },
    ],
    killers: [byPairs("S4: "), byTranscript("start.txt: crash", "nothing changed")],
  },
  {
    name: "a batch does not see its own request ids",
    breaks: "S4",
    edits: [
      {
        file: FOLD,
        find: "return this.#requestKeys.get(text) ?? this.readSet.requestKeys",
        replace: "return this.readSet.requestKeys",
      },
    ],
    killers: [byPairs("one batch")],
  },
  {
    name: "a batch does not see its own operations",
    breaks: "S15",
    edits: [
      {
        file: FOLD,
        find: "return this.#operations.get(text) ?? this.readSet.operations.get(text) ?? null;",
        replace: "return this.readSet.operations.get(text) ?? null;",
      },
    ],
    killers: [byPairs("one batch")],
  },
  {
    name: "a grant stays with a session that closes in the same batch",
    breaks: "L3",
    edits: [
      {
        file: SESSIONS,
        find: "if (isWith(record, session)) targets.set(",
        replace: "if (record.leaseToken < 0) targets.set(",
      },
    ],
    killers: [byPairs("L3: ")],
  },
  {
    name: "a closed session is still granted work",
    breaks: "L3",
    edits: [
      {
        file: SESSIONS,
        find: "  if (!stored) return refused;\n  if (isElsewhere(command, stored)) return moved;\n",
        replace: "  void isElsewhere;\n  void stored;\n",
      },
    ],
    killers: [byPairs("L3: ")],
  },
];
