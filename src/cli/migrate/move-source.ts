// Where a move reads: a data folder that nobody serves, held while it is read, or a backup file.
import { existsSync, statSync } from "node:fs";
import { join } from "node:path";
import type { DatabaseSync } from "node:sqlite";
import { databasePath } from "../../stores/sqlite/data-folder.ts";
import { allRows, getRow, openReadConnection, prepareRows } from "../../stores/sqlite/database.ts";
import { lockFolder } from "../../stores/sqlite/folder-lock.ts";
import { knownMigrations } from "../../stores/sqlite/migrator.ts";
import { StoreOpenError } from "../../stores/store-open-error.ts";
import { CliError, exitCodes } from "../exit-codes.ts";
import { movedTables, otherTables } from "./moved-tables.ts";
import type { CellValue } from "./row-hash.ts";

const BUSY_TIMEOUT_MS = 5000;

export interface SourceMeta {
  createTime: number;
  lastInstant: number;
  feedPosition: number;
  feedRemoved: number;
}

/** A SQLite database of Belay that is read as it stands. */
export class MoveSource implements Disposable {
  /** The data folder; null for a backup file. */
  readonly folder: string | null;
  readonly #database: DatabaseSync;
  readonly #release: () => void;

  private constructor(folder: string | null, database: DatabaseSync, release: () => void) {
    this.folder = folder;
    this.#database = database;
    this.#release = release;
  }

  /** Throws a CliError for a folder whose server runs, or what is no database of this version. */
  static open(from: string): MoveSource {
    if (!existsSync(from)) throw new CliError(`there is no ${from}`, exitCodes.STORAGE);
    const isFolder = statSync(from).isDirectory();
    const path = isFolder ? databasePath(from) : from;
    if (!existsSync(path)) throw new CliError(`there is no database ${path}`, exitCodes.STORAGE);
    const release = isFolder ? holdFolder(from) : () => undefined;
    try {
      const database = openReadConnection(path, BUSY_TIMEOUT_MS);
      // One state: a backup file might be written over.
      database.exec("BEGIN");
      requireSchema(database, path);
      return new MoveSource(isFolder ? from : null, database, release);
    } catch (error) {
      release();
      if (error instanceof CliError) throw error;
      const problem = error instanceof Error ? error.message : String(error);
      throw new CliError(`${path} cannot be read: ${problem}`, exitCodes.STORAGE);
    }
  }

  meta(): SourceMeta {
    const sql = "SELECT create_time, last_instant, feed_removed FROM meta";
    const [createTime = 0, lastInstant = 0, feedRemoved = 0] =
      getRow<[number, number, number]>(prepareRows(this.#database, sql)) ?? [];
    return { createTime, lastInstant, feedRemoved, feedPosition: this.lastNumber("feed") };
  }

  /** The last number that a table's identity gave out; 0 for none. */
  lastNumber(table: string): number {
    const sql = "SELECT seq FROM sqlite_sequence WHERE name = ?";
    return getRow<[number]>(prepareRows(this.#database, sql), table)?.[0] ?? 0;
  }

  columns(table: string): string[] {
    const sql = "SELECT name FROM pragma_table_info(?) ORDER BY cid";
    return allRows<[string]>(prepareRows(this.#database, sql), table).map(([name]) => name);
  }

  rows(sql: string): Iterable<CellValue[]> {
    return prepareRows(this.#database, sql).iterate() as unknown as Iterable<CellValue[]>;
  }

  [Symbol.dispose](): void {
    this.#database.close();
    this.#release();
  }
}

function holdFolder(folder: string): () => void {
  try {
    const lock = lockFolder(folder);
    return () => lock.release();
  } catch (error) {
    if (!(error instanceof StoreOpenError)) throw error;
    const backup = join(folder, "..", "belay-backup.db");
    throw new CliError(
      `${error.message}; stop the server first. (belay backup ${backup} and --from ${backup} copies what it has now: ` +
        "what it does after the backup is not moved, and what runs then would run twice)",
      exitCodes.STORAGE,
    );
  }
}

function requireSchema(database: DatabaseSync, path: string): void {
  const sql =
    "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name";
  const tables = allRows<[string]>(prepareRows(database, sql)).map(([name]) => name);
  if (!tables.includes("meta") || !tables.includes("operations")) {
    throw new CliError(`${path} is a database, but not one of Belay's`, exitCodes.STORAGE);
  }
  const has = getRow<[number]>(prepareRows(database, "SELECT schema_version FROM meta"))?.[0] ?? 0;
  const knows = knownMigrations().at(-1)?.version ?? 0;
  if (has !== knows) {
    const advice =
      has < knows ? "let belay serve of this version open it once" : "use the version of Belay that wrote it";
    throw new CliError(
      `${path} has schema ${has}; this version of Belay moves schema ${knows}: ${advice}`,
      exitCodes.STORAGE,
    );
  }
  const known = new Set([...movedTables.map(({ name }) => name), ...otherTables]);
  const unknown = tables.filter((name) => !known.has(name));
  if (unknown.length > 0) throw new CliError(`${path} has tables that no move knows: ${unknown.join(", ")}`);
}
