// Small files that only the server's user may read: keys, and the list of revoked tokens. Written whole and durably, or
// not at all.
import {
  closeSync,
  existsSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  statSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { dirname } from "node:path";
import { randomBase36 } from "./random.ts";

const OTHERS = 0o077;

/** The text of a file, or undefined if there is none. Throws a TypeError when others may read it. */
export function readPrivateFile(path: string): string | undefined {
  if (!existsSync(path)) return undefined;
  const { mode } = statSync(path);
  if (process.platform !== "win32" && (mode & OTHERS) !== 0) {
    throw new TypeError(`${path} can be read by others; chmod 600 it, and think of its keys as known`);
  }
  return readFileSync(path, "utf8");
}

/** Makes a folder for such files, and the one around it, if they are missing. */
export function makePrivateFolder(folder: string): void {
  if (existsSync(folder)) return;
  const around = dirname(folder);
  if (!existsSync(around)) mkdirSync(around, { mode: 0o700 });
  mkdirSync(folder, { mode: 0o700 });
}

/** Puts a file in the place of an older one. */
export function replacePrivateFile(path: string, text: string): void {
  const draft = writeDraft(path, text);
  renameSync(draft, path);
  syncFolder(path);
}

/** Makes a file that is not there yet. False: somebody else was faster, and theirs stays. */
export function createPrivateFile(path: string, text: string): boolean {
  const draft = writeDraft(path, text);
  try {
    // A link, unlike a rename, never takes the place of a file: of two processes one wins, and both use its key.
    linkSync(draft, path);
    syncFolder(path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
  } finally {
    unlinkSync(draft);
  }
}

function writeDraft(path: string, text: string): string {
  makePrivateFolder(dirname(path));
  const draft = `${path}.${randomBase36(8)}`;
  writeFileSync(draft, text, { mode: 0o600, flag: "wx", flush: true });
  return draft;
}

function syncFolder(path: string): void {
  const handle = openSync(dirname(path), "r");
  try {
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}
