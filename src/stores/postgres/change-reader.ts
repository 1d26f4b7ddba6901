// The statements of the follower: how far the feed is, and what stands in it.
import type { OperationState } from "../../engine/operation.ts";
import type { RemoteChange } from "../../engine/store.ts";
import type { Queryable, Statement } from "./queryable.ts";
import { NODE_TIMEOUT_MS } from "./schema-state.ts";

/** Rows of one read: each is a batch of some node, with up to some hundred events. */
export const ROWS_PER_READ = 100;

const readEnd: Statement = {
  name: "follow_end",
  text: `SELECT feed_position, database_id, pg_postmaster_start_time()::TEXT,
    EXISTS (SELECT 1 FROM nodes WHERE node <> $1
      AND heartbeat_time > (extract(epoch FROM clock_timestamp()) * 1000000)::BIGINT - $2::BIGINT)
    FROM meta`,
};
// Own commits are left out by their rows' keys: under this node's load they are most of the feed.
const readRows: Statement = {
  name: "follow_rows",
  text: `SELECT position, services, tenants, names, types, revisions, states, times, deleted FROM feed
    WHERE position > $1 AND position <> ALL ($2::BIGINT[]) ORDER BY position LIMIT ${ROWS_PER_READ}`,
};

export interface FeedEnd {
  position: number;
  databaseId: string;
  /** When the server started: another one says that a restart, or a failover, lies between. */
  serverStart: string;
  /** Other nodes are at work: somebody listens. */
  hasPeers: boolean;
}

/** One row of the feed: a batch of a node. */
export interface FeedBatch {
  first: number;
  last: number;
  changes: readonly RemoteChange[];
}

type BatchRow = [
  position: number,
  services: string[],
  tenants: string[],
  names: string[],
  types: string[],
  revisions: number[],
  states: OperationState[],
  times: number[],
  deleted: number[],
];

export async function readFeedEnd(connection: Queryable, node: string): Promise<FeedEnd> {
  const [row] = await connection.rows<[number, string, string, boolean]>(readEnd, [
    node,
    NODE_TIMEOUT_MS * 1000,
  ]);
  if (!row) throw new Error("the database has no meta row");
  return { position: row[0], databaseId: row[1], serverStart: row[2], hasPeers: row[3] };
}

/** The rows after a position, but those whose last positions are `own`; at most ROWS_PER_READ. */
export async function readBatches(
  connection: Queryable,
  after: number,
  own: readonly number[],
): Promise<FeedBatch[]> {
  const rows = await connection.rows<BatchRow>(readRows, [after, own]);
  return rows.map((row) => {
    const changes = toChanges(row);
    return { first: row[0] - changes.length + 1, last: row[0], changes };
  });
}

function toChanges([
  ,
  services,
  tenants,
  names,
  types,
  revisions,
  states,
  times,
  deleted,
]: BatchRow): RemoteChange[] {
  const changes: RemoteChange[] = [];
  for (const [index, name] of names.entries()) {
    const [service, tenant, type] = [at(services, index), at(tenants, index), at(types, index)];
    const [state, revision, time] = [at(states, index), at(revisions, index), at(times, index)];
    if (service === undefined || tenant === undefined || type === undefined || state === undefined) break;
    if (revision === undefined || time === undefined) break;
    changes.push({ service, tenant, name, type, revision, state, time, isDeleted: at(deleted, index) === 1 });
  }
  return changes;
}

/** A column of one element is that of every event. */
function at<T>(column: readonly T[], index: number): T | undefined {
  return column.length === 1 ? column[0] : column[index];
}
