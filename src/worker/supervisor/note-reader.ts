// Reads the JSON lines that a command writes on descriptor 3. Whatever it writes, memory stays bounded.
import type { JsonObject } from "../../protocol/worker-connection.ts";
import type { CommandNotes } from "./supervisor-messages.ts";

/** A longer line is skipped: above any checkpoint that would be taken. */
const LINE_MAX_BYTES = 1_048_576;
const UNKNOWN_MAX = 200;

/** Splits the stream into lines and keeps the last note of each kind. */
export class NoteReader {
  #chunks: Buffer[] = [];
  #pending = 0;
  #isSkipping = false;
  #notes: CommandNotes = none();
  #sawUnknown = false;

  /** True if there are notes to take. */
  get hasNotes(): boolean {
    return Object.values(this.#notes).some((note) => note !== null);
  }

  /** True if they must not wait: whether a stop is held back depends on them. */
  get areUrgent(): boolean {
    return this.#notes.critical !== null;
  }

  push(chunk: Buffer): void {
    let start = 0;
    for (let end = chunk.indexOf(10); end >= 0; end = chunk.indexOf(10, start)) {
      this.#append(chunk.subarray(start, end));
      this.#endLine();
      start = end + 1;
    }
    this.#append(chunk.subarray(start));
  }

  /** The stream is over: a last line may lack its line feed. */
  end(): void {
    this.#endLine();
  }

  /** What came since the last call. */
  take(): CommandNotes {
    const notes = this.#notes;
    this.#notes = none();
    return notes;
  }

  #append(part: Buffer): void {
    if (this.#isSkipping || part.length === 0) return;
    this.#chunks.push(part);
    this.#pending += part.length;
    if (this.#pending <= LINE_MAX_BYTES) return;
    this.#isSkipping = true;
    this.#unknown(`a line of more than ${LINE_MAX_BYTES} bytes`);
    this.#clear();
  }

  #endLine(): void {
    const line = Buffer.concat(this.#chunks).toString("utf8").trim();
    this.#clear();
    this.#isSkipping = false;
    if (line !== "") this.#read(line);
  }

  #clear(): void {
    this.#chunks = [];
    this.#pending = 0;
  }

  #read(line: string): void {
    let note: unknown;
    try {
      note = JSON.parse(line);
    } catch {
      this.#unknown(line);
      return;
    }
    if (!isObject(note)) {
      this.#unknown(line);
      return;
    }
    const { percent, message, checkpoint, critical } = note;
    const isProgress = typeof percent === "number" && Number.isFinite(percent);
    if (isProgress) this.#notes.progress = { percent, message: typeof message === "string" ? message : "" };
    if (isObject(checkpoint)) this.#notes.checkpoint = checkpoint as JsonObject;
    const isCritical = critical === null || (typeof critical === "string" && critical !== "");
    if (isCritical) this.#notes.critical = { section: critical };
    if (!isProgress && !isObject(checkpoint) && !isCritical) this.#unknown(line);
  }

  #unknown(line: string): void {
    if (!this.#sawUnknown) this.#notes.unknown = line.slice(0, UNKNOWN_MAX);
    this.#sawUnknown = true;
  }
}

function none(): CommandNotes {
  return { progress: null, checkpoint: null, critical: null, unknown: null };
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
