// Connections to the database, with every setting that durability and safety rest on set and read back.
import { DatabaseSync, type StatementSync } from "node:sqlite";
import type { SqlValue } from "../operation-rows.ts";
import { StoreOpenError } from "../store-open-error.ts";
import { NOTADB, sqlitePrimaryCode } from "./sqlite-failure.ts";

/** synchronous = FULL: the log is synced before a commit returns. NORMAL lost acknowledged writes at 196 of 224 simulated power cuts. */
const SYNCHRONOUS_FULL = 2;

/** A statement whose rows are arrays in the order of its columns. */
export function prepareRows(database: DatabaseSync, sql: string): StatementSync {
  const statement = database.prepare(sql);
  statement.setReturnArrays(true);
  return statement;
}

/** The first row as an array, or undefined. */
export function getRow<Row extends readonly SqlValue[]>(
  statement: StatementSync,
  ...values: SqlValue[]
): Row | undefined {
  return statement.get(...values) as unknown as Row | undefined;
}

/** All rows as arrays. */
export function allRows<Row extends readonly SqlValue[]>(
  statement: StatementSync,
  ...values: SqlValue[]
): Row[] {
  return statement.all(...values) as unknown as Row[];
}

function pragma(database: DatabaseSync, name: string): SqlValue | undefined {
  return getRow<[SqlValue]>(prepareRows(database, `PRAGMA ${name}`))?.[0];
}

/** The one connection that writes. Throws StoreOpenError when the file is no database or durability cannot be had. */
export function openWriteConnection(path: string, busyTimeoutMs: number): DatabaseSync {
  const database = new DatabaseSync(path, {
    timeout: busyTimeoutMs,
    enableForeignKeyConstraints: true,
    enableDoubleQuotedStringLiterals: false,
    defensive: true,
  });
  try {
    database.exec("PRAGMA journal_mode = WAL");
    // fullfsync: macOS only; a plain fsync there does not reach the disk.
    database.exec("PRAGMA synchronous = FULL; PRAGMA fullfsync = ON; PRAGMA checkpoint_fullfsync = ON");
    database.exec("PRAGMA trusted_schema = OFF; PRAGMA temp_store = MEMORY; PRAGMA cache_size = -65536");
    // The writer checkpoints by itself, after it has answered: an automatic one hides its errors and delays the answer.
    database.exec("PRAGMA wal_autocheckpoint = 0");
    // After one huge batch the log gives its room back.
    database.exec("PRAGMA journal_size_limit = 67108864");
    requireSetting(database, path, "journal_mode", "wal");
    requireSetting(database, path, "synchronous", SYNCHRONOUS_FULL);
    requireSetting(database, path, "foreign_keys", 1);
    requireSetting(database, path, "trusted_schema", 0);
  } catch (error) {
    database.close();
    if (sqlitePrimaryCode(error) === NOTADB) throw new StoreOpenError(`${path} is not a SQLite database`);
    throw error;
  }
  return database;
}

function requireSetting(database: DatabaseSync, path: string, name: string, wanted: SqlValue): void {
  const found = pragma(database, name);
  if (found !== wanted) throw new StoreOpenError(`${path}: ${name} is ${found}, and must be ${wanted}`);
}

/** A connection that only reads; the writer's must be open. */
export function openReadConnection(path: string, busyTimeoutMs: number): DatabaseSync {
  const database = new DatabaseSync(path, {
    readOnly: true,
    timeout: busyTimeoutMs,
    enableDoubleQuotedStringLiterals: false,
    defensive: true,
  });
  database.exec("PRAGMA trusted_schema = OFF; PRAGMA temp_store = MEMORY; PRAGMA cache_size = -16384");
  return database;
}

/**
 * Keeps the log as it is while this process ends. The last connection to close writes the log back, and would sync
 * files whose sync has just failed; while another one is open, none is the last. One that only reads cannot do it.
 */
export function holdLog(path: string): void {
  const database = openReadConnection(path, 0);
  database.exec("SELECT 1 FROM meta");
  heldLogs.push(database);
}

const heldLogs: DatabaseSync[] = [];

/** Runs `work` in a transaction of the given kind; rolls back when it throws. */
export function inTransaction<T>(database: DatabaseSync, kind: "DEFERRED" | "IMMEDIATE", work: () => T): T {
  database.exec(`BEGIN ${kind}`);
  try {
    const value = work();
    database.exec("COMMIT");
    return value;
  } catch (error) {
    rollBack(database);
    throw error;
  }
}

/** SQLite rolls some failures back by itself; then there is nothing left to do. */
function rollBack(database: DatabaseSync): void {
  if (!database.isTransaction) return;
  try {
    database.exec("ROLLBACK");
  } catch {
    // The failure that led here is the one to report; a failed rollback leaves the log without a commit record.
  }
}
