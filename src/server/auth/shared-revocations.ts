// The IAM tokens that were revoked before their end, where several nodes share a store: in memory on each for every call, in
// the store before a Revoke is answered, and looked at by all every two seconds. One document for all tokens that end in the
// same hour, so that a Revoke writes little and what has ended is dropped as a whole. A line a token, as in revoked-tokens.ts.
import { type Clock, type Instant, MICROS_PER_SECOND } from "../../base/clock.ts";
import type { Logger } from "../../base/logger.ts";
import { RpcError } from "../../base/rpc-error.ts";
import { changeSharedFile, type SharedFiles } from "../../base/shared-files.ts";
import { startInterval, type Timer } from "../../base/timers.ts";
import { ENTRIES_MAX, lineOf, type Revocations, readLines } from "./revoked-tokens.ts";

const PREFIX = "identity/revoked-tokens/";

const HOUR_SECONDS = 3600;

/** A Revoke reaches all nodes within this time, and a read. */
const POLL_MS = 2000;

export class SharedRevocations implements Revocations {
  readonly #files: SharedFiles;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #timer: Timer;
  /** The ends of tokens, by their hour. */
  readonly #hours = new Map<string, { revision: number; ends: Map<string, Instant> }>();
  #count = 0;
  #looking: Promise<void> | null = null;

  constructor(files: SharedFiles, clock: Clock, logger: Logger) {
    this.#files = files;
    this.#clock = clock;
    this.#logger = logger;
    this.#timer = startInterval(POLL_MS, () => void this.#poll(), { unref: true });
  }

  has(id: string): boolean {
    for (const { ends } of this.#hours.values()) if (ends.has(id)) return true;
    return false;
  }

  async add(id: string, expiresAt: Instant): Promise<void> {
    const path = pathOf(expiresAt);
    if (this.#hours.get(path)?.ends.has(id)) return;
    if (this.#count >= ENTRIES_MAX) {
      throw new RpcError("OVERLOADED", { what: "revoked tokens", limit: ENTRIES_MAX });
    }
    try {
      const line = lineOf(id, expiresAt);
      const file = await changeSharedFile(this.#files, path, (text = "") =>
        text.includes(line) ? text : text + line,
      );
      this.#use(path, file.text, file.revision);
    } catch (cause) {
      throw new RpcError("STORAGE_UNAVAILABLE", {}, { cause });
    }
  }

  /** Reads what other nodes have revoked. Rejects when the store cannot be read. */
  look(): Promise<void> {
    this.#looking ??= this.#look().finally(() => {
      this.#looking = null;
    });
    return this.#looking;
  }

  async close(): Promise<void> {
    this.#timer.cancel();
    await this.#looking?.catch(() => undefined);
  }

  async #poll(): Promise<void> {
    try {
      await this.look();
    } catch (error) {
      // Tokens that were revoked elsewhere are taken here for as long as this lasts.
      this.#logger.warn({ err: error }, "the tokens that were revoked could not be read; it is tried again");
    }
  }

  async #look(): Promise<void> {
    const stored = await this.#files.list(PREFIX);
    const endedBefore = pathOf(this.#clock.now() - HOUR_SECONDS * MICROS_PER_SECOND);
    for (const [path, revision] of stored) {
      if (path < endedBefore) await this.#files.remove(path);
      else if (revision > (this.#hours.get(path)?.revision ?? 0)) {
        const file = await this.#files.read(path);
        if (file) this.#use(path, file.text, file.revision);
      }
    }
    for (const path of this.#hours.keys()) if (path < endedBefore) this.#hours.delete(path);
    this.#count = [...this.#hours.values()].reduce((count, { ends }) => count + ends.size, 0);
  }

  /** An older sight never takes the place of a newer one: a read and an own write may come back in any order. */
  #use(path: string, text: string, revision: number): void {
    const known = this.#hours.get(path);
    if (known && known.revision >= revision) return;
    const ends = new Map(readLines(text));
    this.#count += ends.size - (known?.ends.size ?? 0);
    this.#hours.set(path, { revision, ends });
  }
}

/** Of equal length until the year 5188: their order is that of the hours. */
function pathOf(expiresAt: Instant): string {
  return `${PREFIX}${Math.floor(expiresAt / MICROS_PER_SECOND / HOUR_SECONDS)
    .toString()
    .padStart(8, "0")}`;
}
