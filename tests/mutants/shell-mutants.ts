// Bugs of the engine's shell: committing, waiting, waking, settling.
import { byEngine, byTranscript } from "./killers.ts";
import type { Mutant } from "./run-mutant.ts";

const CALLS = "src/engine/operation-calls.ts";
const ENGINE = "src/engine/engine.ts";
const PARTS = "src/engine/engine-parts.ts";
const COMMITTER = "src/engine/committer.ts";
const SESSION = "src/engine/session.ts";

export const shellMutants: readonly Mutant[] = [
  {
    name: "a worker is not told that its attempt's time is over",
    breaks: "G10",
    edits: [
      {
        file: SESSION,
        find: "(record.held?.session === this.id && cancel !== null)",
        replace: "record.held?.session === this.id",
      },
    ],
    killers: [byEngine("an attempt timeout takes the attempt away", "the revocation")],
  },
  {
    name: "a cancel of work that outlived its time lets its session have new work",
    breaks: "G2",
    edits: [{ file: SESSION, find: "isHeld || (isAwaited && this.#stuck.has(text))", replace: "isHeld" }],
    killers: [
      byEngine("a cancel after an attempt timeout waits", "a session with a stuck handler got new work"),
    ],
  },
  {
    name: "a wait reads first and subscribes then",
    breaks: "L1",
    edits: [
      {
        file: CALLS,
        find: "    const { promise, resolve } = Promise.withResolvers<StoredOperation | undefined>();\n",
        replace:
          "    const early = sight(await this.#kept(key));\n    if (isDone(early.record.state)) return early;\n    const { promise, resolve } = Promise.withResolvers<StoredOperation | undefined>();\n",
      },
      {
        file: CALLS,
        find: "      let record = isOwn ? this.#parts.remote.standing(keyText(key)) : undefined;\n      if (record === undefined) {\n        const current = sight(await this.#kept(key));\n        if (isDone(current.record.state)) return current;\n        ({ record } = current);\n      } else this.#parts.presence.seen(record);\n      hold = this.#parts.presence.hold(record);\n",
        replace: "",
      },
    ],
    killers: [
      {
        file: "tests/simulation/wait-race.test.ts",
        title: "a wait whose read was overtaken",
        says: "lost wake-up",
      },
    ],
  },
  {
    name: "the callers are answered before the worker is told",
    breaks: "G6",
    edits: [
      {
        file: COMMITTER,
        find: "      this.#onChanged(result.changed);\n",
        replace: "      setImmediate(() => this.#onChanged(result.changed));\n",
      },
    ],
    killers: [byEngine("when cancel answers, the worker has been told", "AssertionError")],
  },
  {
    name: "a session with a stuck handler is given new work",
    breaks: "G2",
    edits: [{ file: SESSION, find: " && this.#stuck.size === 0", replace: "" }],
    killers: [byEngine("a cancel deadline without evidence", "AssertionError")],
  },
  {
    name: "a wait answers an operation that a client deleted",
    breaks: "S18",
    edits: [
      {
        file: CALLS,
        find: "if (!operation || operation.record.deleteTime !== null) {",
        replace: "if (!operation) {",
      },
    ],
    killers: [byTranscript("engine/wait.txt: delete", "OPERATION_NOT_FOUND")],
  },
  {
    name: "a delete leaves the waiters asleep",
    breaks: "L1",
    edits: [
      {
        file: PARTS,
        find: "if (isDone(record.state) || record.deleteTime !== null) this.waiters",
        replace: "if (isDone(record.state)) this.waiters",
      },
    ],
    killers: [byTranscript("engine/wait.txt: delete", "wait: held")],
  },
  {
    name: "work that survived its server counts as stopped",
    breaks: "G2",
    edits: [
      {
        file: ENGINE,
        find: "await sessions.close(session.session, { survivors, isGone });",
        replace: "await sessions.close(session.session, { survivors: [], isGone });",
      },
    ],
    killers: [byTranscript("engine/restart.txt: work that was seen alive", "STOP_UNCONFIRMED")],
  },
  {
    name: "a restart settles nothing",
    breaks: "L3",
    edits: [
      {
        file: ENGINE,
        find: 'session.kind === "embedded" && !sessions',
        replace: 'session.kind === "remote" && !sessions',
      },
    ],
    killers: [byTranscript("engine/restart.txt: work under way", "attempt=1/2")],
  },
];
