// Hot backup: a consistent copy of the live database while commits go on.
import { closeSync, fsyncSync, openSync, renameSync, rmSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { backup } from "node:sqlite";
import { randomBase36 } from "../../base/random.ts";
import { databasePath } from "./data-folder.ts";
import { openReadConnection } from "./database.ts";

/** Pages copied in one step of the thread pool: 16 MiB. */
const PAGES_PER_STEP = 4096;

/**
 * Copies the database to `path`, whole or not at all: written under a temporary name beside it, synced, renamed.
 * A file that is there is replaced. The copy holds all payloads and keys, so only this user may read it.
 */
export async function backUp(
  options: { folder: string; busyTimeoutMs: number },
  path: string,
): Promise<void> {
  const target = resolve(path);
  const temporary = `${target}.${randomBase36(8)}.part`;
  closeSync(openSync(temporary, "wx", 0o600));
  const source = openReadConnection(databasePath(options.folder), options.busyTimeoutMs);
  try {
    // A read transaction holds the snapshot: without it every commit would start the copy over.
    source.exec("BEGIN; SELECT 1 FROM meta");
    await backup(source, temporary, { rate: PAGES_PER_STEP });
    syncPath(temporary);
    renameSync(temporary, target);
    syncPath(dirname(target));
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  } finally {
    source.close();
  }
}

function syncPath(path: string): void {
  const file = openSync(path, "r");
  try {
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}
