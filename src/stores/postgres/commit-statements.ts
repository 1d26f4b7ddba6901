// The SQL of what a commit writes, one constant for each kind of row. What is read before is in read-statements of
// read-set.ts and pending-search.ts. No statement holds a byte of a user's: everything is bound.
import { columnNames, DERIVED_COLUMNS, OPERATION_COLUMNS } from "../operation-rows.ts";
import { SESSION_COLUMNS } from "../session-rows.ts";
import { changingColumns } from "./changing-columns.ts";
import { type Column, insertRows, type RowSource, RowStatement } from "./commit-rows.ts";
import type { ColumnType } from "./postgres-values.ts";
import type { Statement } from "./queryable.ts";

const BIGINT_COLUMNS = new Set(
  columnNames(`revision, create_time, update_time, grace_ms, critical_ms, cleanup_ms, kill_ms, max_attempts, backoff_ms,
  backoff_max_ms, attempt_timeout_ms, stall_timeout_ms, retention_ms, start_after, deadline, attempt, lease_token,
  attempt_start_time, activity_time, done_time, delete_time, type_limit, key_limit, unwatched_ms, watch_deadline,
  next_timer, expire_time, slots, lease_ms, open_time, heartbeat_time`),
);
const OTHER_COLUMNS: Record<string, ColumnType> = {
  cancellable: "smallint",
  lease_begun: "smallint",
  lease_guarded: "smallint",
  held_begun: "smallint",
  held_guarded: "smallint",
  has_own_caller: "smallint",
  guarded: "smallint",
  start_class: "smallint",
  priority: "integer",
  progress_percent: "double precision",
  cancel: "json",
  parents: "json",
  children: "json",
};

function typed(column: string): Column {
  return [column, OTHER_COLUMNS[column] ?? (BIGINT_COLUMNS.has(column) ? "bigint" : "text")];
}

function texts(...columns: string[]): Column[] {
  return columns.map((column) => [column, "text"]);
}

export const KEY_COLUMNS: readonly Column[] = texts("service", "tenant", "name");

const rowColumns = [...OPERATION_COLUMNS, ...DERIVED_COLUMNS];

const changing = changingColumns.map(typed);

/** The row, then its version. */
export const insertOperations: RowStatement = insertRows("insert_operations", "operations", [
  ...rowColumns.map(typed),
  ["version", "bigint"],
]);

/**
 * The rows of a table by keys of the source, one search of its primary key each, as `found.ctid`. Not a plain join: a plan
 * that was made while the table was empty would read the whole table for each batch ever after (measured: 900 us a row
 * instead of 50). A row that somebody else changes meanwhile has another ctid, and is not written: that is a lost race.
 */
function lookUp(table: string, { of, from }: RowSource, keys: readonly string[], columns = "x.ctid"): string {
  const where = keys.map((key) => `x.${key} = ${of(key)}`).join(" AND ");
  const source = from === "" ? "FROM (SELECT 1) v" : from;
  return `${source} CROSS JOIN LATERAL (SELECT ${columns} FROM ${table} x WHERE ${where} LIMIT 1) found`;
}

const KEYS = ["service", "tenant", "name"];

/**
 * Rows of changedRow; behind them how many rows there are. Fewer were found: somebody else has
 * written one since it was read, and the whole transaction fails (see belay_expect).
 */
function updateOperations(name: string, more: readonly Column[] = []): RowStatement {
  const columns = [...changing, ...more];
  return new RowStatement(
    name,
    [...KEY_COLUMNS, ["version", "bigint"], ...columns],
    (source) => `WITH written AS (
      UPDATE operations o SET ${columns.map(([column]) => `${column} = ${source.of(column)}`).join(", ")},
        version = ${source.of("version")} + 1
      ${lookUp("operations", source, [...KEYS, "version"])} WHERE o.ctid = found.ctid
      RETURNING 1)
    SELECT belay_expect(count(*), $${source.next}) FROM written`,
  );
}

