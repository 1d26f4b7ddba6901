// Bugs of workers' sessions in the engine: leases, streams that break, workers that come back.
import { bySearch, byStore, byStory } from "./killers.ts";
import type { Killer, Mutant } from "./run-mutant.ts";

const COMMANDS = "src/engine/batch/session-commands.ts";
const DIRECTORY = "src/engine/session-directory.ts";
const KEEPER = "src/engine/maintenance/session-keeper.ts";
const LEASE = "src/engine/transitions/lease.ts";
const SESSION = "src/engine/session.ts";

function bySession(title: string, says = "AssertionError"): Killer {
  return { file: "src/engine/session.test.ts", title, says };
}

const leases: readonly Mutant[] = [
  {
    name: "anybody begins what was reserved for another",
    breaks: "G1",
    edits: [
      {
        file: LEASE,
        find: "  if (refusal) return refusal;\n  if (record.lease === null || record.lease.begun) return unchanged(record);",
        replace:
          '  if (refusal && refusal.reason !== "LEASE_LOST") return refusal;\n  if (record.lease === null || record.lease.begun) return unchanged(record);',
      },
    ],
    killers: [bySearch("S9: ")],
  },
  {
    name: "a worker reports what it has not begun",
    breaks: "S9",
    edits: [
      {
        file: "src/engine/transitions/change.ts",
        find: 'if (options.begun && !lease.begun) return refuse(record, "NOT_BEGUN");',
        replace: "",
      },
    ],
    killers: [bySearch("S9: "), byStory("a lease that has passed frees")],
  },
  {
    name: "reserved work that is lost counts as an attempt",
    breaks: "S11",
    edits: [
      {
        file: LEASE,
        find: "if (!lease.begun) return accept({ ...record, lease: null }, { visible: false });",
        replace:
          "if (!lease.begun) return accept({ ...record, lease: null, attempt: record.attempt + 1 }, { visible: false });",
      },
    ],
    killers: [bySearch("S11: ")],
  },
  {
    name: "a session ends although its heartbeat was committed first",
    breaks: "L3",
    edits: [
      {
        file: COMMANDS,
        find: " && heartbeatTime + leaseMs * 1000 <= fold.now;",
        replace: "; void heartbeatTime;",
      },
    ],
    killers: [byStory("a lease that has passed frees what was only reserved")],
  },
  {
    name: "a session whose lease has passed is closed, and what it holds is left with it",
    breaks: "L3",
    edits: [
      {
        file: COMMANDS,
        find: "    count += settle(fold, id, index, { survivors: [] });\n",
        replace: "    fold.dropSession(id);\n    count++;\n",
      },
    ],
    killers: [byStory("a lease that has passed frees what was only reserved")],
  },
  {
    name: "embedded sessions have a lease, too",
    breaks: "L3",
    edits: [
      {
        file: "src/stores/sqlite/commit-statements.ts",
        find: "WHERE lease_ms > 0 AND heartbeat_time",
        replace: "WHERE lease_ms >= 0 AND heartbeat_time",
      },
      { file: COMMANDS, find: "leaseMs > 0 && ", replace: "" },
    ],
    killers: [
      byStore("the end of the first lease is known when a server starts; those without", "AssertionError"),
    ],
  },
  {
    name: "after a pause sessions end before their heartbeats are read",
    breaks: "L3",
    edits: [{ file: KEEPER, find: "if (lateMs < PAUSE_MS) {", replace: "if (lateMs > -PAUSE_MS) {" }],
    killers: [
      {
        file: "src/engine/maintenance/session-keeper.test.ts",
        title: "after a pause a session whose heartbeat waited lives on",
        says: "AssertionError",
      },
    ],
  },
  {
    name: "a heartbeat renews nothing",
    breaks: "L3",
    edits: [
      {
        file: "src/stores/sqlite/commit-statements.ts",
        find: "SET heartbeat_time = ?, node",
        replace: "SET heartbeat_time = min(heartbeat_time, ?), node",
      },
    ],
    killers: [byStore("a heartbeat moves the lease's end", "AssertionError")],
  },
  {
    name: "the worker of a lease that has passed is not told",
    breaks: "G6",
    edits: [
      {
        file: KEEPER,
        find: "if (hasExpired || (isShared && someMayBeOver())) await expired();\n",
        replace: "",
      },
    ],
    killers: [bySession("an idle worker whose lease passes is told", "not within")],
  },
];

