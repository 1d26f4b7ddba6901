// Bugs of the feed and of what watches it: each visible change once, in order, and to nobody else.
import { byStore } from "./killers.ts";
import type { Killer, Mutant } from "./run-mutant.ts";

const HUB = "src/engine/feed-hub.ts";
const READER = "src/stores/sqlite/feed-reader.ts";
const REST = "src/server/rest-stream.ts";
const WATCH = "src/services/native/watch-stream.ts";

function byHub(title: string, says = "AssertionError"): Killer {
  return { file: "src/engine/feed-hub.test.ts", title, says };
}

function byWatch(title: string, says = "AssertionError"): Killer {
  return { file: "src/services/native/watch-operations.test.ts", title, says };
}

function byStreams(title: string): Killer {
  return { file: "src/server/streams.test.ts", title, says: "AssertionError" };
}

export const feedMutants: readonly Mutant[] = [
  {
    name: "the event behind a full page is left out",
    breaks: "S17",
    edits: [
      {
        file: READER,
        find: "return page.message(page.last, false);",
        replace: "return page.message(page.last + 1, false);",
      },
    ],
    killers: [byStore("reads of 1 give each event", "AssertionError")],
  },
  {
    name: "the last event of a page comes again with the next",
    breaks: "S17",
    edits: [
      {
        file: READER,
        find: "return page.message(page.last, false);",
        replace: "return page.message(page.last - 1, false);",
      },
    ],
    killers: [byStore("reads of 3 give each event", "AssertionError")],
  },
  {
    name: "a page ends the catching up, however much is left",
    breaks: "S17",
    edits: [{ file: HUB, find: "    if (!page.isAtEnd) subscription.isDirty = true;\n", replace: "" }],
    killers: [byHub("a watch that resumes gets what it missed", "not within")],
  },
  {
    name: "watches that are read for together get each other's past",
    breaks: "S17",
    edits: [
      {
        file: "src/engine/feed-lane.ts",
        find: "entry.position <= (position ?? 0) || ",
        replace: "",
      },
    ],
    killers: [byHub("watches that go on from different places share a read")],
  },
  {
    name: "a start is no event",
    breaks: "S17",
    edits: [
      {
        file: "src/engine/batch/fold.ts",
        find: "    if (effects.visible) this.#events.push(",
        replace: "    if (effects.visible && before !== null) this.#events.push(",
      },
    ],
    killers: [byHub("a watch tells each visible change once", "not within")],
  },
  {
    name: "a position counts although commits before it were not handed out",
    breaks: "S17",
    edits: [
      {
        file: "src/engine/feed-positions.ts",
        find: "if (settled >= sent) this.#options.reached(ends);",
        replace: "if (sent >= 0) this.#options.reached(ends);",
      },
    ],
    killers: [
      {
        file: "src/engine/feed-positions.test.ts",
        title: "a position that is read while commits are under way",
        says: "AssertionError",
      },
    ],
  },
  {
    name: "a watch goes on from a position whose events are gone",
    breaks: "S17",
    edits: [
      {
        file: READER,
        find: '    if (after < removed) throw new RpcError("RESUME_TOKEN_EXPIRED");\n',
        replace: "",
      },
    ],
    killers: [byStore("a position whose events were removed is refused", "rejection")],
  },
  {
    name: "a watch reads every tenant's events",
    breaks: "T1",
    edits: [
      {
        file: "src/stores/sqlite/log-statements.ts",
        find: "AND service = ?3 AND tenant = ?4 ORDER BY position`",
        replace: "AND service = ?3 AND ?4 <> '' ORDER BY position`",
      },
    ],
    killers: [byStore("reads of 3 give each event", "AssertionError")],
  },
  {
    name: "a resume token serves another tenant",
    breaks: "T1",
    edits: [
      {
        file: "src/stores/resume-token.ts",
        find: 'return ["belay.resume.v1", service, tenant];',
        replace: 'return ["belay.resume.v1", service, tenant.slice(0, 0)];',
      },
    ],
    killers: [
      {
        file: "src/stores/resume-token.test.ts",
        title: "a token is no other tenant's",
        says: "AssertionError",
      },
    ],
  },
  {
    name: "what a snapshot told is told again as a change",
    breaks: "S17",
    edits: [{ file: WATCH, find: "revision > (this.#told.get(name) ?? 0)", replace: "revision > 0" }],
    killers: [byWatch("what changes after the watch has begun")],
  },
  {
    name: "a client that takes nothing is waited for without an end",
    breaks: "S17",
    edits: [
      { file: WATCH, find: "if (left < bufferedBytes) this", replace: "if (left <= bufferedBytes) this" },
    ],
    killers: [byWatch("one who takes nothing at all is ended", "not within")],
  },
  {
    name: "server-sent events without an id",
    breaks: "S17",
    edits: [{ file: REST, find: 'id === "" ? "" : `id: ${id}\\n`', replace: 'id === "" ? id : ""' }],
    killers: [byStreams("each message is an event of one line, with its id")],
  },
  {
    name: "Last-Event-ID is ignored",
    breaks: "S17",
    edits: [{ file: REST, find: "    this.#resume(request);\n", replace: "" }],
    killers: [byStreams("Last-Event-ID")],
  },
];
