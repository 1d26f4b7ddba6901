// The IAM tokens that were revoked before their end: in memory for every call, and in a file that is durable before a
// Revoke is answered. One line a token: its id and its end, in seconds. Ended ones are dropped.
import { type FileHandle, open } from "node:fs/promises";
import { type Clock, type Instant, MICROS_PER_SECOND } from "../../base/clock.ts";
import { readPrivateFile, replacePrivateFile } from "../../base/private-files.ts";
import { RpcError } from "../../base/rpc-error.ts";

export const ENTRIES_MAX = 100_000;

/** Tokens that are refused before their end. */
export interface Revocations {
  has(id: string): boolean;
  /**
   * Adds a token; it is refused from now on, and resolves when that is durable. Adding it again changes nothing.
   * Throws OVERLOADED for too many, STORAGE_UNAVAILABLE when it cannot be written.
   */
  add(id: string, expiresAt: Instant): Promise<void>;
  close(): Promise<void>;
}

export class RevokedTokens implements Revocations {
  readonly #path: string | null;
  readonly #clock: Clock;
  readonly #entriesMax: number;
  readonly #ends = new Map<string, Instant>();
  #file: FileHandle | undefined;
  #tail: Promise<void> = Promise.resolve();
  /** A write has failed: the end of the file may be half a line. */
  #isTorn = false;

  /** Reads the file; null keeps the list in memory only. */
  constructor(path: string | null, clock: Clock, entriesMax: number = ENTRIES_MAX) {
    this.#path = path;
    this.#clock = clock;
    this.#entriesMax = entriesMax;
    if (path !== null) this.#load(path);
  }

  has(id: string): boolean {
    return this.#ends.has(id);
  }

  async add(id: string, expiresAt: Instant): Promise<void> {
    const isNew = !this.#ends.has(id);
    if (isNew) this.#makeRoom();
    this.#ends.set(id, expiresAt);
    const written = this.#tail.then(() => this.#write(isNew ? lineOf(id, expiresAt) : ""));
    this.#tail = written.catch(() => undefined);
    try {
      await written;
    } catch (cause) {
      throw new RpcError("STORAGE_UNAVAILABLE", {}, { cause });
    }
  }

  /** Closes the file after what is being written. */
  async close(): Promise<void> {
    await this.#tail;
    await this.#file?.close();
    this.#file = undefined;
  }

  #load(path: string): void {
    const now = this.#clock.now();
    const text = readPrivateFile(path);
    if (text === undefined) return;
    for (const [id, expiresAt] of readLines(text)) if (expiresAt > now) this.#ends.set(id, expiresAt);
    this.#rewrite(path);
  }

  async #write(line: string): Promise<void> {
    const path = this.#path;
    if (path === null) return;
    try {
      if (this.#isTorn || !this.#file) {
        await this.#file?.close();
        this.#file = undefined;
        // Whole, with the entry that is being added: a file that was just made needs its folder to be durable, too.
        this.#rewrite(path);
        this.#file = await open(path, "a");
      } else if (line !== "") {
        await this.#file.appendFile(line);
        await this.#file.datasync();
      }
      this.#isTorn = false;
    } catch (error) {
      this.#isTorn = true;
      throw error;
    }
  }

  #rewrite(path: string): void {
    replacePrivateFile(path, [...this.#ends].map(([id, end]) => lineOf(id, end)).join(""));
  }

  /** Ended tokens need no entry: their end refuses them. */
  #makeRoom(): void {
    if (this.#ends.size < this.#entriesMax) return;
    const now = this.#clock.now();
    for (const [id, end] of this.#ends) if (end <= now) this.#ends.delete(id);
    if (this.#ends.size < this.#entriesMax) {
      // The next write leaves the ended ones out of the file, too.
      this.#isTorn = true;
      return;
    }
    throw new RpcError("OVERLOADED", { what: "revoked tokens", limit: this.#entriesMax });
  }
}

/** The tokens in a file, with their ends. Half a line at the end was never acknowledged. */
export function readLines(text: string): [id: string, expiresAt: Instant][] {
  return text.split("\n").flatMap((line) => {
    const [, id, seconds] = /^([a-z0-9]+) (\d+)$/.exec(line) ?? [];
    return id === undefined ? [] : [[id, Number(seconds) * MICROS_PER_SECOND]];
  });
}

export function lineOf(id: string, expiresAt: Instant): string {
  return `${id} ${Math.ceil(expiresAt / MICROS_PER_SECOND)}\n`;
}
