// Sessions with what they hold, and what is due first: what a server asks when it starts and now and then.
import type { Instant } from "../../base/clock.ts";
import type { Grant } from "../../engine/commands.ts";
import type { SlotKey } from "../../engine/decision.ts";
import type { OperationKey } from "../../engine/operation.ts";
import type { OpenSession, PendingWork, SlotUsers } from "../../engine/store.ts";
import { type GrantRow, type OpenSessionRow, rowToGrant, rowToOpenSession } from "../detail-rows.ts";
import { SESSION_COLUMNS } from "../session-rows.ts";
import type { Queryable } from "./queryable.ts";
import { grantColumns, grantJoins, statement } from "./statements-read.ts";

/**
 * The earliest start of one of the indexes of waiting operations. Each group of a type and a priority is one search for
 * its first start and one for the next group, however many operations wait.
 */
function earliestStart(startClass: 1 | 2): string {
  const waiting = `FROM operations WHERE start_class = ${startClass}`;
  return `WITH RECURSIVE groups (type, priority) AS (
      (SELECT type, priority ${waiting} ORDER BY type, priority DESC LIMIT 1)
      UNION ALL
      SELECT n.type, n.priority FROM groups g CROSS JOIN LATERAL (
        (SELECT type, priority ${waiting} AND type = g.type AND priority < g.priority
          ORDER BY type, priority DESC LIMIT 1)
        UNION ALL
        (SELECT type, priority ${waiting} AND type > g.type ORDER BY type, priority DESC LIMIT 1)
        LIMIT 1
      ) n
    )
    SELECT min(first.start_after) FROM groups g CROSS JOIN LATERAL (
      SELECT start_after ${waiting} AND type = g.type AND priority = g.priority ORDER BY start_after LIMIT 1
    ) first`;
}

const pendingWork = statement(
  "pending_work",
  `SELECT
    (SELECT min(next_timer) FROM operations WHERE next_timer IS NOT NULL),
    (SELECT min(heartbeat_time + lease_ms * 1000) FROM sessions WHERE lease_ms > 0),
    (SELECT 1 FROM child_links WHERE to_sweep = 1 ORDER BY position LIMIT 1),
    least((${earliestStart(1)}), (${earliestStart(2)}))`,
);

// Counted once over all leases, and not once for each session.
const listSessions = statement(
  "list_sessions",
  `WITH leased AS MATERIALIZED (
      SELECT lease_session AS session, count(*) FILTER (WHERE lease_begun = 1) AS running,
        count(*) FILTER (WHERE lease_begun = 0) AS reserved
      FROM operations WHERE lease_session IS NOT NULL GROUP BY lease_session
    ), held AS MATERIALIZED (
      SELECT held_session AS session, count(*) AS held FROM operations WHERE held_session IS NOT NULL GROUP BY held_session
    )
    SELECT ${SESSION_COLUMNS.split(", ")
      .map((column) => `s.${column}`)
      .join(", ")}, coalesce(l.running, 0), coalesce(l.reserved, 0), coalesce(h.held, 0)
    FROM sessions s LEFT JOIN leased l ON l.session = s.session LEFT JOIN held h ON h.session = s.session
    ORDER BY s.open_time, s.session`,
);

const sessionGrants = statement(
  "session_grants",
  `SELECT ${grantColumns} FROM (
      SELECT * FROM operations WHERE lease_session = $1
      UNION ALL SELECT * FROM operations WHERE held_session = $1
    ) o ${grantJoins} ORDER BY o.create_time, o.id`,
);

const heldCount = statement("held_count", "SELECT count(*) FROM operations WHERE held_session IS NOT NULL");

const stoppingOperations = statement(
  "stopping_operations",
  `SELECT service, tenant, name FROM (
      SELECT service, tenant, name, create_time, id FROM operations
        WHERE lease_session IS NOT NULL AND type = $1 AND state = 'CANCELLING'
      UNION ALL
      SELECT service, tenant, name, create_time, id FROM operations WHERE held_session IS NOT NULL AND type = $1
    ) o ORDER BY create_time, id LIMIT $2`,
);

/** All that have a lease or are held are looked at: as many as the workers have slots. */
const slotUsers = statement(
  "slot_users",
  `WITH users AS MATERIALIZED (
      SELECT service, tenant, type, type_limit, key_limit, concurrency_key, name, create_time, id FROM operations
        WHERE lease_session IS NOT NULL
      UNION ALL
      SELECT service, tenant, type, type_limit, key_limit, concurrency_key, name, create_time, id FROM operations
        WHERE held_session IS NOT NULL
    )
    SELECT name FROM users WHERE service = $1 AND tenant = $2 AND type = $3
      AND CASE WHEN $4::TEXT = '' THEN type_limit > 0 ELSE key_limit > 0 AND concurrency_key = $4 END
    ORDER BY create_time, id`,
);

export class SessionReads {
  readonly #database: Queryable;

  constructor(database: Queryable) {
    this.#database = database;
  }

  async pendingWork(): Promise<PendingWork> {
    const [row] =
      await this.#database.rows<[Instant | null, Instant | null, number | null, Instant | null]>(pendingWork);
    const [nextTimer, nextLeaseEnd, unswept, nextStart] = row ?? [null, null, null, null];
    return { nextTimer, nextStart, nextLeaseEnd, hasUnsweptChildren: unswept !== null };
  }

  async listSessions(): Promise<readonly OpenSession[]> {
    const rows = await this.#database.rows<OpenSessionRow>(listSessions);
    return rows.map(rowToOpenSession);
  }

  async sessionGrants(session: string): Promise<readonly Grant[]> {
    const rows = await this.#database.rows<GrantRow>(sessionGrants, [session]);
    return rows.map(rowToGrant);
  }

  async heldCount(): Promise<number> {
    const [row] = await this.#database.rows<[number]>(heldCount);
    return row?.[0] ?? 0;
  }

  async stoppingOperations(type: string, limit: number): Promise<readonly OperationKey[]> {
    const rows = await this.#database.rows<[string, string, string]>(stoppingOperations, [type, limit]);
    return rows.map(([service, tenant, name]) => ({ service, tenant, name }));
  }

  async slotUsers({ service, tenant, type, concurrencyKey }: SlotKey, limit: number): Promise<SlotUsers> {
    const rows = await this.#database.rows<[string]>(slotUsers, [service, tenant, type, concurrencyKey]);
    return { used: rows.length, names: rows.slice(0, limit).map(([name]) => name) };
  }
}
