// Bugs of the SQLite store: durability, retention, lists, the cache, the constraints.
import { byStore } from "./killers.ts";
import type { Mutant } from "./run-mutant.ts";

const PURGE = "src/stores/sqlite/log-statements.ts";
const SEALED_TOKEN = "src/stores/sealed-token.ts";
const CACHE = "src/stores/sqlite/operation-cache.ts";
const CACHE_TEST = "src/stores/sqlite/operation-cache.test.ts";
const SCHEMA = "migrations/sqlite/0002_cancellation.sql";
const SCHEMA_TEST = "src/stores/sqlite/schema.test.ts";

export const storeMutants: readonly Mutant[] = [
  {
    name: "what a pending operation holds is not stored",
    breaks: "G2",
    edits: [
      {
        file: "src/stores/sqlite/decision-writer.ts",
        find: "record.held?.token !== before.held?.token",
        replace: "record.held?.token === -1",
      },
    ],
    killers: [byStore("an attempt whose time ran out is held", "strictly deep-equal")],
  },
  {
    name: "synchronous NORMAL: a power cut loses what was acknowledged",
    breaks: "G9",
    edits: [
      {
        file: "src/stores/sqlite/database.ts",
        find: "PRAGMA synchronous = FULL;",
        replace: "PRAGMA synchronous = NORMAL;",
      },
    ],
    killers: [byStore("an empty commit", "synchronous is 1, and must be 2")],
  },
  {
    name: "an acknowledgement of what was not written",
    breaks: "S22",
    edits: [
      {
        file: "src/stores/sqlite/writer.ts",
        find: "      this.#decisions.write(decision, loaded, now);\n",
        replace: "",
      },
    ],
    killers: [byStore("what was acknowledged is there after the store was closed", "AssertionError")],
  },
  {
    name: "pages by offset",
    breaks: "S16",
    edits: [
      {
        file: "src/stores/sqlite/list-pager.ts",
        find: "    const range = [service, tenant, parent, at.createTime, at.id, end.createTime, end.id];\n",
        replace: '    const range = [service, tenant, parent, 9e15, "~", end.createTime, end.id];\n',
      },
      {
        file: "src/stores/sqlite/list-pager.ts",
        find: "    yield* statement.iterate(...values, limit) as unknown as Iterable<ListedRow>;",
        replace:
          "    const skip = offsets.get(at.id) ?? 0;\n    let count = 0;\n    for (const row of statement.iterate(...values, limit + skip) as unknown as Iterable<ListedRow>) {\n      count++;\n      if (count <= skip) continue;\n      offsets.set(row[3] as string, count);\n      yield row;\n    }",
      },
      {
        file: "src/stores/sqlite/list-pager.ts",
        find: "/** A query, made ready. */",
        replace: "const offsets = new Map<string, number>();\n\n/** A query, made ready. */",
      },
    ],
    killers: [byStore("what is there during the whole listing", "AssertionError")],
  },
  {
    name: "retention takes operations that are not done",
    breaks: "S19",
    edits: [
      {
        file: PURGE,
        find: "FROM operations INDEXED BY operations_expire\n    WHERE expire_time <= ? AND held_session IS NULL",
        replace:
          "FROM operations\n    WHERE coalesce(expire_time, create_time) <= ? AND held_session IS NULL",
      },
    ],
    killers: [byStore("an operation that is not done never goes", "S19: an operation that is not done")],
  },
  {
    name: "retention takes operations whose work may still run",
    breaks: "G2",
    edits: [
      {
        file: PURGE,
        find: "WHERE expire_time <= ? AND held_session IS NULL",
        replace: "WHERE expire_time <= ?",
      },
    ],
    killers: [byStore("an operation whose work may still run stays", "AssertionError")],
  },
  {
    name: "a session's end forgets what it holds after an unconfirmed stop",
    breaks: "G2",
    edits: [
      {
        file: "src/stores/sqlite/commit-statements.ts",
        find: "WHERE o.held_session = ?1",
        replace: "WHERE o.held_session = ?1 AND FALSE",
      },
    ],
    killers: [byStore("closing a session reaches what it holds after an unconfirmed stop", "AssertionError")],
  },
  {
    name: "a page token serves any request",
    breaks: "S16",
    edits: [
      {
        file: SEALED_TOKEN,
        find: "decipher.setAAD(boundTo(head, scope));",
        replace: "decipher.setAAD(head);",
      },
      {
        file: SEALED_TOKEN,
        find: "  cipher.setAAD(boundTo(head, scope));",
        replace: "  cipher.setAAD(head);",
      },
    ],
    killers: [{ file: "src/stores/page-token.test.ts", says: "AssertionError" }],
  },
  {
    name: "a read that a commit overtook puts the old row back",
    breaks: "S14",
    edits: [
      {
        file: CACHE,
        find: "if (read.isStale) return this.#newest(read.text, stored);",
        replace: "if (read.isStale && stored === undefined) return this.#newest(read.text, stored);",
      },
    ],
    killers: [{ file: CACHE_TEST, title: "a read that a commit overtook", says: "AssertionError" }],
  },
  {
    name: "the reply of an older commit replaces what was seen of a later one",
    breaks: "S14",
    edits: [
      {
        file: CACHE,
        find: "if (this.#isNewer(text, stored)) this.#put(text, stored, bytes);\n  }\n\n  /** The operation is gone",
        replace: "this.#put(text, stored, bytes);\n  }\n\n  /** The operation is gone",
      },
    ],
    killers: [{ file: CACHE_TEST, title: "the reply of an older commit", says: "AssertionError" }],
  },
  {
    name: "the database lets a done operation change",
    breaks: "S1",
    edits: [
      {
        file: "src/stores/sqlite/commit-statements.ts",
        find: 'const NOT_DONE = "done_time IS NULL";',
        replace: 'const NOT_DONE = "";',
      },
    ],
    killers: [{ file: SCHEMA_TEST, title: "no update finds the row: S1", says: "AssertionError" }],
  },
  {
    name: "the database lets a running operation have a result",
    breaks: "S2",
    edits: [
      {
        file: SCHEMA,
        find: "WHEN 'RUNNING' THEN done_time IS NULL AND outcome IS NULL AND",
        replace: "WHEN 'RUNNING' THEN",
      },
    ],
    killers: [{ file: SCHEMA_TEST, title: "a row is refused", says: "AssertionError" }],
  },
];
