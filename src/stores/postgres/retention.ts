// Retention: removes what is past its time, in bounded transactions. Only done operations are ever removed (S19). Every
// node may do it at once: each takes what no other has locked (SKIP LOCKED).
import type { Clock, Instant } from "../../base/clock.ts";
import { AUDIT_RETENTION, FEED_RETENTION, RECEIPT_RETENTION } from "../retention-periods.ts";
import type { PostgresConnections } from "./queryable.ts";
import { statement } from "./statements-read.ts";
import type { TokenKeys } from "./token-keys.ts";

/** Operations of one transaction: some 30 ms of the server, during which it holds their rows' locks. */
const OPERATIONS_MAX = 500;

/** Rows of a log removed in one statement: some milliseconds. A row of the feed has all the events of a batch. */
const LOG_ROWS = 2000;
const FEED_ROWS = 200;

/** Statements of one purge that may find nothing but receipts that are kept. */
const IDLE_LOOKS_MAX = 5;

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
/**
 * Positions are in the order of time: the oldest rows are looked at, and nothing is searched for. What was removed before
 * $2 was removed by this very walk: entries of an index stay until a vacuum, and each statement would pass over them.
 */
function oldest(log: "feed" | "audit", rows: number): string {
  return `DELETE FROM ${log} WHERE position = ANY (ARRAY(SELECT position FROM
    (SELECT position, time FROM ${log} WHERE position > $2 ORDER BY position LIMIT ${rows} FOR UPDATE SKIP LOCKED) oldest
    WHERE time < $1))`;
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
  `WITH gone AS (${oldest("audit", LOG_ROWS)} RETURNING position) SELECT count(*), max(position) FROM gone`,
);
/**
 * Of the next receipts in the order of their ends those of which every event is in its chain, and the operation gone.
 * Operations may be kept for years: so their receipts stand in front of others that may go, and are passed over, a few
 * at a time. Answers how many were looked at, the last one's end, and how many went.
 */
const receipts = statement(
  "purge_receipts",
  `WITH looked AS MATERIALIZED (
      SELECT t.service, t.tenant, t.name, t.done_time FROM receipts t
      WHERE t.done_time < $1 AND t.done_time >= $2 ORDER BY t.done_time LIMIT ${LOG_ROWS}
    ),
    old AS MATERIALIZED (
      SELECT t.* FROM looked CROSS JOIN LATERAL (SELECT service, tenant, name FROM receipts x
        WHERE x.service = looked.service AND x.tenant = looked.tenant AND x.name = looked.name
          AND (SELECT 1 FROM operations o
            WHERE o.service = x.service AND o.tenant = x.tenant AND o.name = x.name LIMIT 1) IS NULL
          AND (SELECT 1 FROM receipt_events e WHERE e.service = x.service AND e.tenant = x.tenant AND e.name = x.name
            AND e.chained = 0 LIMIT 1) IS NULL
        LIMIT 1 FOR UPDATE SKIP LOCKED) t
    ),
    event AS (DELETE FROM receipt_events x USING old
      WHERE x.service = old.service AND x.tenant = old.tenant AND x.name = old.name),
    gone AS (DELETE FROM receipts x USING old
      WHERE x.service = old.service AND x.tenant = old.tenant AND x.name = old.name RETURNING 1)
  SELECT count(*), max(done_time), (SELECT count(*) FROM gone) FROM looked`,
);

export class Retention {
  readonly #database: PostgresConnections;
  readonly #clock: Clock;
  readonly #keys: TokenKeys;
  /** Receipts that ended before are looked at when this walk is over. */
  #receiptsAfter: Instant = 0;

  constructor(database: PostgresConnections, clock: Clock, keys: TokenKeys) {
    this.#database = database;
    this.#clock = clock;
    this.#keys = keys;
  }

  /** Removes up to `limit` expired operations with all that is theirs, then old log rows. Answers how many operations. */
  async purge(limit: number): Promise<number> {
    const count = await this.#purgeOperations(limit);
    const now = this.#clock.now();
    await walk(FEED_ROWS, (after) => this.#purgeFeed(now - FEED_RETENTION, after));
    await walk(LOG_ROWS, (after) => this.#purgeAudit(now - AUDIT_RETENTION, after));
    await this.#purgeReceipts(now - RECEIPT_RETENTION);
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

  #purgeFeed(before: Instant, after: number): Promise<LogRemoval> {
    return this.#database.transaction(async (connection) => {
      await connection.rows(commitSoon);
      const [gone] = await connection.rows<LogRemoval>(feed, [before, after]);
      const [count, last] = gone ?? [0, null];
      if (last !== null) await connection.rows(noteFeedRemoved, [last]);
      return [count, last];
    });
  }

  async #purgeAudit(before: Instant, after: number): Promise<LogRemoval> {
    const [gone] = await this.#database.rows<LogRemoval>(audit, [before, after]);
    return gone ?? [0, null];
  }

  /** Goes on where the last call stopped: a whole walk over receipts that are kept takes many calls. */
  async #purgeReceipts(before: Instant): Promise<void> {
    for (let idle = 0; idle < IDLE_LOOKS_MAX; ) {
      const after = this.#receiptsAfter;
      const values = [before, after];
      const [looked] = await this.#database.rows<[number, Instant | null, number]>(receipts, values);
      const [count, last, gone] = looked ?? [0, null, 0];
      if (count < LOG_ROWS || last === null) {
        this.#receiptsAfter = 0;
        return;
      }
      if (gone === 0) idle++;
      // Where all of a look ended at one instant, those behind them in it are looked at in the next walk.
      this.#receiptsAfter = last > after ? last : last + 1;
    }
  }
}

/** How many rows went, and the position of the last one. */
type LogRemoval = [count: number, last: number | null];

/** Removes the oldest rows of a log until there are fewer than one statement takes. */
async function walk(rows: number, remove: (after: number) => Promise<LogRemoval>): Promise<void> {
  for (let [count, last] = await remove(0); count === rows; [count, last] = await remove(last ?? 0));
}
