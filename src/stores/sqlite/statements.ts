// The SQL of what the store reads. One constant per port method, under its name.
// No statement holds a byte of a user's: everything is bound.
import { OPERATION_COLUMNS } from "../operation-rows.ts";
import { SESSION_COLUMNS } from "../session-rows.ts";

const columns: string = OPERATION_COLUMNS.map((column) => `o.${column}`).join(", ");
const THIS_OPERATION = "service = ? AND tenant = ? AND name = ?";

function payloadJoin(alias: string, kind: string): string {
  return `LEFT JOIN payloads ${alias} ON ${alias}.service = o.service AND ${alias}.tenant = o.tenant AND ${alias}.name = o.name AND ${alias}.kind = '${kind}'`;
}

function payloadColumns(alias: string): string {
  return `${alias}.type_url, ${alias}.bytes, ${alias}.encoding`;
}

/** A small response is in the operation's own row. */
const responseColumns = `coalesce(o.response_type_url, r.type_url), coalesce(o.response_bytes, r.bytes),
  iif(o.response_type_url IS NULL, r.encoding, '')`;

/** A StoredRow: the operation, its response, its metadata. */
export const storedOperation: string = `SELECT ${columns}, ${responseColumns}, ${payloadColumns("m")} FROM operations o`;
export const storedJoins: string = `${payloadJoin("r", "response")} AND o.response_type_url IS NULL ${payloadJoin("m", "metadata")}`;

/** A GrantRow: a StoredRow, then its request and its checkpoint. */
export const grantedOperation: string = `SELECT ${columns}, ${responseColumns}, ${payloadColumns("m")}, ${payloadColumns("q")}, ${payloadColumns("c")} FROM operations o`;
export const grantJoins: string = `${storedJoins} ${payloadJoin("q", "request")} ${payloadJoin("c", "checkpoint")}`;

export const getOperation: string = `${storedOperation} ${storedJoins} WHERE o.service = ? AND o.tenant = ? AND o.name = ?`;

/** Beside the operation itself: its other payloads, labels and ended attempts. */
export const getOperationDetail = {
  payloads: `SELECT kind, type_url, bytes, encoding FROM payloads WHERE ${THIS_OPERATION} AND kind IN ('request', 'checkpoint')`,
  labels: `SELECT key, value FROM labels WHERE ${THIS_OPERATION} ORDER BY key`,
  attempts: `SELECT attempt, session, start_time, end_time, outcome, error FROM all_attempts WHERE ${THIS_OPERATION} ORDER BY attempt`,
} as const;

/** The checkpoint is still the operation's own until retention moves it into the receipt. */
export const getReceipt = {
  head: `SELECT t.type, t.cancel, t.outcome, t.done_time, t.attempt, t.session,
      coalesce(t.checkpoint_type_url, c.type_url), coalesce(t.checkpoint_bytes, c.bytes),
      coalesce(t.checkpoint_encoding, c.encoding)
    FROM receipts t
    LEFT JOIN payloads c ON c.service = t.service AND c.tenant = t.tenant AND c.name = t.name AND c.kind = 'checkpoint'
    WHERE t.service = ? AND t.tenant = ? AND t.name = ?`,
  events: `SELECT time, kind, detail, by, on_behalf_of, request_id FROM receipt_events WHERE ${THIS_OPERATION} ORDER BY sequence`,
} as const;

/** A ListedRow: a StoredRow, then its labels. */
export const listedOperation: string = `SELECT ${columns}, ${responseColumns}, ${payloadColumns("m")},
    (SELECT nullif(json_group_object(l.key, l.value), '{}') FROM labels l
      WHERE l.service = o.service AND l.tenant = o.tenant AND l.name = o.name)
  FROM operations o`;

/** What is due first of what the indexes of starts do not tell. */
export const pendingWork = `SELECT
    (SELECT min(next_timer) FROM operations WHERE next_timer IS NOT NULL),
    (SELECT min(heartbeat_time + lease_ms * 1000) FROM sessions WHERE lease_ms > 0),
    EXISTS (SELECT 1 FROM child_links INDEXED BY child_links_sweep WHERE to_sweep = 1)`;

/** SessionRows with what each one has: begun, reserved, held. */
export const listSessions: string = `SELECT ${SESSION_COLUMNS},
    (SELECT count(*) FROM operations INDEXED BY operations_lease WHERE lease_session = s.session AND lease_begun = 1),
    (SELECT count(*) FROM operations INDEXED BY operations_lease WHERE lease_session = s.session AND lease_begun = 0),
    (SELECT count(*) FROM operations INDEXED BY operations_held WHERE held_session = s.session)
  FROM sessions s ORDER BY open_time, session`;

/** GrantRows. */
export const sessionGrants: string = `${grantedOperation} INDEXED BY operations_lease ${grantJoins}
  WHERE o.lease_session = ?1
  UNION ALL ${grantedOperation} INDEXED BY operations_held ${grantJoins} WHERE o.held_session = ?1
  ORDER BY create_time, id`;

export const liveCounts =
  "SELECT service, type, state, count FROM live_counts WHERE count > 0 ORDER BY service, type, state";

// The partial index operations_held has these rows only.
export const heldCount = "SELECT count(*) FROM operations WHERE held_session IS NOT NULL";

/** By what is leased or held: as many rows as the workers have slots. */
export const stoppingOperations = `SELECT service, tenant, name, create_time, id FROM operations INDEXED BY operations_lease
    WHERE lease_session IS NOT NULL AND type = ?1 AND state = 'CANCELLING'
  UNION ALL SELECT service, tenant, name, create_time, id FROM operations INDEXED BY operations_held
    WHERE held_session IS NOT NULL AND type = ?1
  ORDER BY 4, 5 LIMIT ?2`;

export const listTypes = "SELECT type, policy FROM declared_types ORDER BY type";
export const dropType = "DELETE FROM declared_types WHERE type = ?";
export const putType =
  "INSERT INTO declared_types (type, policy) VALUES (?, ?) ON CONFLICT DO UPDATE SET policy = excluded.policy";

export const listChildren = `SELECT l.service, l.name, o.type, o.state, l.policy, l.detached
  FROM child_links l JOIN operations o ON o.service = l.service AND o.tenant = l.tenant AND o.name = l.name
  WHERE l.tenant = ? AND l.parent_service = ? AND l.parent_name = ? ORDER BY l.position LIMIT ?`;

/** Those that count for a limit: of the type, or of the type and the key. */
function slotUsersOf(limited: string): string {
  const user = `o.service = ?1 AND o.tenant = ?2 AND o.type = ?3 AND ${limited}`;
  return `SELECT o.name, o.create_time, o.id FROM operations o INDEXED BY operations_lease
      WHERE o.lease_session IS NOT NULL AND ${user}
    UNION ALL SELECT o.name, o.create_time, o.id FROM operations o INDEXED BY operations_held
      WHERE o.held_session IS NOT NULL AND ${user}
    ORDER BY 2, 3`;
}

/** All that have a lease or are held are looked at: as many as the workers have slots. */
export const slotUsers = {
  ofType: slotUsersOf("o.type_limit > 0"),
  ofKey: slotUsersOf("o.key_limit > 0 AND o.concurrency_key = ?4"),
} as const;

export const cancelHistory = `SELECT stop_ms FROM receipts INDEXED BY receipts_stopped
  WHERE service = ? AND tenant = ? AND type = ? AND stop_ms IS NOT NULL ORDER BY done_time DESC LIMIT ?`;
