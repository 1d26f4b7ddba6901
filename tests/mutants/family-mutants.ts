// Bugs of parents and children, and of the rules that stop operations: superseding, watching.
import { byFamily, bySearch, byStore, byStory } from "./killers.ts";
import type { Mutant } from "./run-mutant.ts";

const CHILDREN = "src/engine/transitions/children.ts";
const FOLD = "src/engine/batch/fold.ts";
const SETTLE = "src/engine/transitions/settle.ts";
const START = "src/engine/batch/start-operation.ts";
const SWEEP = "src/engine/batch/sweep-children.ts";
const SWEEPER = "src/engine/maintenance/child-sweeper.ts";

const parents: readonly Mutant[] = [
  {
    name: "a parent settles before its children",
    breaks: "C1",
    edits: [{ file: SETTLE, find: "if (awaited > 0) {", replace: "if (awaited > 1000) {" }],
    killers: [byFamily("a parent and its child on two sessions", "C1: ")],
  },
  {
    name: "a parent claims CANCELLED although nobody knows whether its child stopped",
    breaks: "C1",
    edits: [{ file: SETTLE, find: "if (unconfirmed > 0) {", replace: "if (unconfirmed > 1000) {" }],
    killers: [byStory("a parent whose child is unconfirmed does not claim CANCELLED")],
  },
  {
    name: "a parent does not wait for the children of a child that finished",
    breaks: "C1",
    edits: [
      {
        file: CHILDREN,
        find: "return isDone(state) && (children?.awaited ?? 0) === 0;",
        replace: "return isDone(state) || (children?.awaited ?? 0) < 0;",
      },
    ],
    killers: [byStory("a grandparent waits for the children of a child that finished")],
  },
  {
    name: "a child starts under a parent that is being cancelled",
    breaks: "C2",
    edits: [
      {
        file: CHILDREN,
        find: 'return parent.state === "RUNNING" ? null : refuse(parent, "PARENT_CLOSED");',
        replace: "return null;",
      },
    ],
    killers: [byStory("no child starts under a closed parent")],
  },
  {
    name: "a child starts from an attempt that is not its own any more",
    breaks: "C2",
    edits: [
      {
        file: CHILDREN,
        find: "  const refusal = fence(parent, attempt);\n  if (refusal) return refusal;\n",
        replace: "",
      },
    ],
    killers: [byStory("no child starts under a closed parent")],
  },
  {
    name: "late evidence of a child is not told to its parent",
    breaks: "C3",
    edits: [
      {
        file: FOLD,
        find: "if (wasSettled && (unconfirmed || !mayStillRun(before))) return;",
        replace: "if (wasSettled) return;",
      },
    ],
    killers: [byFamily("a parent and its child on two sessions", "C3: ")],
  },
  {
    name: "a parent still waits for a child that was left to others",
    breaks: "C3",
    edits: [
      {
        file: CHILDREN,
        find: "awaited: command.wasUnconfirmed ? awaited : awaited - 1,",
        replace: 'awaited: command.wasUnconfirmed || command.outcome === "DETACHED" ? awaited : awaited - 1,',
      },
    ],
    killers: [byStory("a child shared by two parents is left to the other")],
  },
  {
    name: "the cancel deadline of a parent ignores the time that its children need",
    breaks: "G3",
    edits: [
      {
        file: "src/engine/transitions/cancel-request.ts",
        find: "Math.max(own, record.children?.stopMs ?? 0)",
        replace: "own",
      },
    ],
    killers: [byStory("the cancel deadline of a parent is the longest of its descendants")],
  },
  {
    name: "a family without an end of generations",
    breaks: "C2",
    edits: [
      {
        file: START,
        find: "|| generationOf(fold, parent) >= childLimits.generations",
        replace: "|| generationOf(fold, parent) > 1000",
      },
    ],
    killers: [byStory("a parent takes a thousand children")],
  },
];

