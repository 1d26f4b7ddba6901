// What an error of SQLite means for the store. Codes: https://sqlite.org/rescode.html (extended ones by node:sqlite).

/**
 * - `busy`: another process has the database locked; nothing happened, a retry may work.
 * - `full`: no room; nothing happened.
 * - `fatal`: the disk, the file or the file system failed; the outcome of the transaction is unknown.
 * - `command`: the statement itself was refused (a constraint, a type), or it was no error of SQLite.
 */
export type SqliteFailure = "busy" | "full" | "fatal" | "command";

const BUSY = 5;
const LOCKED = 6;
const NOMEM = 7;
const READONLY = 8;
const INTERRUPT = 9;
const IOERR = 10;
const CORRUPT = 11;
const FULL = 13;
const CANTOPEN = 14;
const PROTOCOL = 15;
export const NOTADB = 26;

/** The shared-memory file could not grow: that is ENOSPC too, before anything was written to the log. */
const IOERR_SHMSIZE = 4874;

/** The extended result code of an error that node:sqlite threw, or null. */
export function sqliteCode(error: unknown): number | null {
  if (!(error instanceof Error) || !("errcode" in error)) return null;
  return typeof error.errcode === "number" ? error.errcode : null;
}

/** The primary result code, or null. */
export function sqlitePrimaryCode(error: unknown): number | null {
  const code = sqliteCode(error);
  return code === null ? null : code & 0xff;
}

/** Sorts an error of a transaction. */
export function sqliteFailure(error: unknown): SqliteFailure {
  if (sqliteCode(error) === IOERR_SHMSIZE) return "full";
  switch (sqlitePrimaryCode(error)) {
    case BUSY:
    case LOCKED:
    case NOMEM:
    case INTERRUPT:
      return "busy";
    case FULL:
      return "full";
    case IOERR:
    case CORRUPT:
    case NOTADB:
    case READONLY:
    case CANTOPEN:
    case PROTOCOL:
      return "fatal";
    default:
      return "command";
  }
}

/** For logs: the text and the code. */
export function describeSqliteError(error: unknown): string {
  const code = sqliteCode(error);
  const text = error instanceof Error ? error.message : String(error);
  return code === null ? text : `${text} (SQLite result code ${code})`;
}
