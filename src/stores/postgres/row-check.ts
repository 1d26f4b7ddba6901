// What must hold of the rows of a database whenever nobody is in the middle of a commit. The engine keeps these and the
// schema's CHECKs guard most; these are across rows and tables, where no CHECK can look. Only reads; each is one statement,
// so that it sees one state of a database that is at work.
import type { PostgresConnections, Queryable, Statement } from "./queryable.ts";

export interface RowCheck {
  /** What must hold. */
  claim: string;
  /** Rows of which it does not. */
  violations: number;
  /** Names of some. */
  examples: readonly string[];
}

interface Rule {
  claim: string;
  /** Answers a row with a text for each violation. */
  sql: string;
}

const EXAMPLES_MAX = 3;

/** What belongs to an operation goes with it; there are no foreign keys. */
function belongs(table: string): Rule {
  return {
    claim: `every row of ${table} belongs to an operation`,
    sql: `SELECT b.service || ' ' || b.name FROM ${table} b WHERE NOT EXISTS (SELECT 1 FROM operations o
      WHERE o.service = b.service AND o.tenant = b.tenant AND o.name = b.name)`,
  };
}

const rules: readonly Rule[] = [
  ...["payloads", "attempts", "labels", "request_keys", "child_links"].map(belongs),
  {
    claim: "every lease is of an open session",
    sql: `SELECT name FROM operations o WHERE lease_session IS NOT NULL
      AND NOT EXISTS (SELECT 1 FROM sessions s WHERE s.session = o.lease_session)`,
  },
  {
    claim: "every cancelled or cancelling operation has a receipt",
    sql: `SELECT name FROM operations o WHERE cancel IS NOT NULL AND NOT EXISTS (SELECT 1 FROM receipts r
      WHERE r.service = o.service AND r.tenant = o.tenant AND r.name = o.name)`,
  },
  {
    claim: "an operation expires its retention after its end",
    sql: "SELECT name FROM operations WHERE expire_time <> done_time + retention_ms * 1000",
  },
  {
    claim: "a slot counts the operations that use it",
    sql: `WITH users AS (
        SELECT service, tenant, type, '' AS concurrency_key FROM operations
          WHERE (lease_session IS NOT NULL OR held_session IS NOT NULL) AND type_limit > 0
        UNION ALL SELECT service, tenant, type, concurrency_key FROM operations
          WHERE (lease_session IS NOT NULL OR held_session IS NOT NULL) AND key_limit > 0 AND concurrency_key <> ''),
      counted AS (SELECT service, tenant, type, concurrency_key, count(*) AS used FROM users GROUP BY 1, 2, 3, 4)
      SELECT coalesce(s.type, c.type) || ' ' || coalesce(s.concurrency_key, c.concurrency_key) FROM slots s
        FULL JOIN counted c USING (service, tenant, type, concurrency_key) WHERE coalesce(s.used, 0) <> coalesce(c.used, 0)`,
  },
  {
    claim: "the feed has no gap",
    sql: `SELECT position::TEXT FROM (SELECT position, cardinality(names) AS events,
        lag(position) OVER (ORDER BY position) AS before FROM feed) f
      WHERE before IS NOT NULL AND position - events <> before`,
  },
  {
    claim: "the feed ends where it is said to end",
    sql: `SELECT feed_position::TEXT FROM meta
      WHERE feed_position <> coalesce((SELECT max(position) FROM feed), greatest(feed_removed, feed_position))
        OR feed_removed > feed_position`,
  },
  {
    claim: "no chain of receipts has a gap",
    sql: `SELECT service || ' ' || tenant FROM chain_entries GROUP BY service, tenant
      HAVING min(sequence) <> 1 OR max(sequence) <> count(*)`,
  },
  {
    claim: "no operation was changed later than the newest instant",
    sql: "SELECT name FROM operations WHERE update_time > (SELECT last_instant FROM meta)",
  },
];

/** Looks at all rules; reads every table once or so. */
export async function checkRows(connections: PostgresConnections): Promise<readonly RowCheck[]> {
  const checks: RowCheck[] = [];
  for (const [index, rule] of rules.entries()) checks.push(await check(connections, rule, index));
  return checks;
}

async function check(connection: Queryable, { claim, sql }: Rule, index: number): Promise<RowCheck> {
  const statement: Statement = {
    name: `row_check_${index}`,
    text: `WITH violations (name) AS (${sql})
      SELECT (SELECT count(*) FROM violations), ARRAY(SELECT name FROM violations LIMIT ${EXAMPLES_MAX})`,
  };
  const [row] = await connection.rows<[number, string[]]>(statement);
  return { claim, violations: row?.[0] ?? 0, examples: row?.[1] ?? [] };
}
