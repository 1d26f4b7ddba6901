// Which pending operations the acquires of a batch may grant: due, of their types, not blocked by a full slot; highest
// priority first, then the earliest start. What is found is locked, and what other nodes have locked is passed over.
//
// Those without a limit are read in order, and locked as they are read. Those with one are first looked for without locks,
// in order; where many blocked ones stand in front, by what limits them: all of a full type are left out in one step, so
// are all of a full key, and of each other group the first ones are read.
import type { Instant } from "../../base/clock.ts";
import type { Statement } from "./queryable.ts";
import { bare, byKeys } from "./read-statements.ts";

/** Walks the priorities of each type ($1) downwards, one search of the index each. */
function priorities(startClass: number): string {
  const next = (of: string, below: string): string => `(SELECT x.priority FROM operations x
    WHERE x.start_class = ${startClass} AND x.type = ${of} ${below} ORDER BY x.priority DESC LIMIT 1)`;
  return `step (type, priority) AS (
    SELECT t.type, ${next("t.type", "")} FROM unnest($1::text[]) AS t (type)
    UNION ALL SELECT s.type, ${next("s.type", "AND x.priority < s.priority")} FROM step s WHERE s.priority IS NOT NULL)`;
}

/** Due operations of one priority of a type ($2 the instant). */
function due(startClass: number, of: string): string {
  return `x.start_class = ${startClass} AND x.type = ${of}.type AND x.priority = ${of}.priority AND x.start_after <= $2
    AND (x.deadline IS NULL OR x.deadline > $2) ORDER BY x.start_after`;
}

/** One type in $1, the instant, how many: read lazily, so that only what is answered is locked. */
export const freeOfType: Statement = {
  name: "pending_free_of_type",
  text: `WITH RECURSIVE ${priorities(1)}
    ${bare(
      `(SELECT l.* FROM (SELECT * FROM step WHERE priority IS NOT NULL ORDER BY priority DESC) s
        CROSS JOIN LATERAL (SELECT * FROM operations x WHERE ${due(1, "s")} LIMIT $3 FOR NO KEY UPDATE SKIP LOCKED) l
        LIMIT $3)`,
      "ORDER BY o.priority DESC, o.start_after",
    )}`,
};

/**
 * Several types: first how many of each type and priority are among the best, then as many are locked. Types take turns by
 * their starts, and no more is locked than may be granted.
 */
export const freeOfTypes: Statement = {
  name: "pending_free_of_types",
  text: `WITH RECURSIVE ${priorities(1)}, share AS MATERIALIZED (
      SELECT type, priority, count(*) AS most FROM (
        SELECT s.type, s.priority, c.start_after FROM step s
        CROSS JOIN LATERAL (SELECT x.start_after FROM operations x WHERE ${due(1, "s")} LIMIT $3) c
        WHERE s.priority IS NOT NULL ORDER BY s.priority DESC, c.start_after LIMIT $3) best
      GROUP BY type, priority)
    ${bare(
      `(SELECT l.* FROM share s CROSS JOIN LATERAL (
        SELECT * FROM operations x WHERE ${due(1, "s")} LIMIT s.most FOR NO KEY UPDATE SKIP LOCKED) l)`,
      "ORDER BY o.priority DESC, o.start_after",
    )}`,
};

const USED = `coalesce((SELECT t.used FROM slots t WHERE t.service = c.service AND t.tenant = c.tenant AND t.type = c.type
    AND t.concurrency_key = ''), 0),
  coalesce((SELECT t.used FROM slots t WHERE t.service = c.service AND t.tenant = c.tenant AND t.type = c.type
    AND t.concurrency_key = c.concurrency_key AND c.concurrency_key <> ''), 0)`;
const CANDIDATE = `c.service, c.tenant, c.name, c.type, c.priority, c.start_after, c.concurrency_key, c.type_limit, c.key_limit`;

