// What is on disk of every running command, so that a later life of the worker can end what this one left behind.
// No fsync: after a power cut or a reboot no process is left that a record could name.
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { GroupIdentity } from "./process-group.ts";
import { readProcess } from "./process-table.ts";

/** Who started a command: a worker's process. Its records are nobody else's while it lives. */
export interface RecordOwner {
  pid: number;
  startTime: string;
}

/**
 * A command that was started, or is about to be (pgid null: the intent, written before the spawn; without it a crash
 * between the spawn and its record would leave a process that nobody knows).
 */
export interface ProcessRecord extends GroupIdentity {
  operation: string;
  bootId: string;
  owner: RecordOwner;
}

/** The calling process as an owner. */
export function ownProcess(): RecordOwner {
  return { pid: process.pid, startTime: readProcess(process.pid)?.startTime ?? "" };
}

/** The records of one folder: `<pgid>.json` for each group, `<marker>.intent.json` for each spawn under way. */
export class ProcessRecords {
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
    mkdirSync(folder, { recursive: true, mode: 0o700 });
  }

  /** Throws if it cannot be written: then nothing may be started. Replaced by renaming, so it is never half there. */
  write(record: ProcessRecord): void {
    const path = this.#pathOf(record);
    const temporary = `${path}.${process.pid}.tmp`;
    writeFileSync(temporary, JSON.stringify(record), { mode: 0o600 });
    renameSync(temporary, path);
  }

  /** Never throws: a record that stays names processes that are gone for good, and the next life removes it. */
  remove(identity: GroupIdentity): void {
    try {
      rmSync(this.#pathOf(identity), { force: true });
    } catch {
      // the folder is gone or cannot be written
    }
  }

  /** Every record that can be read; none if the folder cannot be. */
  read(): ProcessRecord[] {
    const records: ProcessRecord[] = [];
    for (const file of this.#files()) {
      const record = file.endsWith(".json") ? parseRecord(join(this.#folder, file)) : undefined;
      if (record) records.push(record);
    }
    return records;
  }

  /** Removes what a writer that was killed before its rename left; another process may be writing, and lives. */
  removeHalfWritten(): void {
    for (const file of this.#files()) {
      const writer = /\.(\d+)\.tmp$/.exec(file)?.[1];
      const isLeft = writer !== undefined && !readProcess(Number(writer))?.isAlive;
      if (isLeft) rmSync(join(this.#folder, file), { force: true });
    }
  }

  #files(): string[] {
    try {
      return readdirSync(this.#folder);
    } catch {
      return [];
    }
  }

  #pathOf({ pgid, marker }: GroupIdentity): string {
    return join(this.#folder, pgid === null ? `${marker}.intent.json` : `${pgid}.json`);
  }
}

function parseRecord(path: string): ProcessRecord | undefined {
  try {
    const record = JSON.parse(readFileSync(path, "utf8")) as ProcessRecord;
    const { pgid, marker, bootId, operation, owner } = record;
    const isGroup = pgid === null || (Number.isSafeInteger(pgid) && pgid > 1);
    const isComplete = [marker, bootId, operation].every((text) => typeof text === "string" && text !== "");
    return isGroup && isComplete && Number.isSafeInteger(owner?.pid) ? record : undefined;
  } catch {
    return undefined; // removed meanwhile, or no file of ours
  }
}