const sweeps: readonly Mutant[] = [
  {
    name: "a grace that was made shorter is not passed on",
    breaks: "C5",
    edits: [
      {
        file: "src/engine/operation.ts",
        find: "graceEndTime: isCut ? cancel.graceEndTime : null",
        replace: "graceEndTime: null",
      },
    ],
    killers: [byStory("a grace that a caller made shorter")],
  },
  {
    name: "force on a parent does not wake the sweep",
    breaks: "C5",
    edits: [
      {
        file: SWEEPER,
        find: "if (known !== urgency) this.wake();",
        replace: "if (known === undefined) this.wake();",
      },
    ],
    killers: [
      {
        file: "src/engine/children.test.ts",
        title: "force on a parent that is being cancelled is told",
        says: "the whole family is forced",
      },
    ],
  },
  {
    name: "a report of a child makes the store forget that it is to be forced",
    breaks: "C5",
    edits: [
      {
        file: "src/stores/kin-pressure.ts",
        find: "isClosed(parent) && isGentler(cancel, urgencyOf(parent));",
        replace: "false;",
      },
    ],
    killers: [byStore("a cancel that gets stricter (force)", "AssertionError")],
  },
  {
    name: "a child that another parent wants is cancelled with the first",
    breaks: "C4",
    edits: [
      {
        file: SWEEP,
        find: "child.hasOwnCaller || live.length > closing.length;",
        replace: "child.hasOwnCaller;",
      },
    ],
    killers: [byStory("a child shared by two parents is left to the other")],
  },
  {
    name: "a child that a caller wants, too, is cancelled with its parent",
    breaks: "C4",
    edits: [
      {
        file: SWEEP,
        find: "child.hasOwnCaller || live.length > closing.length;",
        replace: "live.length > closing.length;",
      },
    ],
    killers: [byFamily("a child that a caller wants, too", "AssertionError")],
  },
  {
    name: "the sweep tells abandoned children",
    breaks: "C4",
    edits: [
      {
        file: "src/stores/sqlite/commit-statements.ts",
        find: "AND policy = 'cancel' AND detached = 0",
        replace: "AND policy <> 'wait' AND detached = 0",
      },
      {
        file: SWEEP,
        find: 'link.policy === "cancel" && isClosed',
        replace: 'link.policy !== "wait" && isClosed',
      },
    ],
    killers: [byStore("the end of a parent tells its children; those that may run on", "AssertionError")],
  },
  {
    name: "the sweep forgets grandchildren",
    breaks: "C4",
    edits: [
      {
        file: "src/stores/sqlite/decision-writer.ts",
        find: "if (!isClosed(record)) continue;",
        replace: "if (!isClosed(record) || (parents.length > 0 && children !== null)) continue;",
      },
    ],
    killers: [byStore("the cancel of a parent reaches grandchildren by sweeps", "AssertionError")],
  },
  {
    name: "a sweep that a crash cut off is forgotten",
    breaks: "C4",
    edits: [
      {
        file: SWEEPER,
        find: "if ((await this.#options.pendingWork()).hasUnsweptChildren) this.wake();",
        replace: "if ((await this.#options.pendingWork()).hasUnsweptChildren) this.#isWanted = true;",
      },
    ],
    killers: [
      {
        file: "src/engine/children.test.ts",
        title: "a sweep that a crash cut off goes on in the next life",
        says: "not within",
      },
    ],
  },
  {
    name: "force on a parent does not reach children that were told before",
    breaks: "C5",
    edits: [
      {
        file: SWEEP,
        find: "cancel === null ? closing : closing.filter((link) =>",
        replace: "cancel === null ? closing : closing.slice(0, 0).filter((link) =>",
      },
    ],
    killers: [byStory("force on a parent that is being cancelled reaches its children")],
  },
  {
    name: "force on a parent hurries a child that others want",
    breaks: "C5",
    edits: [
      {
        file: SWEEP,
        find: "if (isWanted) detach(fold, child, telling);",
        replace: "if (isWanted && cancel === null) detach(fold, child, telling);",
      },
    ],
    killers: [byStory("force finds children that were being cancelled before their parent")],
  },
  {
    name: "a child is cancelled in nobody's name",
    breaks: "C4",
    edits: [{ file: SWEEP, find: 'requestedBy: by.requestedBy ?? "",', replace: 'requestedBy: "",' }],
    killers: [byStory("a cancelled parent ends after its children")],
  },
];

