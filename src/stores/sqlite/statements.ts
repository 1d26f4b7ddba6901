// The SQL of the store. One constant per port method, under its name; what `commit` runs is named by its verb.
// No statement holds a byte of a user's: everything is bound.
import { columnNames, DERIVED_COLUMNS, OPERATION_COLUMNS } from "./rows.ts";

const columns = OPERATION_COLUMNS.map((column) => `o.${column}`).join(", ");
const THIS_OPERATION = "service = ? AND tenant = ? AND name = ?";

function payloadJoin(alias: string, kind: string): string {
  return `LEFT JOIN payloads ${alias} ON ${alias}.service = o.service AND ${alias}.tenant = o.tenant AND ${alias}.name = o.name AND ${alias}.kind = '${kind}'`;
}

function payloadColumns(alias: string): string {
  return `${alias}.type_url, ${alias}.bytes, ${alias}.encoding`;
}

/** A StoredRow: the operation, its response, its metadata. */
const storedOperation = `SELECT ${columns}, ${payloadColumns("r")}, ${payloadColumns("m")} FROM operations o`;
const storedJoins = `${payloadJoin("r", "response")} ${payloadJoin("m", "metadata")}`;

export const getOperation: string = `${storedOperation} ${storedJoins} WHERE o.service = ? AND o.tenant = ? AND o.name = ?`;

/** Beside the operation itself: its other payloads, labels and ended attempts. */
export const getOperationDetail = {
  payloads: `SELECT kind, type_url, bytes, encoding FROM payloads WHERE ${THIS_OPERATION} AND kind IN ('request', 'checkpoint')`,
  labels: `SELECT key, value FROM labels WHERE ${THIS_OPERATION} ORDER BY key`,
  attempts: `SELECT attempt, session, start_time, end_time, outcome, error FROM attempts WHERE ${THIS_OPERATION} ORDER BY attempt`,
} as const;

/** The checkpoint is still the operation's own until retention moves it into the receipt. */
export const getReceipt = {
  head: `SELECT t.type, t.cancel, t.outcome, t.done_time, t.attempt, t.session,
      coalesce(t.checkpoint_type_url, c.type_url), coalesce(t.checkpoint_bytes, c.bytes),
      coalesce(t.checkpoint_encoding, c.encoding)
    FROM receipts t
    LEFT JOIN payloads c ON c.service = t.service AND c.tenant = t.tenant AND c.name = t.name AND c.kind = 'checkpoint'
    WHERE t.service = ? AND t.tenant = ? AND t.name = ?`,
  events: `SELECT time, kind, detail, by FROM receipt_events WHERE ${THIS_OPERATION} ORDER BY sequence`,
} as const;

/**
 * A page: rows after one position up to another, newest first. The row values make both ends one range of the index
 * (written out as `a < ? OR (a = ? AND b < ?)`, the scan would start at the parent's first row each time).
 */
export function listOperations(index: ListIndex, filter: string): string {
  return `${storedOperation} INDEXED BY ${index} ${storedJoins}
    WHERE o.service = ? AND o.tenant = ? AND o.parent = ? AND o.delete_time IS NULL${liveCondition(index)}
      AND (o.create_time, o.id) < (?, ?) AND (o.create_time, o.id) >= (?, ?)
      AND (${filter})
    ORDER BY o.create_time DESC, o.id DESC LIMIT ?`;
}

/** The position of the n-th row after another: where a bounded scan ends. Reads the index only. */
export function listWindowEnd(index: ListIndex): string {
  return `SELECT o.create_time, o.id FROM operations o INDEXED BY ${index}
    WHERE o.service = ? AND o.tenant = ? AND o.parent = ? AND o.delete_time IS NULL${liveCondition(index)}
      AND (o.create_time, o.id) < (?, ?)
    ORDER BY o.create_time DESC, o.id DESC LIMIT 1 OFFSET ?`;
}

export type ListIndex = "operations_list" | "operations_live";

function liveCondition(index: ListIndex): string {
  return index === "operations_live" ? " AND o.done_time IS NULL" : "";
}

/** The types are walked one by one in the index: an aggregate would read every pending operation. */
export const pendingWork: string = `
  WITH RECURSIVE pending (type) AS (
    SELECT min(type) FROM operations WHERE state = 'PENDING' AND lease_session IS NULL
    UNION ALL
    SELECT (SELECT min(type) FROM operations WHERE state = 'PENDING' AND lease_session IS NULL AND type > pending.type)
    FROM pending WHERE pending.type IS NOT NULL
  )
  SELECT
    (SELECT min(next_timer) FROM operations WHERE next_timer IS NOT NULL),
    (SELECT min((SELECT min(start_after) FROM operations o
      WHERE o.state = 'PENDING' AND o.lease_session IS NULL AND o.type = pending.type)) FROM pending)`;

