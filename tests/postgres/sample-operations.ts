// A database with many operations at once, in the words of the schema: for tests of what reads cost and return, which no
// commit by commit could fill in time.
import { openSchema } from "../../src/stores/postgres/migrator.ts";
import { PostgresPool } from "../../src/stores/postgres/postgres-pool.ts";
import type { TestDatabases } from "./test-databases.ts";

/** Operation i was created this long after EPOCH: 1 ms times i. */
export const EPOCH = 1_795_000_000_000_000;
/** How long done operations are kept. */
export const RETENTION_MS = 86_400_000;

export const SERVICE = "default";
export const TENANT = "t";

/** The name of operation i. */
export function sampleName(i: number): string {
  return `operations/opr${String(i).padStart(17, "0")}`;
}

/** Makes a database with the schema. */
export async function sampleDatabase(databases: TestDatabases): Promise<{ name: string; url: string }> {
  const name = await databases.createDatabase();
  const url = databases.url(name);
  const pool = new PostgresPool({ url, poolSize: 2 }, 0);
  await openSchema(pool);
  await pool.close();
  return { name, url };
}

// Of 50 operations, one waits, one runs, one is deleted; of 10, one was cancelled, with a receipt; the others succeeded.
const operations = `INSERT INTO operations (service, tenant, name, id, parent, type, state, version, revision, create_time,
    update_time, created_by, description, cancellable, grace_ms, critical_ms, cleanup_ms, kill_ms, max_attempts, backoff_ms,
    backoff_max_ms, attempt_timeout_ms, stall_timeout_ms, retention_ms, on_delete, start_after, attempt, lease_token,
    lease_session, lease_begun, lease_guarded, cancel, outcome, outcome_digest, error, done_time, delete_time, type_limit,
    key_limit, concurrency_key, priority, supersede_key, rerun_of, unwatched_ms, has_own_caller, next_timer, expire_time,
    start_class)
  SELECT '${SERVICE}', '${TENANT}', 'operations/opr' || lpad(i::TEXT, 17, '0'), 'opr' || lpad(i::TEXT, 17, '0'), '',
    'type-' || i % 5, state, 1, 1, at, at, 'user:' || i % 7, '', 1, 10000, 0, 0, 5000, 1, 1000, 60000, 3600000, 0,
    ${RETENTION_MS}, 'keep', at, (state <> 'PENDING')::INT, (state <> 'PENDING')::INT,
    CASE state WHEN 'RUNNING' THEN 'ses-1' END, CASE state WHEN 'RUNNING' THEN 1 END, CASE state WHEN 'RUNNING' THEN 1 END,
    CASE state WHEN 'CANCELLED' THEN '{"cause":"cancel","deadline":1}'::JSON END,
    CASE state WHEN 'SUCCEEDED' THEN 'response' WHEN 'CANCELLED' THEN 'error' END,
    CASE WHEN is_done THEN 'd' END, CASE state WHEN 'CANCELLED' THEN '{"code":1,"message":"","details":[]}' END,
    CASE WHEN is_done THEN at END, CASE WHEN i % 50 = 3 THEN at END, 0, 0, '', i % 3, '', '', 0, 1,
    CASE state WHEN 'RUNNING' THEN at + 3600000000 END, CASE WHEN is_done THEN at + ${RETENTION_MS} * 1000::BIGINT END,
    CASE state WHEN 'PENDING' THEN 1 + i / 50 % 2 END
  FROM (
    SELECT i, ${EPOCH} + i * 1000::BIGINT AS at, state, state NOT IN ('PENDING', 'RUNNING') AS is_done
    FROM generate_series($1::INT, $2::INT) i CROSS JOIN LATERAL (SELECT CASE
      WHEN i % 50 = 1 THEN 'PENDING' WHEN i % 50 = 2 THEN 'RUNNING' WHEN i % 10 = 4 THEN 'CANCELLED' ELSE 'SUCCEEDED'
    END AS state) s
  ) sample`;

const made = `create_time BETWEEN ${EPOCH} + $1::INT * 1000::BIGINT AND ${EPOCH} + $2::INT * 1000::BIGINT`;
const theirs: readonly string[] = [
  `INSERT INTO payloads (service, tenant, name, kind, type_url, bytes)
    SELECT service, tenant, name, kind, 'type.example/X', decode(repeat(md5(name), 4), 'hex')
    FROM operations CROSS JOIN (VALUES ('request'), ('response'), ('checkpoint')) k (kind)
    WHERE ${made} AND (kind = 'request' OR kind = 'response' AND outcome = 'response' OR state = 'CANCELLED')`,
  `INSERT INTO labels SELECT service, tenant, name, 'env', type FROM operations WHERE ${made}`,
  `INSERT INTO attempts SELECT service, tenant, name, 1, 'ses-1', create_time, done_time, 'SUCCEEDED', NULL
    FROM operations WHERE ${made} AND done_time IS NOT NULL`,
  `INSERT INTO request_keys SELECT service, tenant, 'Start', id, 'd', name FROM operations WHERE ${made}`,
  `INSERT INTO receipts (service, tenant, name, type, cancel, outcome, done_time, stop_ms, attempt, session)
    SELECT service, tenant, name, type, cancel, state, done_time, 5, 1, '' FROM operations
    WHERE ${made} AND cancel IS NOT NULL`,
  `INSERT INTO receipt_events (service, tenant, name, sequence, time, kind, detail, by)
    SELECT service, tenant, name, s, done_time, 'REQUESTED', '', 'user:1' FROM operations, generate_series(1, 2) s
    WHERE ${made} AND cancel IS NOT NULL ORDER BY create_time, s`,
  `INSERT INTO child_links (tenant, parent_service, parent_name, service, name, policy, detached)
    SELECT tenant, service, 'operations/opr' || lpad((substr(id, 4)::INT / 100 * 100)::TEXT, 17, '0'), service, name,
      'wait', 0 FROM operations WHERE ${made} AND substr(id, 4)::INT % 10 = 7 ORDER BY create_time`,
  `INSERT INTO audit (service, tenant, name, time, action, principal, origin, reason, revision_before, revision_after)
    SELECT service, tenant, name, create_time, 'start', 'user:1', 'native/grpc', '', 0, 1 FROM operations
    WHERE ${made} ORDER BY create_time`,
  // One event for each, 50 of them a batch.
  `INSERT INTO feed SELECT (SELECT feed_position FROM meta) + sum(count(*)) OVER (ORDER BY batch), min(create_time),
      array_agg(service), array_agg(tenant), array_agg(name), array_agg(type), array_agg(1::BIGINT), array_agg(state),
      array_agg(create_time), array_agg(0::SMALLINT)
    FROM (SELECT *, substr(id, 4)::INT / 50 AS batch FROM operations WHERE ${made} ORDER BY create_time) o GROUP BY batch`,
  `UPDATE meta SET feed_position = coalesce((SELECT max(position) FROM feed), 0) WHERE $1::INT <= $2::INT`,
];

/** Adds operations `from` to `to` with all that is theirs, one event of the feed each. Nothing is analysed. */
export async function addSampleOperations(
  databases: TestDatabases,
  database: string,
  [from, to]: readonly [from: number, to: number],
): Promise<void> {
  for (const statement of [operations, ...theirs]) await databases.query(statement, [from, to], database);
}