const rules: readonly Mutant[] = [
  {
    name: "a newer operation does not see the older one of its own batch",
    breaks: "superseding",
    edits: [
      {
        file: START,
        find: "  for (const record of fold.changed()) keys.set(keyText(record), record);\n",
        replace: "",
      },
    ],
    killers: [byStory("a newer operation of the same key ends the older ones")],
  },
  {
    name: "a supersede key reaches the operations of other parents",
    breaks: "T1",
    edits: [{ file: START, find: "      older.parent === newer.parent &&\n", replace: "" }],
    killers: [byStory("a newer operation reaches nothing of another parent")],
  },
  {
    name: "a supersede key reaches the operations of other types",
    breaks: "superseding",
    edits: [
      { file: START, find: "      older.type === type &&\n", replace: "" },
      {
        file: "src/stores/sqlite/commit-statements.ts",
        find: "AND o.type = ? AND o.supersede_key = ?",
        replace: "AND ? <> '' AND o.supersede_key = ?",
      },
    ],
    killers: [byStore("a start with a supersede key cancels the live ones", "AssertionError")],
  },
  {
    name: "nobody's absence ends an operation",
    breaks: "R2",
    edits: [
      {
        file: "src/engine/transitions/tick.ts",
        find: "const unwatched = record.watchDeadline !== null && record.watchDeadline <= now;",
        replace: "const unwatched = now < 0;",
      },
    ],
    killers: [bySearch("R2: "), byStore("an operation that nobody watches is cancelled", "AssertionError")],
  },
  {
    name: "a watcher does not renew the watch deadline",
    breaks: "R2",
    edits: [
      {
        file: "src/engine/transitions/watch.ts",
        find: "watchDeadline <= (record.watchDeadline ?? 0)",
        replace: "watchDeadline > (record.watchDeadline ?? 0)",
      },
    ],
    killers: [byStore("a watch moves the deadline", "AssertionError")],
  },
  {
    name: "watchers that were shut out lose their time",
    breaks: "R2",
    edits: [
      {
        file: "src/engine/maintenance/timer-keeper.ts",
        find: "    if (!this.#wasAway) return;\n",
        replace: "    if (this.#wasAway) return;\n",
      },
    ],
    killers: [
      {
        file: "src/engine/watch-presence.test.ts",
        title: "a server that was away gives every watcher its time again",
        says: "not within",
      },
    ],
  },
  {
    name: "a wait does not count as watching",
    breaks: "R2",
    edits: [
      {
        file: "src/engine/operation-calls.ts",
        find: "      hold = this.#parts.presence.hold(record);\n",
        replace: "",
      },
    ],
    killers: [
      {
        file: "src/engine/watch-presence.test.ts",
        title: "a wait keeps it alive as long as it is held",
        says: "AssertionError",
      },
    ],
  },
  {
    name: "a watch of everything renews what it is told of",
    breaks: "R2",
    edits: [
      {
        file: "src/engine/feed-hub.ts",
        find: "    if (entries.length === 0) this.#free(subscription);\n",
        replace:
          "    this.#options.hold(entries.map(({ name }) => ({ ...subscription.watch, name })));\n    if (entries.length === 0) this.#free(subscription);\n",
      },
    ],
    killers: [
      {
        file: "src/engine/watch-presence.test.ts",
        title: "a watch by name keeps it alive, a watch of everything does not",
        says: "not within",
      },
    ],
  },
];

export const familyMutants: readonly Mutant[] = [...parents, ...sweeps, ...rules];
