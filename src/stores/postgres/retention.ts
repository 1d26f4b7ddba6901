// Retention: removes what is past its time, in bounded transactions. Only done operations are ever removed (S19). Every
// node may do it at once: each takes what no other has locked (SKIP LOCKED).
import type { Clock, Instant } from "../../base/clock.ts";
import { AUDIT_RETENTION, FEED_RETENTION, RECEIPT_RETENTION } from "../retention-periods.ts";
import type { PostgresConnections, Statement } from "./queryable.ts";
import { statement } from "./statements-read.ts";
import type { TokenKeys } from "./token-keys.ts";

/** Operations of one transaction: some 30 ms of the server, during which it holds their rows' locks. */
const OPERATIONS_MAX = 500;

/** Rows of a log removed in one statement: some milliseconds. A row of the feed has all the events of a batch. */
const LOG_ROWS = 2000;
const FEED_ROWS = 200;

/** Work that may still run (`held`) keeps its operation. */
const expired = statement(
  "purge_expired",
  `SELECT service, tenant, name FROM operations WHERE expire_time <= $1 AND held_session IS NULL
    ORDER BY expire_time LIMIT $2 FOR UPDATE SKIP LOCKED`,
);

function removal(table: string): string {
  return `DELETE FROM ${table} x USING keys WHERE x.service = keys.service AND x.tenant = keys.tenant AND x.name = keys.name`;
}

/**
 * With the rows locked, all that is theirs: a statement of its own, since what was committed before the locks were
 * there must be seen. Its parts see one moment, so the checkpoint is copied although the payloads go.
 */
const remove = statement(
  "purge_operations",
  `WITH keys (service, tenant, name) AS MATERIALIZED (SELECT * FROM unnest($1::TEXT[], $2::TEXT[], $3::TEXT[])),
    kept AS (
      UPDATE receipts t SET checkpoint_type_url = c.type_url, checkpoint_bytes = c.bytes,
        checkpoint_encoding = c.encoding, checkpoint_key_id = c.key_id
      FROM keys CROSS JOIN LATERAL (SELECT * FROM payloads p WHERE p.service = keys.service AND p.tenant = keys.tenant
        AND p.name = keys.name AND p.kind = 'checkpoint' LIMIT 1) c
      WHERE t.service = keys.service AND t.tenant = keys.tenant AND t.name = keys.name
    ),
    payload AS (${removal("payloads")}),
    attempt AS (${removal("attempts")}),
    label AS (${removal("labels")}),
    request_key AS (${removal("request_keys")}),
    link AS (${removal("child_links")})
  ${removal("operations")}`,
);

/** What holds the lock of `meta` for its commit should be short: a feed that comes back after a crash is no harm. */
const commitSoon = statement("purge_commit_soon", "SELECT set_config('synchronous_commit', 'off', true)");
/** Positions are in the order of time: the oldest rows are looked at, and nothing is searched for. */
function oldest(log: "feed" | "audit", rows: number): string {
  return `DELETE FROM ${log} WHERE position = ANY (ARRAY(SELECT position FROM
    (SELECT position, time FROM ${log} ORDER BY position LIMIT ${rows} FOR UPDATE SKIP LOCKED) oldest WHERE time < $1))`;
}

const feed = statement(
  "purge_feed",
  `WITH gone AS (${oldest("feed", FEED_ROWS)} RETURNING position) SELECT count(*), max(position) FROM gone`,
);
/** What a watch that resumes earlier has missed; also when nothing is left. */
const noteFeedRemoved = statement(
  "purge_note_feed",
  "UPDATE meta SET feed_removed = greatest(feed_removed, $1::BIGINT)",
);
const audit = statement(
  "purge_audit",
  `WITH gone AS (${oldest("audit", LOG_ROWS)} RETURNING 1) SELECT count(*) FROM gone`,
);
/** Only those of which every event is in its chain, and the operation gone. */
const receipts = statement(
  "purge_receipts",
  `WITH old AS MATERIALIZED (
      SELECT t.service, t.tenant, t.name FROM receipts t
      WHERE t.done_time < $1
        AND (SELECT 1 FROM operations o
          WHERE o.service = t.service AND o.tenant = t.tenant AND o.name = t.name LIMIT 1) IS NULL
        AND (SELECT 1 FROM receipt_events e
          WHERE e.service = t.service AND e.tenant = t.tenant AND e.name = t.name AND e.chained = 0 LIMIT 1) IS NULL
      ORDER BY t.done_time LIMIT ${LOG_ROWS} FOR UPDATE SKIP LOCKED
    ),
    event AS (DELETE FROM receipt_events x USING old
      WHERE x.service = old.service AND x.tenant = old.tenant AND x.name = old.name),
    gone AS (DELETE FROM receipts x USING old
      WHERE x.service = old.service AND x.tenant = old.tenant AND x.name = old.name RETURNING 1)
  SELECT count(*) FROM gone`,
);

export class Retention {
  readonly #database: PostgresConnections;
  readonly #clock: Clock;
  readonly #keys: TokenKeys;

  constructor(database: PostgresConnections, clock: Clock, keys: TokenKeys) {
    this.#database = database;
    this.#clock = clock;
    this.#keys = keys;
  }

  /** Removes up to `limit` expired operations with all that is theirs, then old log rows. Answers how many operations. */
  async purge(limit: number): Promise<number> {
    const count = await this.#purgeOperations(limit);
    const now = this.#clock.now();
    while ((await this.#purgeFeed(now - FEED_RETENTION)) === FEED_ROWS);
    while ((await this.#purgeLog(audit, now - AUDIT_RETENTION)) === LOG_ROWS);
    while ((await this.#purgeLog(receipts, now - RECEIPT_RETENTION)) === LOG_ROWS);
    await this.#keys.rotate();
    return count;
  }

  async #purgeOperations(limit: number): Promise<number> {
    let purged = 0;
    while (purged < limit) {
      const wanted = Math.min(limit - purged, OPERATIONS_MAX);
      const count = await this.#purgeSome(wanted);
      purged += count;
      if (count < wanted) break;
    }
    return purged;
  }

  #purgeSome(limit: number): Promise<number> {
    return this.#database.transaction(async (connection) => {
      const keys = await connection.rows<[string, string, string]>(expired, [this.#clock.now(), limit]);
      if (keys.length > 0)
        await connection.rows(
          remove,
          [0, 1, 2].map((at) => keys.map((key) => key[at] ?? "")),
        );
      return keys.length;
    });
  }

  #purgeFeed(before: Instant): Promise<number> {
    return this.#database.transaction(async (connection) => {
      await connection.rows(commitSoon);
      const [gone] = await connection.rows<[number, number | null]>(feed, [before]);
      const [count, last] = gone ?? [0, null];
      if (last !== null) await connection.rows(noteFeedRemoved, [last]);
      return count;
    });
  }

  async #purgeLog(removal: Statement, before: Instant): Promise<number> {
    const [gone] = await this.#database.rows<[number]>(removal, [before]);
    return gone?.[0] ?? 0;
  }
}
