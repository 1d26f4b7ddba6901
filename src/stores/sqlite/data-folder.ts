// The folder that holds the database, its lock and its reserve: made, and checked before SQLite sees it, because
// SQLite answers most of these mistakes with "unable to open database file".
import { accessSync, closeSync, constants, existsSync, mkdirSync, openSync, statSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { StoreOpenError } from "../store-open-error.ts";

/** The database's path in a data folder. */
export function databasePath(folder: string): string {
  return join(folder, "belay.db");
}

function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : String(error);
}

/** One level at a time: Node's own recursive mkdir never ends where a file system answers ENOENT below a folder that is there (/proc). */
function makeFolder(path: string): void {
  if (existsSync(path)) {
    if (!statSync(path).isDirectory()) throw Object.assign(new Error("a file"), { code: "EEXIST" });
    return;
  }
  makeFolder(dirname(path));
  mkdirSync(path, { mode: 0o700 });
}

/** Makes the folder and an empty database file if they are missing, readable by this user only. Answers the absolute path. */
export function prepareDataFolder(folder: string): string {
  const path = resolve(folder);
  try {
    makeFolder(path);
  } catch (error) {
    if (codeOf(error) === "EEXIST" || codeOf(error) === "ENOTDIR") {
      throw new StoreOpenError(`data folder ${path} is a file, or lies below one`);
    }
    throw new StoreOpenError(`data folder ${path} cannot be made: ${codeOf(error)}`);
  }
  if (!statSync(path).isDirectory()) throw new StoreOpenError(`data folder ${path} is a file`);
  requireAccess(path, `data folder ${path}`);
  const database = databasePath(path);
  if (existsSync(database)) {
    if (!statSync(database).isFile()) throw new StoreOpenError(`${database} is not a file`);
    requireAccess(database, database);
  } else {
    // Made here for its mode: SQLite gives the log and the shared memory the mode of the database.
    closeSync(openSync(database, "a", 0o600));
  }
  return path;
}

function requireAccess(path: string, what: string): void {
  try {
    accessSync(path, constants.R_OK | constants.W_OK);
  } catch (error) {
    const code = codeOf(error);
    const why = code === "EROFS" ? "is on a read-only file system" : `is not readable and writable (${code})`;
    throw new StoreOpenError(`${what} ${why}`);
  }
}