/** Those that end an operation are alike among themselves, and so are the others. */
export const changeOperations: RowStatement = updateOperations("change_operations");
/** Rows of changedRow, then what is in the row when it has ended: see EndedInRow. */
export const finishOperations: RowStatement = updateOperations(
  "finish_operations",
  texts("empty_response", "end_session"),
);

/** Takes the locks of operations in the order of their keys, before UPDATEs take them in another. */
export const lockOperations: RowStatement = new RowStatement("lock_operations", KEY_COLUMNS, (source) => {
  const { from, of } = source;
  const where = KEYS.map((key) => `x.${key} = ${of(key)}`).join(" AND ");
  return `SELECT found.one ${from === "" ? "FROM (SELECT 1) v" : from}
    CROSS JOIN LATERAL (SELECT 1 AS one FROM operations x WHERE ${where} LIMIT 1 FOR NO KEY UPDATE) found`;
});

/** Operations that were read from memory, and not written: key, version; behind them how many. */
export const checkOperations: RowStatement = new RowStatement(
  "check_operations",
  [...KEY_COLUMNS, ["version", "bigint"]],
  (source) =>
    `SELECT belay_expect(count(*), $${source.next}) ${lookUp("operations", source, [...KEYS, "version"])}`,
);

export const insertLabels: RowStatement = insertRows("insert_labels", "labels", [
  ...KEY_COLUMNS,
  ...texts("key", "value"),
]);

const payloadColumns: Column[] = [...KEY_COLUMNS, ...texts("kind", "type_url"), ["bytes", "bytea"]];

/** Requests, metadata and responses are written once: without ON CONFLICT the key is searched for once, not twice. */
export const insertPayloads: RowStatement = insertRows("insert_payloads", "payloads", payloadColumns);
export const putCheckpoints: RowStatement = insertRows(
  "put_checkpoints",
  "payloads",
  payloadColumns,
  `ON CONFLICT (service, tenant, name, kind) DO UPDATE SET type_url = excluded.type_url, bytes = excluded.bytes,
    encoding = excluded.encoding, key_id = excluded.key_id`,
);

export const insertAttempts: RowStatement = insertRows("insert_attempts", "attempts", [
  ...KEY_COLUMNS,
  ["attempt", "bigint"],
  ["session", "text"],
  ["start_time", "bigint"],
  ["end_time", "bigint"],
  ...texts("outcome", "error"),
]);

export const insertRequestKeys: RowStatement = insertRows(
  "insert_request_keys",
  "request_keys",
  texts("service", "tenant", "method", "request_id", "digest", "name"),
);

/** The session that last held the operation stays on the receipt when the lease is gone. */
export const putReceipts: RowStatement = insertRows(
  "put_receipts",
  "receipts AS t",
  [
    ...KEY_COLUMNS,
    ["type", "text"],
    ["cancel", "json"],
    ["outcome", "text"],
    ["done_time", "bigint"],
    ["stop_ms", "double precision"],
    ["attempt", "bigint"],
    ["session", "text"],
  ],
  `ON CONFLICT (service, tenant, name) DO UPDATE SET cancel = excluded.cancel, outcome = excluded.outcome,
    done_time = excluded.done_time, stop_ms = excluded.stop_ms, attempt = excluded.attempt,
    session = coalesce(nullif(excluded.session, ''), t.session)`,
);

const eventColumns: Column[] = [
  ...KEY_COLUMNS,
  ["nth", "bigint"],
  ["time", "bigint"],
  ...texts("kind", "detail", "by_whom", "on_behalf_of", "request_id"),
];

