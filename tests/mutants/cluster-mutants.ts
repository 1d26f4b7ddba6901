// Bugs of the shared store that only several nodes on one database can show; those of the engine are in node-mutants.ts.
import type { Mutant } from "./run-mutant.ts";

const STATEMENTS = "src/stores/postgres/commit-statements.ts";

const storeNodes = "tests/conformance/store/postgres-nodes.test.ts";
const twoNodes = "tests/conformance/store/two-nodes.test.ts";
const followed = "tests/conformance/store/postgres-followed.test.ts";

export const clusterMutants: readonly Mutant[] = [
  {
    name: "no compare-and-set: what another node has written meanwhile is overwritten",
    breaks: "S15",
    edits: [
      {
        file: STATEMENTS,
        find: 'lookUp("operations", source, [...KEYS, "version"])} WHERE',
        replace: 'lookUp("operations", source, KEYS)} WHERE',
      },
    ],
    killers: [
      {
        file: storeNodes,
        title: "an operation that another node has changed is not written from memory",
        says: "AssertionError",
      },
    ],
  },
  {
    name: "a read is answered from what this node has in memory",
    breaks: "S14",
    edits: [
      {
        file: "src/stores/postgres/postgres-store.ts",
        find: "peekOperation(): undefined {\n    return undefined;",
        replace:
          "#seen = new Map<string, StoredOperation>();\n  peekOperation({ name }: OperationKey): StoredOperation | undefined {\n    return this.#seen.get(name);",
      },
      {
        file: "src/stores/postgres/postgres-store.ts",
        find: "    const { changed } = result;",
        replace:
          "    const { changed } = result;\n    for (const stored of changed) this.#seen.set(stored.record.name, stored);",
      },
    ],
    killers: [
      {
        file: followed,
        title: "a read at one node sees what another one has just committed",
        says: "AssertionError",
      },
    ],
  },
  {
    name: "a node's own commit takes its place past what others have committed before",
    breaks: "S17",
    edits: [
      {
        file: "src/stores/postgres/change-cursor.ts",
        find: "    this.#own.set(first, last);\n    this.#absorb();",
        replace: "    this.#position = Math.max(this.#position, last, first);",
      },
    ],
    killers: [{ file: "src/stores/postgres/change-cursor.test.ts", says: "AssertionError" }],
  },
  {
    name: "a node does not tell itself what others commit",
    breaks: "S17",
    edits: [
      {
        file: "src/stores/postgres/change-follower.ts",
        find: "this.#tell(news.flatMap(({ changes }) => changes));",
        replace: "this.#tell(news.flatMap(() => []));",
      },
    ],
    killers: [{ file: followed, title: "a follower is told every change", says: "not within" }],
  },
  {
    name: "positions of the feed come from a sequence: one that commits late is passed by",
    breaks: "S17",
    edits: [
      {
        file: "migrations/postgres/0001_initial.sql",
        find: "CREATE TABLE meta (",
        replace: "CREATE SEQUENCE feed_places;\nCREATE TABLE meta (",
      },
      {
        file: STATEMENTS,
        find: `UPDATE meta SET feed_position = feed_position + $1::bigint, last_instant = greatest(last_instant, $2::bigint)
      WHERE id = 1 RETURNING feed_position)`,
        replace:
          "SELECT max(nextval('feed_places')) AS feed_position FROM generate_series(1, $1::bigint) WHERE $2::bigint > 0)",
      },
      {
        file: "src/stores/postgres/feed-statements.ts",
        find: "SELECT meta.feed_removed, meta.feed_position, event.position",
        replace: "SELECT meta.feed_removed, coalesce((SELECT max(position) FROM feed), 0), event.position",
      },
    ],
    killers: [{ file: followed, title: "a reader of the feed does not pass by", says: "AssertionError" }],
  },
  {
    name: "leases end by the node's own clock",
    breaks: "S19",
    edits: [
      {
        file: "src/stores/postgres/postgres-clock.ts",
        find: "const now = Math.floor(toUs(monotonicNs()) + this.#offset);",
        replace: "const now = Date.now() * 1000;",
      },
    ],
    killers: [{ file: followed, title: "a node's time is the database's", says: "AssertionError" }],
  },
  {
    name: "a session in memory is taken for open, whatever another node did to it",
    breaks: "L3",
    edits: [
      {
        file: "src/stores/postgres/decision-writer.ts",
        find: "return rows.length === 0 ? [] : [statements.checkSessions.step(rows, [rows.length])];",
        replace: "void statements.checkSessions;\n  return rows.slice(rows.length) as never;",
      },
    ],
    killers: [
      {
        file: twoNodes,
        title: "a session that another node closes is given nothing",
        says: "AssertionError",
      },
    ],
  },
  {
    name: "a session that moved to another node is still open here",
    breaks: "L3",
    edits: [
      {
        file: STATEMENTS,
        find: '\n      AND x.node IS NOT DISTINCT FROM ${of("node")} LIMIT 1 FOR KEY SHARE',
        replace: " AND coalesce(${of(\"node\")}, '') IS NOT NULL LIMIT 1 FOR KEY SHARE",
      },
    ],
    killers: [
      {
        file: twoNodes,
        title: "a session that came to another node is acquired for",
        says: "AssertionError",
      },
    ],
  },
];
