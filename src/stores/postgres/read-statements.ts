// The SQL of what a commit reads: rows by name, and what the store finds for a command. Rows that may be written are locked.
// Each plan follows one index, whatever the statistics say (see statements-read.ts).
import { SESSION_COLUMNS } from "../session-rows.ts";
import type { Statement } from "./queryable.ts";
import { operationColumns, storedColumns, storedJoins } from "./statements-read.ts";

/** StoredRow and version of `(...) o`. */
function stored(source: string, order = ""): string {
  return `SELECT ${storedColumns}, o.version FROM ${source} o ${storedJoins} ${order}`;
}

/** OperationRow and version: what belongs to it is read with the commit, for those that are granted. */
export function bare(source: string, order: string): string {
  return `SELECT ${operationColumns}, o.version FROM ${source} o ${order}`;
}

/** Rows of `operations x` by arrays of services, tenants and names ($1, $2, $3), locked in the order of the arrays. */
export function byKeys(condition: string, lock: string): string {
  return `unnest($1::text[], $2::text[], $3::text[]) AS k (service, tenant, name)
    CROSS JOIN LATERAL (SELECT * FROM operations x
      WHERE x.service = k.service AND x.tenant = k.tenant AND x.name = k.name ${condition} LIMIT 1 ${lock})`;
}

export const operationsByKey: Statement = {
  name: "commit_operations",
  text: stored(byKeys("", "FOR NO KEY UPDATE")),
};

/** Keys: all payloads of rows that are locked, as they are now. One range of the index for each. */
export const payloadsByKey: Statement = {
  name: "commit_payloads",
  text: `SELECT k.service, k.tenant, k.name, p.kind, p.type_url, p.bytes, p.encoding
    FROM unnest($1::text[], $2::text[], $3::text[]) AS k (service, tenant, name)
    CROSS JOIN LATERAL (SELECT * FROM payloads x WHERE x.service = k.service AND x.tenant = k.tenant AND x.name = k.name
      LIMIT 4) p`,
};

export const requestKeys: Statement = {
  name: "commit_request_keys",
  text: `SELECT r.service, r.tenant, r.method, r.request_id, r.digest, r.name
    FROM unnest($1::text[], $2::text[], $3::text[], $4::text[]) AS k (service, tenant, method, request_id)
    CROSS JOIN LATERAL (SELECT * FROM request_keys x WHERE x.service = k.service AND x.tenant = k.tenant
      AND x.method = k.method AND x.request_id = k.request_id LIMIT 1) r`,
};

function sessions(name: string, lock: string): Statement {
  return {
    name,
    text: `SELECT ${SESSION_COLUMNS} FROM sessions WHERE session = ANY($1::text[]) ORDER BY session ${lock}`,
  };
}

/** Of sessions that are granted something: they must not be closed meanwhile; heartbeats go on. */
export const sessionsKept: Statement = sessions("commit_sessions_kept", "FOR KEY SHARE");
export const sessionsBeaten: Statement = sessions("commit_sessions_beaten", "FOR NO KEY UPDATE");
/** Of sessions that are closed: nothing is granted to them any more. */
export const sessionsClosed: Statement = sessions("commit_sessions_closed", "FOR UPDATE");

/** Instant, limit. One that another node is closing is its own business. */
export const expiredSessions: Statement = {
  name: "commit_expired_sessions",
  text: `SELECT ${SESSION_COLUMNS} FROM sessions WHERE lease_ms > 0 AND heartbeat_time + lease_ms * 1000 <= $1
    ORDER BY heartbeat_time + lease_ms * 1000, session LIMIT $2 FOR UPDATE SKIP LOCKED`,
};

/** All that sessions hold ($1): their leases, and what was taken from them and may still run. */
export const sessionOperations: Statement = {
  name: "commit_session_operations",
  text: `SELECT o.service, o.tenant, o.name, o.lease_session FROM operations o WHERE o.lease_session = ANY($1::text[])
    UNION SELECT o.service, o.tenant, o.name, o.held_session FROM operations o WHERE o.held_session = ANY($1::text[])
    ORDER BY 1, 2, 3`,
};

/** Instant, limit. What another node is at work on, it ticks itself, or it is found the next time. */
export const tickDue: Statement = {
  name: "commit_tick_due",
  text: stored(
    `(SELECT * FROM operations x WHERE x.next_timer <= $1 ORDER BY x.next_timer LIMIT $2 FOR NO KEY UPDATE SKIP LOCKED)`,
    "ORDER BY o.next_timer",
  ),
};

/** Limit. Children that are to be told of their parents' end: waited for, since a sweep that finds none is the last. */
export const sweepChildren: Statement = {
  name: "commit_sweep_children",
  text: stored(
    `(SELECT service, tenant, name, min(position) AS place FROM child_links
        WHERE to_sweep = 1 GROUP BY service, tenant, name ORDER BY place LIMIT $1) AS l
      CROSS JOIN LATERAL (SELECT * FROM operations x WHERE x.service = l.service AND x.tenant = l.tenant
        AND x.name = l.name LIMIT 1 FOR NO KEY UPDATE)`,
    "ORDER BY l.place",
  ),
};

/** Instant, limit. */
export const restartWatch: Statement = {
  name: "commit_restart_watch",
  text: stored(
    `(SELECT * FROM operations x WHERE x.watch_deadline < $1 AND x.done_time IS NULL AND x.cancel IS NULL
      ORDER BY x.watch_deadline LIMIT $2 FOR NO KEY UPDATE)`,
    "ORDER BY o.watch_deadline",
  ),
};

/** Service, tenant, type, supersede key: what a start with that key cancels. */
export const superseded: Statement = {
  name: "commit_superseded",
  text: stored(
    `(SELECT * FROM operations x WHERE x.service = $1 AND x.tenant = $2 AND x.type = $3 AND x.supersede_key = $4
      AND x.supersede_key <> '' AND x.done_time IS NULL AND x.cancel IS NULL
      ORDER BY x.create_time, x.id FOR NO KEY UPDATE)`,
    "ORDER BY o.create_time, o.id",
  ),
};