/** `nth` counts the lines of one receipt within the batch, from 1: they come behind those that are there. */
export const insertReceiptEvents: RowStatement = new RowStatement(
  "insert_receipt_events",
  eventColumns,
  ({ of, values, from }) => `INSERT INTO receipt_events
      (service, tenant, name, sequence, time, kind, detail, by, on_behalf_of, request_id)
    SELECT ${values.slice(0, 3).join(", ")}, ${of("nth")} + coalesce((SELECT max(e.sequence) FROM receipt_events e
      WHERE e.service = ${of("service")} AND e.tenant = ${of("tenant")} AND e.name = ${of("name")}), 0),
      ${values.slice(4).join(", ")} ${from}`,
);

export const putChildLinks: RowStatement = insertRows(
  "put_child_links",
  "child_links AS l",
  [
    ...texts("tenant", "parent_service", "parent_name", "service", "name", "policy"),
    ["detached", "smallint"],
  ],
  `ON CONFLICT (tenant, parent_service, parent_name, service, name) DO UPDATE SET policy = excluded.policy,
    detached = excluded.detached, to_sweep = CASE WHEN excluded.detached = 1 THEN 0 ELSE l.to_sweep END`,
);

/**
 * Closed parents' children are to be told: those that are to stop with them, run, and know of no cancel, or of one that is
 * gentler than their parent's (`force`, or the end of a grace that was shortened, or NULL; see isGentler).
 */
export const closeParents: RowStatement = new RowStatement(
  "close_parents",
  [...texts("tenant", "parent_service", "parent_name"), ["force", "smallint"], ["grace_end_time", "bigint"]],
  ({ of, from }) => `UPDATE child_links l SET to_sweep = 1 ${from}
    WHERE l.tenant = ${of("tenant")} AND l.parent_service = ${of("parent_service")} AND l.parent_name = ${of("parent_name")}
      AND l.policy = 'cancel' AND l.detached = 0
      AND EXISTS (SELECT 1 FROM operations o WHERE o.service = l.service AND o.tenant = l.tenant AND o.name = l.name
        AND o.done_time IS NULL AND (o.cancel IS NULL OR (NOT (o.cancel ->> 'force')::boolean AND (${of("force")} = 1
          OR (${of("grace_end_time")} IS NOT NULL AND (o.cancel ->> 'graceEndTime')::bigint
            > greatest(${of("grace_end_time")}, (o.cancel ->> 'requestTime')::bigint))))))`,
);

/** A child that has a cancel, or is done, needs to be told nothing, unless a parent presses. */
export const sweptChildren: RowStatement = new RowStatement(
  "swept_children",
  texts("service", "tenant", "name"),
  ({ of, from }) => `UPDATE child_links l SET to_sweep = 0 ${from}
    WHERE l.service = ${of("service")} AND l.tenant = ${of("tenant")} AND l.name = ${of("name")} AND l.to_sweep = 1`,
);

export const pressedChildren: RowStatement = new RowStatement(
  "pressed_children",
  texts("tenant", "parent_service", "parent_name", "service", "name"),
  ({ of, from }) => `UPDATE child_links l SET to_sweep = 1 ${from}
    WHERE l.tenant = ${of("tenant")} AND l.parent_service = ${of("parent_service")}
      AND l.parent_name = ${of("parent_name")} AND l.service = ${of("service")} AND l.name = ${of("name")}`,
);

const slotColumns: Column[] = [...texts("service", "tenant", "type", "concurrency_key"), ["used", "bigint"]];

/** `used` more; 0 makes the row, and takes its lock. Answers the slot, and how many use it now. */
export const takeSlots: RowStatement = insertRows(
  "take_slots",
  "slots AS s",
  slotColumns,
  `ON CONFLICT (service, tenant, type, concurrency_key) DO UPDATE SET used = s.used + excluded.used
    RETURNING s.service, s.tenant, s.type, s.concurrency_key, s.used`,
);

const SLOT_KEYS = ["service", "tenant", "type", "concurrency_key"];