const streams: readonly Mutant[] = [
  {
    name: "the answer to a heartbeat leaves the open cancels out",
    breaks: "G6",
    edits: [{ file: SESSION, find: "    return this.openCancels();\n", replace: "    return [];\n" }],
    killers: [bySession("every heartbeat answers the cancels that are open")],
  },
  {
    name: "the grant of a remote worker begins at once",
    breaks: "S11",
    edits: [
      {
        file: SESSION,
        find: "begin: !(this.#transport?.reserves ?? true),",
        replace: "begin: this.#transport !== null,",
      },
    ],
    killers: [bySession("a remote worker's grant only reserves")],
  },
  {
    name: "reserved work waits for a worker that is away",
    breaks: "L3",
    edits: [
      {
        file: SESSION,
        find: "    for (const given of this.#given.values()) if (!given.begun) this.#giveBack(given);\n",
        replace: "",
      },
    ],
    killers: [bySession("a broken stream ends nothing", "not within")],
  },
  {
    name: "a cancel during a break is not told again",
    breaks: "G6",
    edits: [
      {
        file: SESSION,
        find: "    for (const given of this.#given.values()) this.#tell(given);\n",
        replace: "",
      },
    ],
    killers: [bySession("a cancel during the break is told", "not within")],
  },
  {
    name: "a cancel between a begin and its acknowledgement is told once, too early",
    breaks: "G6",
    edits: [
      {
        file: SESSION,
        find: 'if (command.type === "begin") this.#begunReported(text);\n',
        replace: "",
      },
    ],
    killers: [bySession("a cancel in the batch of the begin", "not within")],
  },
  {
    name: "a worker that comes back is not told what it has lost",
    breaks: "S9",
    edits: [{ file: SESSION, find: "      else lost.push(attempt);\n", replace: "" }],
    killers: [bySession("work that ended during the break is lost")],
  },
  {
    name: "what a worker did not get is not sent again",
    breaks: "L3",
    edits: [
      {
        file: SESSION,
        find: "given.missing = !known.has(given);",
        replace: "given.missing = known.size < 0;",
      },
    ],
    killers: [bySession("what the worker does not have in hand is sent again", "not within")],
  },
  {
    name: "slots that were freed into a broken stream are lost",
    breaks: "L3",
    edits: [
      {
        file: SESSION,
        find: "    this.#acquires.occupy(inHand.length + (this.#given.size - known.size));\n",
        replace: "",
      },
    ],
    killers: [bySession("a worker that comes back has its slots counted", "not within")],
  },
  {
    name: "an earlier stream of a session is heard beside the later one",
    breaks: "S10",
    edits: [{ file: SESSION, find: '    replaced?.ended("replaced");\n', replace: "" }],
    killers: [bySession("of two streams of one session the later one is heard")],
  },
  {
    name: "anybody takes up anybody's session",
    breaks: "T1",
    edits: [
      {
        file: DIRECTORY,
        find: 'session?.facts.kind !== "remote" || session.facts.principal !== principal',
        replace: 'session?.facts.kind !== "remote"',
      },
    ],
    killers: [bySession("nobody takes up a session that is another's")],
  },
  {
    name: "what is committed while a former session is read is missed",
    breaks: "G6",
    edits: [
      {
        file: DIRECTORY,
        find: "      if (known === undefined || !isNewerHold(known, record)) heard.set(text, record);\n",
        replace: "",
      },
    ],
    killers: [bySession("a cancel that is committed while a former session is read", "not within")],
  },
  {
    name: "a session with held work gets new work after a restart",
    breaks: "G2",
    edits: [
      {
        file: SESSION,
        find: "      else if (record.held?.session === this.id) this.#stuck.set(text, sightOf(record));\n",
        replace: "",
      },
    ],
    killers: [bySession("a session that held a stuck handler before a restart", "AssertionError")],
  },
  {
    name: "a draining worker gets work on its next stream",
    breaks: "L3",
    edits: [{ file: SESSION, find: "isOpen && !this.#isDraining && ", replace: "isOpen && " }],
    killers: [bySession("a draining worker gets no new work", "AssertionError")],
  },
];

const counted: readonly Mutant[] = [
  {
    name: "what happens is counted before it is durable",
    breaks: "G9",
    edits: [
      {
        file: "src/engine/committer.ts",
        find: "      const result = await this.#store.commit(commands);\n",
        replace:
          '      const taken = commands.map(() => ({ type: "session" }) as const);\n      this.#onCommit({ commands, outcomes: taken, changed: [], durationMs: 0, place: 0 });\n      const result = await this.#store.commit(commands);\n',
      },
    ],
    killers: [
      {
        file: "src/engine/committer.test.ts",
        title: "a commit that fails is told to its callers, and counted by nobody",
        says: "AssertionError",
      },
    ],
  },
  {
    name: "an end is counted again when its operation is deleted",
    breaks: "G9",
    edits: [
      {
        file: "src/engine/engine-metrics.ts",
        find: "    this.#horizons[place] = horizon;\n  }",
        replace: "  }",
      },
    ],
    killers: [
      {
        file: "src/engine/engine-metrics.test.ts",
        title: "a life is counted once",
        says: "AssertionError",
      },
    ],
  },
];

export const sessionMutants: readonly Mutant[] = [...leases, ...streams, ...counted];