/** Types, the instant, how many: CandidateRows in order, the blocked ones among them. */
export const limitedInOrder: Statement = {
  name: "pending_limited_in_order",
  text: `WITH RECURSIVE ${priorities(2)}
    SELECT ${CANDIDATE}, ${USED} FROM (
      SELECT l.* FROM (SELECT * FROM step WHERE priority IS NOT NULL) s
      CROSS JOIN LATERAL (SELECT * FROM operations x WHERE ${due(2, "s")} LIMIT $3) l
      ORDER BY l.priority DESC, l.start_after LIMIT $3) c`,
};

const GROUP = "x.service, x.tenant, x.type_limit, x.concurrency_key, x.key_limit";
function group(after: string): string {
  return `SELECT ${GROUP} FROM operations x WHERE x.start_class = 2 AND x.type = $1::text ${after}
    ORDER BY ${GROUP} LIMIT 1`;
}
const TYPE_USED = `coalesce((SELECT t.used FROM slots t WHERE t.service = g.service AND t.tenant = g.tenant AND t.type = $1::text
  AND t.concurrency_key = ''), 0)`;

/**
 * One type, the instant, how many of each group, and how many more than is free may start (what the batch itself frees):
 * CandidateRows of the groups that have room. Each group, and each type limit that is full, is one search of the index
 * operations_start_group.
 */
export const limitedByGroup: Statement = {
  name: "pending_limited_by_group",
  text: `WITH RECURSIVE groups AS (
      (SELECT g.*, ${TYPE_USED} AS type_used FROM (${group("")}) g)
      UNION ALL
      SELECT g.*, ${TYPE_USED} FROM groups p CROSS JOIN LATERAL (
        SELECT * FROM (
          (${group("AND p.type_limit > 0 AND p.type_used - $4 >= p.type_limit AND (x.service, x.tenant, x.type_limit) > (p.service, p.tenant, p.type_limit)")})
          UNION ALL
          (${group(`AND NOT (p.type_limit > 0 AND p.type_used - $4 >= p.type_limit) AND (${GROUP}) > (p.service, p.tenant, p.type_limit, p.concurrency_key, p.key_limit)`)})
        ) either LIMIT 1) g),
    open AS MATERIALIZED (
      SELECT * FROM (SELECT g.*, coalesce((SELECT t.used FROM slots t WHERE t.service = g.service AND t.tenant = g.tenant
          AND t.type = $1::text AND t.concurrency_key = g.concurrency_key AND g.concurrency_key <> ''), 0) AS key_used
        FROM groups g) g
      WHERE (type_limit = 0 OR type_used - $4 < type_limit)
        AND (key_limit = 0 OR concurrency_key = '' OR key_used - $4 < key_limit))
    SELECT ${CANDIDATE}, g.type_used, g.key_used FROM open g
    CROSS JOIN LATERAL (SELECT * FROM operations x WHERE x.start_class = 2 AND x.type = $1::text
      AND x.service = g.service AND x.tenant = g.tenant AND x.type_limit = g.type_limit
      AND x.concurrency_key = g.concurrency_key AND x.key_limit = g.key_limit
      AND x.start_after <= $2 AND (x.deadline IS NULL OR x.deadline > $2)
      ORDER BY x.priority DESC, x.start_after
      LIMIT least($3::bigint, CASE WHEN g.type_limit > 0 THEN g.type_limit - g.type_used + $4 END,
        CASE WHEN g.key_limit > 0 AND g.concurrency_key <> '' THEN g.key_limit - g.key_used + $4 END)) c
    ORDER BY c.priority DESC, c.start_after LIMIT 2 * $3::bigint`,
};

/** Keys of candidates and the instant ($4): those that still wait and that nobody else has locked, as bare rows. */
export const lockCandidates: Statement = {
  name: "pending_lock",
  text: bare(
    byKeys("AND x.start_class = 2 AND x.start_after <= $4", "FOR NO KEY UPDATE SKIP LOCKED"),
    "ORDER BY o.priority DESC, o.start_after",
  ),
};

/** An operation that may start, with how many use the slot of its type and that of its key. */
export type CandidateRow = [
  service: string,
  tenant: string,
  name: string,
  type: string,
  priority: number,
  startAfter: Instant,
  concurrencyKey: string,
  typeLimit: number,
  keyLimit: number,
  typeUsed: number,
  keyUsed: number,
];
