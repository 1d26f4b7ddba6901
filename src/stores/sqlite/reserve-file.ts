// A file that only takes up room. On a full disk it is removed, so that deletes and retention can still be logged.
import { closeSync, existsSync, fsyncSync, openSync, rmSync, statfsSync, statSync, writeSync } from "node:fs";
import { dirname, join } from "node:path";

/** Twice the log's usual length: the log can then be written back, and its own room serves the deletes that follow. */
const RESERVE_BYTES = 8 * 1024 * 1024;

/** Left for others: a reserve that fills the disk would be no help. */
const MARGIN_BYTES = 1024 * 1024;

const CHUNK = new Uint8Array(64 * 1024);

export class ReserveFile {
  readonly #path: string;

  constructor(folder: string) {
    this.#path = join(folder, "belay.reserve");
  }

  /** Takes the room if it is not taken yet. False if the disk does not have it. */
  take(): boolean {
    let file: number | undefined;
    try {
      if (this.#isWhole()) return true;
      const { bavail, bsize } = statfsSync(dirname(this.#path));
      if (bavail * bsize < RESERVE_BYTES + MARGIN_BYTES) return false;
      file = openSync(this.#path, "w", 0o600);
      // Written, not just made long: a hole would take no room.
      for (let at = 0; at < RESERVE_BYTES; at += CHUNK.length) writeWhole(file);
      fsyncSync(file);
      return true;
    } catch {
      this.release();
      return false;
    } finally {
      if (file !== undefined) closeSync(file);
    }
  }

  /** Gives the room back. False if there was none to give. */
  release(): boolean {
    const existed = existsSync(this.#path);
    rmSync(this.#path, { force: true });
    return existed;
  }

  #isWhole(): boolean {
    return (statSync(this.#path, { throwIfNoEntry: false })?.size ?? 0) >= RESERVE_BYTES;
  }
}

function writeWhole(file: number): void {
  for (let written = 0; written < CHUNK.length; ) written += writeSync(file, CHUNK, written);
}
