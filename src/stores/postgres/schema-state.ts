// What the database says about its schema: which migrations it has, and which nodes are at work on it. Only reads.
import type { Instant } from "../../base/clock.ts";
import type { Queryable, Statement } from "./queryable.ts";

/** A node that has not been heard of for so long is gone: three heartbeats and a bit. */
export const NODE_TIMEOUT_MS = 35_000;

/** A migration that the database has. */
export interface AppliedMigration {
  version: number;
  file: string;
  checksum: string;
  /** See Migration.worksWith: kept, because an older version of Belay has not got the file. */
  worksWith: number;
  applyTime: Instant;
}

/** A server process that works on the database. */
export interface LiveNode {
  node: string;
  /** The version of Belay. */
  version: string;
  host: string;
  /** The schema that its code knows. */
  schema: number;
  startTime: Instant;
}

export interface SchemaState {
  /** current_database(): for messages. */
  database: string;
  /** Such as 180004. */
  serverVersion: number;
  /** By number; empty for a database without a schema. */
  applied: readonly AppliedMigration[];
  /** Tables of the same names as Belay's, in a database that Belay's migrations have not made. */
  foreignTables: readonly string[];
  liveNodes: readonly LiveNode[];
}

/**
 * By a read of pg_class, not by to_regclass, which answers from what the connection remembers:
 *
 *   A and B find no schema -> B waits for A's lock -> A commits the schema -> B still remembers that there is none, makes it
 *   once more, and fails.
 */
const findSchema: Statement = {
  name: "schema_find",
  text: `WITH visible AS (SELECT relname::TEXT AS name FROM pg_catalog.pg_class WHERE pg_table_is_visible(oid))
    SELECT current_database()::TEXT, current_setting('server_version_num')::INTEGER,
      EXISTS (SELECT 1 FROM visible WHERE name = 'belay_schema'),
      ARRAY(SELECT name FROM visible WHERE name = ANY($1::TEXT[]) ORDER BY name)`,
};
const readApplied: Statement = {
  name: "schema_applied",
  text: "SELECT version, file, checksum, works_with, apply_time FROM belay_schema ORDER BY version",
};
const readLiveNodes: Statement = {
  name: "schema_live_nodes",
  text: `SELECT node, version, host, schema_max, start_time FROM nodes
    WHERE heartbeat_time > (extract(epoch FROM clock_timestamp()) * 1000000)::BIGINT - $1::BIGINT ORDER BY node`,
};

/** Reads it. `tables` are the names that the migrations give to tables. */
export async function readSchemaState(
  connection: Queryable,
  tables: readonly string[],
): Promise<SchemaState> {
  const [found] = await connection.rows<[string, number, boolean, string[]]>(findSchema, [tables]);
  if (!found) throw new Error("the database answers no row to a query that has one");
  const [database, serverVersion, hasSchema, present] = found;
  if (!hasSchema) return { database, serverVersion, applied: [], foreignTables: present, liveNodes: [] };
  const rows = await connection.rows<[number, string, string, number, Instant]>(readApplied);
  const applied = rows.map(([version, file, checksum, worksWith, applyTime]) => {
    return { version, file, checksum, worksWith, applyTime };
  });
  return { database, serverVersion, applied, foreignTables: [], liveNodes: await liveNodes(connection) };
}

/** The nodes whose heartbeat is not older than NODE_TIMEOUT_MS by the database's clock. */
export async function liveNodes(connection: Queryable): Promise<readonly LiveNode[]> {
  const rows = await connection.rows<[string, string, string, number, Instant]>(readLiveNodes, [
    NODE_TIMEOUT_MS * 1000,
  ]);
  return rows.map(([node, version, host, schema, startTime]) => ({ node, version, host, schema, startTime }));
}
