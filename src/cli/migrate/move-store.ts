// belay migrate move: a SQLite data folder becomes a PostgreSQL database. One transaction: whoever looks sees nothing of it,
// or all of it; what is broken off is simply run again. It is compared before it is committed.
import { openSchema, withSchemaLocked } from "../../stores/postgres/migrator.ts";
import type { PostgresConnections, Queryable } from "../../stores/postgres/queryable.ts";
import { liveNodes } from "../../stores/postgres/schema-state.ts";
import { CliError, exitCodes } from "../exit-codes.ts";
import { printJson, printLine, printNote, printTable } from "../output.ts";
import { withDatabase } from "./database.ts";
import { moveFeed } from "./move-feed.ts";
import { moveSecrets } from "./move-secrets.ts";
import { MoveSource, type SourceMeta } from "./move-source.ts";
import { type MoveResult, moveTable } from "./move-table.ts";
import { movedTables } from "./moved-tables.ts";

export interface MoveOptions {
  /** The data folder, or a backup file. */
  from: string;
  /** The URL. */
  to: string;
  isJson: boolean;
}

const setLocal = { name: "move_set_local", text: "SELECT set_config($1, $2, true)" };

/** Moves, and prints counts and hashes. Throws a CliError, and then the target is as it was. */
export async function moveStore({ from, to, isJson }: MoveOptions): Promise<void> {
  using source = MoveSource.open(from);
  if (source.folder === null) {
    printNote(
      `belay: ${from} is a backup: what its server did after it was made is not moved, nor are the keys in its data folder`,
    );
  }
  const results = await withDatabase(to, async (pool) => {
    await openSchema(pool);
    const moved = await withSchemaLocked(pool, (connection) => moveAll(source, connection));
    await analyze(pool);
    return moved;
  });
  if (isJson) {
    printJson({ tables: results.map((result) => ({ ...result })) });
    return;
  }
  printTable(
    ["TABLE", "ROWS", "HASH OF BOTH SIDES"],
    results.map(({ table, source: { count, hash } }) => [
      { text: table },
      { text: String(count) },
      { text: hash.slice(0, 32) },
    ]),
  );
  printLine("moved: counts and hashes agree on both sides");
  if (source.folder !== null) {
    printNote(
      `belay: ${from} was not changed; from now on serve with --store, never without it: two servers would do the work twice`,
    );
  }
}

async function moveAll(source: MoveSource, connection: Queryable): Promise<MoveResult[]> {
  for (const timeout of ["statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout"])
    await connection.rows(setLocal, [timeout, "0"]);
  await requireEmpty(connection);
  const results: MoveResult[] = [];
  const note = (result: MoveResult): void => {
    requireSame(result);
    printNote(`belay: ${result.table}: ${result.source.count} rows`);
    if (result.changedTexts > 0) {
      printNote(
        `belay: ${result.table}: ${result.changedTexts} texts had U+0000, which PostgreSQL cannot keep: it is U+FFFD there`,
      );
    }
    results.push(result);
  };
  for (const table of movedTables) note(await moveTable(source, connection, table));
  note(await moveFeed(source, connection));
  if (source.folder !== null) {
    const secrets = await moveSecrets(source.folder, connection);
    if (secrets.length > 0) printNote(`belay: moved ${secrets.join(", ")}`);
  }
  await writeMeta(connection, source.meta());
  return results;
}

function requireSame({ table, source, target }: MoveResult): void {
  if (source.count === target.count && source.hash === target.hash) return;
  throw new CliError(
    `${table}: ${source.count} rows with hash ${source.hash} were read, ${target.count} with ${target.hash} were found ` +
      "again: nothing was moved",
    exitCodes.STORAGE,
  );
}

/** A target with anything in it is somebody's. */
async function requireEmpty(connection: Queryable): Promise<void> {
  const [node] = await liveNodes(connection);
  if (node)
    throw new CliError(
      `node ${node.node} on ${node.host} serves the target: stop it first`,
      exitCodes.STORAGE,
    );
  const tables = [...movedTables.map(({ name }) => name), "feed", "shared_files"];
  const exists = tables.map((name) => `('${name}', EXISTS (SELECT 1 FROM ${name}))`).join(", ");
  const full = await connection.rows<[string]>({
    name: "move_full",
    text: `SELECT name FROM (VALUES ${exists}) AS t(name, is_full) WHERE is_full
      UNION ALL SELECT 'meta' FROM meta WHERE feed_position > 0`,
  });
  if (full.length === 0) return;
  const names = full.map(([name]) => name).join(", ");
  throw new CliError(`the target is not empty: there are rows in ${names}`, exitCodes.STORAGE);
}

/** The feed goes on where it was, and no clock before it. */
async function writeMeta(connection: Queryable, meta: SourceMeta): Promise<void> {
  await connection.rows(
    {
      name: "move_meta",
      text: "UPDATE meta SET create_time = $1, last_instant = $2, feed_position = $3, feed_removed = $4",
    },
    [meta.createTime, meta.lastInstant, meta.feedPosition, meta.feedRemoved],
  );
}

/** Without it the first plans would be made for empty tables. */
async function analyze(connections: PostgresConnections): Promise<void> {
  for (const { name } of [...movedTables, { name: "feed" }]) {
    await connections.rows({ name: `move_analyze_${name}`, text: `ANALYZE ${name}` });
  }
}
