// The SQL of `commit`: what loads its read set, and what writes its decision, named by its verb.
// No statement holds a byte of a user's: everything is bound.
import { columnNames, DERIVED_COLUMNS, OPERATION_COLUMNS } from "../operation-rows.ts";
import { SESSION_COLUMNS } from "../session-rows.ts";
import { storedJoins, storedOperation } from "./statements.ts";

export const getRequestKey =
  "SELECT digest, name FROM request_keys WHERE service = ? AND tenant = ? AND method = ? AND request_id = ?";

export const getSession: string = `SELECT ${SESSION_COLUMNS} FROM sessions WHERE session = ?`;

export const getSlot =
  "SELECT used FROM slots WHERE service = ? AND tenant = ? AND type = ? AND concurrency_key = ?";

export const tickDue: string = `${storedOperation} INDEXED BY operations_timer ${storedJoins}
  WHERE o.next_timer <= ? ORDER BY o.next_timer LIMIT ?`;

/** All that a session holds: its leases, and what was taken from it and may still run. */
export const closeSession: string = `${storedOperation} INDEXED BY operations_lease ${storedJoins} WHERE o.lease_session = ?1
  UNION ALL ${storedOperation} INDEXED BY operations_held ${storedJoins} WHERE o.held_session = ?1`;

/** Sessions whose lease has passed; those without a timed one end with their process. */
export const expiredSessions: string = `SELECT ${SESSION_COLUMNS} FROM sessions
  WHERE lease_ms > 0 AND heartbeat_time + lease_ms * 1000 <= ? ORDER BY heartbeat_time + lease_ms * 1000, session LIMIT ?`;

/** Children that are to be told of their parents' end. */
export const sweepChildren: string = `${storedOperation}
  JOIN (SELECT service, tenant, name, min(position) AS position FROM child_links INDEXED BY child_links_sweep
    WHERE to_sweep = 1 GROUP BY service, tenant, name ORDER BY position LIMIT ?) l
  ON l.service = o.service AND l.tenant = o.tenant AND l.name = o.name
  ${storedJoins} ORDER BY l.position`;

export const restartWatch: string = `${storedOperation} INDEXED BY operations_watch ${storedJoins}
  WHERE o.watch_deadline < ? AND o.done_time IS NULL AND o.cancel IS NULL ORDER BY o.watch_deadline LIMIT ?`;

/** What a start with a supersede key cancels. */
export const superseded: string = `${storedOperation} INDEXED BY operations_supersede ${storedJoins}
  WHERE o.service = ? AND o.tenant = ? AND o.type = ? AND o.supersede_key = ? AND o.supersede_key <> ''
    AND o.done_time IS NULL AND o.cancel IS NULL ORDER BY o.create_time, o.id`;

const inserted = [...OPERATION_COLUMNS, ...DERIVED_COLUMNS];

// Six updates instead of one: an UPDATE rewrites every index that has one of its columns, changed or not. So the columns
// of the list indexes (done_time, delete_time), and those of the lease and start indexes, are set only where they do change.
const changing = columnNames(`state, revision, update_time, start_after, attempt, lease_token, lease_session,
  lease_begun, lease_guarded, attempt_start_time, activity_time, progress_percent, progress_message, cancel, next_timer,
  start_class`);
const stepping = columnNames(
  "state, revision, update_time, activity_time, progress_percent, progress_message, cancel, next_timer",
);
const holding = columnNames("held_session, held_begun, held_guarded");
const finishing = [...holding, ...columnNames("outcome, outcome_digest, error, done_time, expire_time")];
const inlined = columnNames("response_type_url, response_bytes, ended_session");
const amending = columnNames("revision, update_time, cancel, held_session, held_begun, held_guarded");

/** What only grows: a smaller value finds no row. */
const growing: readonly string[] = ["revision", "update_time", "attempt", "lease_token"];

/**
 * An update of an operation as it stood. S5, S9, S11, S13, and that a cancel's deadline only comes earlier (G3), are part of its
 * WHERE, so that a bug that would break one changes no row, and the writer takes the transaction back. A trigger that says
 * the same makes SQLite keep a copy of every page that the update touches, in case it has to be undone: 20 us instead of 10.
 */
function update(names: readonly string[], condition = ""): string {
  const place = (name: string): string => `?${names.indexOf(name) + 1}`;
  const key = ["service", "tenant", "name"].map((name, index) => `${name} = ?${names.length + index + 1}`);
  const guards = growing.filter((name) => names.includes(name)).map((name) => `${name} <= ${place(name)}`);
  if (names.includes("cancel"))
    guards.push(`(cancel IS NULL OR cancel ->> 'deadline' >= ${place("cancel")} ->> 'deadline')`);
  const where = [...key, ...guards, ...(condition === "" ? [] : [condition])].join(" AND ");
  return `UPDATE operations SET ${names.map((name) => `${name} = ${place(name)}`).join(", ")} WHERE ${where}`;
}

/** S1: what is done stays as it is. */
const NOT_DONE = "done_time IS NULL";

/** The session that last held the operation stays on the receipt when the lease is gone. */
export const putReceipt = `INSERT INTO receipts (service, tenant, name, type, cancel, outcome, done_time, stop_ms, attempt, session)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT DO UPDATE SET cancel = excluded.cancel, outcome = excluded.outcome, done_time = excluded.done_time,
      stop_ms = excluded.stop_ms, attempt = excluded.attempt,
      session = coalesce(nullif(excluded.session, ''), session)`;

export const lastReceiptSequence =
  "SELECT max(sequence) FROM receipt_events WHERE service = ? AND tenant = ? AND name = ?";

const EVENT_VALUES = 7;