export const listSessions = "SELECT session, kind, boot_id FROM sessions ORDER BY open_time, session";

// What `commit` reads.

export const getRequestKey =
  "SELECT digest, name FROM request_keys WHERE service = ? AND tenant = ? AND method = ? AND request_id = ?";

export const getSession =
  "SELECT session, kind, worker, types, slots, guarded, boot_id, lease_ms, open_time, heartbeat_time FROM sessions WHERE session = ?";

/**
 * Due pending operations of one type with what a grant carries: StoredRows, then request and checkpoint.
 * The response columns are there for the row's shape; a pending operation has none.
 */
export const acquire: string = `SELECT ${columns}, NULL, NULL, NULL, ${payloadColumns("m")}, ${payloadColumns("q")}, ${payloadColumns("c")}
  FROM operations o INDEXED BY operations_start
  ${payloadJoin("m", "metadata")} ${payloadJoin("q", "request")} ${payloadJoin("c", "checkpoint")}
  WHERE o.state = 'PENDING' AND o.lease_session IS NULL AND o.type = ? AND o.start_after <= ?
    AND (o.deadline IS NULL OR o.deadline > ?)
  ORDER BY o.start_after LIMIT ?`;

export const tickDue: string = `${storedOperation} INDEXED BY operations_timer ${storedJoins}
  WHERE o.next_timer <= ? ORDER BY o.next_timer LIMIT ?`;

/** All that a session holds: its leases, and what was taken from it and may still run. */
export const closeSession: string = `${storedOperation} INDEXED BY operations_lease ${storedJoins} WHERE o.lease_session = ?1
  UNION ALL ${storedOperation} INDEXED BY operations_held ${storedJoins} WHERE o.held_session = ?1`;

const inserted = [...OPERATION_COLUMNS, ...DERIVED_COLUMNS];

// Five updates instead of one: an UPDATE rewrites every index that has one of its columns, changed or not. So the
// columns of the list indexes (done_time, delete_time) are set only where they do change.
const changing = columnNames(`state, revision, update_time, start_after, attempt, lease_token, lease_session,
  lease_begun, lease_guarded, attempt_start_time, activity_time, progress_percent, progress_message, cancel, next_timer`);
const holding = columnNames("held_session, held_begun, held_guarded");
const finishing = [...holding, ...columnNames("outcome, outcome_digest, error, done_time, expire_time")];
const amending = columnNames("revision, update_time, cancel, held_session, held_begun, held_guarded");

function update(names: readonly string[]): string {
  return `UPDATE operations SET ${names.map((name) => `${name} = ?`).join(", ")} WHERE ${THIS_OPERATION}`;
}