/** `used` fewer (a negative number); behind them how many slots. Slots are shared: a row that was changed meanwhile is waited for. */
export const leaveSlots: RowStatement = new RowStatement("leave_slots", slotColumns, (source) => {
  const { from, of, next } = source;
  const where = SLOT_KEYS.map((key) => `x.${key} = ${of(key)}`).join(" AND ");
  return `WITH locked AS MATERIALIZED (
      SELECT found.place, ${of("used")} AS change ${from === "" ? "FROM (SELECT 1) v" : from}
      CROSS JOIN LATERAL (SELECT x.ctid AS place FROM slots x WHERE ${where} LIMIT 1 FOR NO KEY UPDATE) found),
    written AS (
      UPDATE slots s SET used = s.used + locked.change FROM locked WHERE s.ctid = locked.place RETURNING 1)
    SELECT belay_expect(count(*), $${next}) FROM written`;
});

/** A row goes when nobody uses it. */
export const dropSlots: RowStatement = new RowStatement(
  "drop_slots",
  slotColumns.slice(0, 4),
  (
    source,
  ) => `DELETE FROM slots s USING (SELECT found.ctid AS place ${lookUp("slots", source, SLOT_KEYS)}) gone
    WHERE s.ctid = gone.place AND s.used = 0`,
);

const sessionColumns = SESSION_COLUMNS.split(",").map((column) => typed(column.trim()));

export const putSessions: RowStatement = insertRows(
  "put_sessions",
  "sessions",
  sessionColumns,
  `ON CONFLICT (session) DO UPDATE SET ${sessionColumns.map(([column]) => `${column} = excluded.${column}`).join(", ")}`,
);

/**
 * Sessions that are granted something from memory: session, node; behind them how many. They must not be closed, nor taken by
 * another node, before this commit:
 *
 *   this node remembers S -> another node closes S and settles what it holds -> S is given an operation, which nobody ever ends.
 */
export const checkSessions: RowStatement = new RowStatement(
  "check_sessions",
  texts("session", "node"),
  ({ of, from, next }) => `SELECT belay_expect(count(*), $${next}) FROM (
    SELECT found.one ${from === "" ? "FROM (SELECT 1) v" : from}
    CROSS JOIN LATERAL (SELECT 1 AS one FROM sessions x WHERE x.session = ${of("session")}
      AND x.node IS NOT DISTINCT FROM ${of("node")} LIMIT 1 FOR KEY SHARE) found) kept`,
);

export const beatSessions: RowStatement = new RowStatement(
  "beat_sessions",
  [
    ["session", "text"],
    ["heartbeat_time", "bigint"],
    ["node", "text"],
  ],
  ({
    of,
    from,
  }) => `UPDATE sessions s SET heartbeat_time = greatest(s.heartbeat_time, ${of("heartbeat_time")}),
      node = coalesce(${of("node")}, s.node) ${from}
    WHERE s.session = ${of("session")}`,
);

export const deleteSessions: Statement = {
  name: "delete_sessions",
  text: "DELETE FROM sessions WHERE session = ANY($1::text[])",
};

export const insertAudits: RowStatement = insertRows("insert_audits", "audit", [
  ...KEY_COLUMNS,
  ["time", "bigint"],
  ...texts("action", "principal", "origin", "reason"),
  ["revision_before", "bigint"],
  ["revision_after", "bigint"],
]);

/**
 * The last statement of a commit: it takes the lock that all commits with a visible change queue for. How many events, the
 * instant, then the events' arrays. Answers the position of the last event.
 */
export const insertFeed: Statement = {
  name: "insert_feed",
  text: `WITH counter AS (
      UPDATE meta SET feed_position = feed_position + $1::bigint, last_instant = greatest(last_instant, $2::bigint)
      WHERE id = 1 RETURNING feed_position)
    INSERT INTO feed (position, time, services, tenants, names, types, revisions, states, times, deleted)
    SELECT feed_position, $2::bigint, $3::text[], $4::text[], $5::text[], $6::text[], $7::bigint[], $8::text[],
      $9::bigint[], $10::smallint[] FROM counter
    RETURNING position`,
};