/** So many lines of one receipt: its key, then for each line sequence, time, kind, detail, by, on_behalf_of, request_id. */
export function insertReceiptEvents(count: number): string {
  const rows = Array.from({ length: count }, (_, row) => {
    const values = Array.from({ length: EVENT_VALUES }, (__, index) => `?${4 + row * EVENT_VALUES + index}`);
    return `(?1, ?2, ?3, ${values.join(", ")})`;
  });
  return `INSERT INTO receipt_events (service, tenant, name, sequence, time, kind, detail, by, on_behalf_of, request_id)
    VALUES ${rows.join(", ")}`;
}

function lastPosition(log: "feed" | "audit"): string {
  return `coalesce((SELECT seq FROM sqlite_sequence WHERE name = '${log}'), 0)`;
}

/** What `commit` writes. */
export const commitWrites = {
  insertOperation: `INSERT INTO operations (${inserted.join(", ")}) VALUES (${inserted.map(() => "?").join(", ")})`,

  /** An operation that was not done and is not done; values of `updateValues`. */
  updateOperation: update(changing, NOT_DONE),
  /** Of a begun attempt that goes on: progress, a checkpoint, a cancel. */
  stepOperation: update(stepping, NOT_DONE),
  /** The same where `held` changes; values of `holdValues`. */
  holdOperation: update([...changing, ...holding], NOT_DONE),
  /** An operation that ends; values of `finishValues`, then a small response, then the session whose attempt ended with it. */
  finishOperation: update([...changing, ...finishing, ...inlined], NOT_DONE),
  /** An operation that was done; values of `amendValues`. */
  amendOperation: update(amending),
  /** A client deleted it. */
  deleteOperation: update(["delete_time"]),
  /** The watch deadline or the kin changed; values of `kinValues`, then the timer. */
  kinOperation: update(columnNames("watch_deadline, parents, children, has_own_caller, next_timer")),

  putChildLink: `INSERT INTO child_links (tenant, parent_service, parent_name, service, name, policy, detached)
    VALUES (?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT DO UPDATE SET policy = excluded.policy, detached = excluded.detached,
      to_sweep = to_sweep AND NOT excluded.detached`,
  /**
   * A closed parent's children are to be told: those that are to stop with it, run, and know of no cancel, or of one that is
   * gentler than its own (?4 force, ?5 the end of a grace that was shortened, or NULL; see isGentler).
   */
  closeParent: `UPDATE child_links SET to_sweep = 1
    WHERE tenant = ?1 AND parent_service = ?2 AND parent_name = ?3 AND policy = 'cancel' AND detached = 0
      AND EXISTS (SELECT 1 FROM operations o WHERE o.service = child_links.service AND o.tenant = ?1
        AND o.name = child_links.name AND o.done_time IS NULL AND (o.cancel IS NULL OR (o.cancel ->> 'force' = 0
          AND (?4 OR o.cancel ->> 'graceEndTime' > max(?5, o.cancel ->> 'requestTime')))))`,
  /** A child that has a cancel, or is done, needs to be told nothing, unless a parent presses. */
  sweptChild:
    "UPDATE child_links SET to_sweep = 0 WHERE service = ? AND tenant = ? AND name = ? AND to_sweep = 1",
  pressedChild:
    "UPDATE child_links SET to_sweep = 1 WHERE tenant = ? AND parent_service = ? AND parent_name = ? AND service = ? AND name = ?",

  putSlot: `INSERT INTO slots (service, tenant, type, concurrency_key, used) VALUES (?, ?, ?, ?, ?)
    ON CONFLICT DO UPDATE SET used = excluded.used`,
  freeSlot: "DELETE FROM slots WHERE service = ? AND tenant = ? AND type = ? AND concurrency_key = ?",

  countLive: `INSERT INTO live_counts (service, type, state, count) VALUES (?, ?, ?, ?)
    ON CONFLICT DO UPDATE SET count = count + excluded.count`,

  putPayload: `INSERT INTO payloads (service, tenant, name, kind, type_url, bytes) VALUES (?, ?, ?, ?, ?, ?)
    ON CONFLICT DO UPDATE SET type_url = excluded.type_url, bytes = excluded.bytes, encoding = excluded.encoding, key_id = excluded.key_id`,

  insertLabel: "INSERT INTO labels (service, tenant, name, key, value) VALUES (?, ?, ?, ?, ?)",

  insertAttempt: `INSERT INTO attempts (service, tenant, name, attempt, session, start_time, end_time, outcome, error)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,

  insertRequestKey:
    "INSERT INTO request_keys (service, tenant, method, request_id, digest, name) VALUES (?, ?, ?, ?, ?, ?)",

  putSession: `INSERT INTO sessions (${SESSION_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT DO UPDATE SET kind = excluded.kind, worker = excluded.worker, types = excluded.types,
      slots = excluded.slots, guarded = excluded.guarded, boot_id = excluded.boot_id, lease_ms = excluded.lease_ms,
      open_time = excluded.open_time, heartbeat_time = excluded.heartbeat_time, build = excluded.build,
      principal = excluded.principal, node = excluded.node`,

  beatSession: "UPDATE sessions SET heartbeat_time = ?, node = coalesce(?, node) WHERE session = ?",
  deleteSession: "DELETE FROM sessions WHERE session = ?",

  /** ?1: how many; they take as many positions. */
  insertFeed: `INSERT INTO feed (position, count, service, tenant, time, events) VALUES (${lastPosition("feed")} + ?1, ?1, ?2, ?3, ?4, ?5)`,
  insertAudit: `INSERT INTO audit (position, count, service, tenant, time, entries) VALUES (${lastPosition("audit")} + ?1, ?1, ?2, ?3, ?4, ?5)`,

  noteInstant: "UPDATE meta SET last_instant = ? WHERE last_instant < ?",
} as const satisfies Record<string, string>;