/** What `commit` writes. */
export const commitWrites = {
  insertOperation: `INSERT INTO operations (${inserted.join(", ")}) VALUES (${inserted.map(() => "?").join(", ")})`,

  /** An operation that was not done and is not done; values of `updateValues`. */
  updateOperation: update(changing),
  /** The same where `held` changes; values of `holdValues`. */
  holdOperation: update([...changing, ...holding]),
  /** An operation that ends; values of `finishValues`. */
  finishOperation: update([...changing, ...finishing]),
  /** An operation that was done; values of `amendValues`. */
  amendOperation: update(amending),
  /** A client deleted it. */
  deleteOperation: update(["delete_time"]),

  putPayload: `INSERT INTO payloads (service, tenant, name, kind, type_url, bytes) VALUES (?, ?, ?, ?, ?, ?)
    ON CONFLICT DO UPDATE SET type_url = excluded.type_url, bytes = excluded.bytes, encoding = excluded.encoding, key_id = excluded.key_id`,

  insertLabel: "INSERT INTO labels (service, tenant, name, key, value) VALUES (?, ?, ?, ?, ?)",

  insertAttempt: `INSERT INTO attempts (service, tenant, name, attempt, session, start_time, end_time, outcome, error)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,

  insertRequestKey:
    "INSERT INTO request_keys (service, tenant, method, request_id, digest, name) VALUES (?, ?, ?, ?, ?, ?)",

  /** The session that last held the operation stays on the receipt when the lease is gone. */
  putReceipt: `INSERT INTO receipts (service, tenant, name, type, cancel, outcome, done_time, attempt, session)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT DO UPDATE SET cancel = excluded.cancel, outcome = excluded.outcome, done_time = excluded.done_time,
      attempt = excluded.attempt, session = coalesce(nullif(excluded.session, ''), session)`,

  insertReceiptEvent: `INSERT INTO receipt_events (service, tenant, name, sequence, time, kind, detail, by)
    SELECT ?1, ?2, ?3, coalesce(max(sequence), 0) + 1, ?4, ?5, ?6, ?7 FROM receipt_events
    WHERE service = ?1 AND tenant = ?2 AND name = ?3`,

  putSession: `INSERT INTO sessions (session, kind, worker, types, slots, guarded, boot_id, lease_ms, open_time, heartbeat_time)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT DO UPDATE SET kind = excluded.kind, worker = excluded.worker, types = excluded.types,
      slots = excluded.slots, guarded = excluded.guarded, boot_id = excluded.boot_id, lease_ms = excluded.lease_ms,
      open_time = excluded.open_time, heartbeat_time = excluded.heartbeat_time`,

  beatSession: "UPDATE sessions SET heartbeat_time = ? WHERE session = ?",
  deleteSession: "DELETE FROM sessions WHERE session = ?",

  insertFeedEvent:
    "INSERT INTO feed (service, tenant, name, revision, state, time) VALUES (?, ?, ?, ?, ?, ?)",

  insertAuditEntry: `INSERT INTO audit (service, tenant, name, time, action, principal, origin, reason, revision_before, revision_after)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,

  noteInstant: "UPDATE meta SET last_instant = ? WHERE last_instant < ?",
} as const satisfies Record<string, string>;

/** Retention. Work that may still run (`held`) keeps its operation. */
export const purge = {
  expired: `SELECT service, tenant, name FROM operations INDEXED BY operations_expire
    WHERE expire_time <= ? AND held_session IS NULL ORDER BY expire_time LIMIT ?`,
  /** Only on a full disk: what clients deleted goes before its retention has passed. */
  deleted: `SELECT service, tenant, name FROM operations INDEXED BY operations_deleted
    WHERE delete_time IS NOT NULL AND done_time IS NOT NULL AND held_session IS NULL ORDER BY delete_time LIMIT ?`,
  keepCheckpoint: `UPDATE receipts SET checkpoint_type_url = c.type_url, checkpoint_bytes = c.bytes,
      checkpoint_encoding = c.encoding, checkpoint_key_id = c.key_id
    FROM payloads c
    WHERE receipts.service = ?1 AND receipts.tenant = ?2 AND receipts.name = ?3
      AND c.service = ?1 AND c.tenant = ?2 AND c.name = ?3 AND c.kind = 'checkpoint'`,
  /** Payloads, attempts, labels and request keys go with it. */
  operation: `DELETE FROM operations WHERE ${THIS_OPERATION}`,
  /** Positions are in the order of time, so the oldest rows are looked at and nothing is searched for. */
  feed: `DELETE FROM feed WHERE position IN
    (SELECT position FROM (SELECT position, time FROM feed ORDER BY position LIMIT ?) WHERE time < ?)`,
  audit: `DELETE FROM audit WHERE position IN
    (SELECT position FROM (SELECT position, time FROM audit ORDER BY position LIMIT ?) WHERE time < ?)`,
  receipts: `DELETE FROM receipts WHERE (service, tenant, name) IN
    (SELECT t.service, t.tenant, t.name FROM receipts t INDEXED BY receipts_done
      WHERE t.done_time < ? AND NOT EXISTS (SELECT 1 FROM operations o
        WHERE o.service = t.service AND o.tenant = t.tenant AND o.name = t.name)
      ORDER BY t.done_time LIMIT ?)`,
} as const;

/** The keys that seal page tokens. */
export const pageTokenKeys = {
  newest: "SELECT id, bytes, create_time FROM keys WHERE purpose = 'page-token' ORDER BY id DESC LIMIT 1",
  byId: "SELECT bytes FROM keys WHERE purpose = 'page-token' AND id = ?",
  insert: "INSERT INTO keys (purpose, bytes, create_time) VALUES ('page-token', ?, ?)",
  deleteOld: "DELETE FROM keys WHERE purpose = 'page-token' AND create_time < ?",
} as const;
