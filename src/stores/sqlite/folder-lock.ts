// One process per data folder. The lock is an exclusive lock of SQLite on an empty file: the kernel drops it when
// the process dies, however it dies, so there is never a stale one to clean up.
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { StoreOpenError } from "../store-open-error.ts";
import { sqliteFailure } from "./sqlite-failure.ts";

/** A held lock; closing it twice does nothing. */
export interface FolderLock {
  release(): void;
}

/** Takes the folder for this process, at once or not at all. */
export function lockFolder(folder: string): FolderLock {
  const lock = new DatabaseSync(join(folder, "belay.lock"), { timeout: 0 });
  try {
    // Nothing is ever written; MEMORY only keeps a journal file from appearing beside the lock.
    lock.exec("PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE");
  } catch (error) {
    lock.close();
    if (sqliteFailure(error) !== "busy") throw error;
    throw new StoreOpenError(`data folder ${folder} is in use: another process holds its belay.lock`);
  }
  return {
    release: () => {
      if (lock.isOpen) lock.close();
    },
  };
}
