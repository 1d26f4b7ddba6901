// Bugs of cancels that get stricter, and of critical sections that hold them back, in the pure core.
import { bySearch, byStore, byStory } from "./killers.ts";
import type { Mutant } from "./run-mutant.ts";

const CANCEL = "src/engine/transitions/cancel.ts";
const REQUEST = "src/engine/transitions/cancel-request.ts";
const STEPS = "src/engine/transitions/cancel-steps.ts";

export const escalationMutants: readonly Mutant[] = [
  {
    name: "force leaves the grace as it was",
    breaks: "G3",
    edits: [{ file: REQUEST, find: "const grace = ask.force ? 0 :", replace: "const grace =" }],
    killers: [bySearch("G3: ")],
  },
  {
    name: "force waits for critical sections",
    breaks: "G3",
    edits: [{ file: REQUEST, find: "(ask.force ? 0 : criticalMs)", replace: "criticalMs" }],
    killers: [byStory("force waits for no critical section")],
  },
  {
    name: "a later force does not shorten the deadline",
    breaks: "G4",
    edits: [
      {
        file: CANCEL,
        find: "const isForced = command.force && !cancel.force;",
        replace: "const isForced = false;",
      },
    ],
    killers: [
      {
        file: "src/services/native/cancel-operation.test.ts",
        title: "force escalates a cancel that was cooperative",
        says: "AssertionError",
      },
    ],
  },
  {
    name: "a later cancel moves the deadline back",
    breaks: "G3",
    edits: [{ file: CANCEL, find: "Math.min(cancel.deadline, wanted.deadline)", replace: "wanted.deadline" }],
    killers: [bySearch("AssertionError")],
  },
  {
    name: "a cancel of another revision goes through",
    breaks: "G4",
    edits: [
      {
        file: CANCEL,
        find: "command.ifRevision !== null && command.ifRevision !== record.revision",
        replace: "command.ifRevision !== null && command.ifRevision < 0",
      },
    ],
    killers: [bySearch("G4: ")],
  },
  {
    name: "a deferral drops the cancel",
    breaks: "G7",
    edits: [
      {
        file: STEPS,
        find: "        ? { deferredBy: detail }",
        replace: "        ? { deferredBy: detail, deliverTime: null, deadline: cancel.deadline + 1 }",
      },
    ],
    killers: [bySearch("AssertionError")],
  },
  {
    name: "a deferral that comes late holds back what the handler was told",
    breaks: "G7",
    edits: [
      {
        file: STEPS,
        find: "cancel.acknowledgeTime === null && cancel.escalateTime === null && cancel.deferredBy !== detail",
        replace: "cancel.deferredBy !== detail",
      },
    ],
    killers: [bySearch("G7: ")],
  },
  {
    name: "a section that was cut is still shown as holding the abort back",
    breaks: "G7",
    edits: [
      {
        file: STEPS,
        find: "return cancel.deferredBy === null ? null : { deferredBy: null };",
        replace: "return cancel.deferredBy === null ? null : {};",
      },
    ],
    killers: [bySearch("S13: ")],
  },
  {
    name: "an operation that has ended is still held back by a section",
    breaks: "G7",
    edits: [
      {
        file: "src/engine/transitions/change.ts",
        find: "    cancel: record.cancel && { ...record.cancel, deferredBy: null },\n",
        replace: "",
      },
      {
        file: "src/engine/transitions/settle.ts",
        find: "const cancel = { ...requestOf(record), deferredBy: null };",
        replace: "const cancel = requestOf(record);",
      },
    ],
    killers: [bySearch("G7: ")],
  },
  {
    name: "a step is noted before the cancel was asked for",
    breaks: "S13",
    edits: [
      { file: STEPS, find: "Math.min(now, Math.max(known, now", replace: "Math.min(now, Math.max(0, now" },
    ],
    killers: [bySearch("S13: ")],
  },
  {
    name: "every phase of a cancel is noted again when it is told again",
    breaks: "S12",
    edits: [
      {
        file: STEPS,
        find: "return cancel.deliverTime === null ? { deliverTime: time } : null;",
        replace: "return { deliverTime: time };",
      },
    ],
    killers: [bySearch("AssertionError")],
  },
  {
    name: "an acknowledged cancel is not stored with its phases",
    breaks: "G6",
    edits: [
      {
        file: STEPS,
        find: "return cancel.acknowledgeTime === null ? { acknowledgeTime: time, deferredBy: null } : null;",
        replace: "return cancel.acknowledgeTime === null ? { deferredBy: null } : null;",
      },
    ],
    killers: [byStore("a running operation goes through CANCELLING", "AssertionError")],
  },
];
