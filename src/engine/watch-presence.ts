// Watcher presence: while somebody reads, waits for or watches an operation that would be cancelled unwatched, its watch
// deadline is renewed, at most once per quarter of its time. Presence is a fact in the store: it outlives this process.
import { type Clock, MICROS_PER_MS } from "../base/clock.ts";
import type { Logger } from "../base/logger.ts";
import { startTimer, type Timer } from "../base/timers.ts";
import { keyText } from "./decision.ts";
import { isDone, type OperationKey, type OperationRecord, type StoredOperation } from "./operation.ts";

/** Reads of operations whose watch time is not known yet, at a time. */
const READS_AT_ONCE = 64;

interface PresenceOptions {
  clock: Clock;
  logger: Logger;
  /** The operation as it stands; undefined for one that is gone. */
  read(key: OperationKey): StoredOperation | undefined | Promise<StoredOperation | undefined>;
  /** Commits that somebody watches. */
  renew(key: OperationKey): Promise<unknown>;
}

/** Somebody watches until it is released. */
export interface Hold {
  release(): void;
}

interface Held {
  key: OperationKey;
  watchers: number;
  periodMs: number;
  timer: Timer | null;
}

export class WatchPresence {
  readonly #options: PresenceOptions;
  readonly #renewing = new Set<string>();
  /** Operations with open waits and watches; only those whose time is bounded. */
  readonly #held = new Map<string, Held>();
  #isClosed = false;

  constructor(options: PresenceOptions) {
    this.#options = options;
  }

  /** A client has read this. Cheap, and nothing at all for an operation that runs on unwatched. */
  seen(record: OperationRecord): void {
    const { watchDeadline, policy, state } = record;
    if (watchDeadline === null || (state !== "PENDING" && state !== "RUNNING")) return;
    const leftMs = (watchDeadline - this.#options.clock.now()) / MICROS_PER_MS;
    if (leftMs > 0.75 * policy.unwatchedMs) return;
    const text = keyText(record);
    if (this.#renewing.has(text)) return;
    this.#renewing.add(text);
    void this.#renew(record, text);
  }

  /** Somebody waits for this operation from now on. */
  hold(record: OperationRecord): Hold {
    if (record.watchDeadline === null) return nothingHeld;
    const text = keyText(record);
    this.#add(record, text);
    return { release: once(() => this.#remove(text)) };
  }

  /** Somebody watches these from now on; those that run on unwatched cost one read. Names that do not exist are left out. */
  holdAll(keys: readonly OperationKey[]): Hold {
    const held: string[] = [];
    let isReleased = false;
    const add = async (key: OperationKey): Promise<void> => {
      const stored = await this.#options.read(key);
      if (!stored || stored.record.watchDeadline === null || isReleased) return;
      const text = keyText(key);
      held.push(text);
      this.#add(stored.record, text);
    };
    void this.#inSlices(keys, () => isReleased, add);
    return {
      release: once(() => {
        isReleased = true;
        for (const text of held) this.#remove(text);
      }),
    };
  }

  close(): void {
    this.#isClosed = true;
    for (const { timer } of this.#held.values()) timer?.cancel();
    this.#held.clear();
  }

  async #inSlices(
    keys: readonly OperationKey[],
    isOver: () => boolean,
    each: (key: OperationKey) => Promise<void>,
  ): Promise<void> {
    try {
      for (let first = 0; first < keys.length && !isOver(); first += READS_AT_ONCE) {
        await Promise.all(keys.slice(first, first + READS_AT_ONCE).map(each));
      }
    } catch (error) {
      // The watch goes on; its reads fail in the same way, and tell the watcher.
      this.#options.logger.warn({ err: error }, "watched operations could not be read");
    }
  }

  #add(record: OperationRecord, text: string): void {
    if (this.#isClosed) return;
    const known = this.#held.get(text);
    if (known) {
      known.watchers++;
      return;
    }
    const { service, tenant, name } = record;
    const periodMs = record.policy.unwatchedMs / 4;
    const held: Held = { key: { service, tenant, name }, watchers: 1, periodMs, timer: null };
    this.#held.set(text, held);
    this.seen(record);
    this.#schedule(held);
  }

  #remove(text: string): void {
    const held = this.#held.get(text);
    if (!held || --held.watchers > 0) return;
    held.timer?.cancel();
    this.#held.delete(text);
  }

  #schedule(held: Held): void {
    held.timer = startTimer(held.periodMs, () => void this.#beat(held), { unref: true });
  }

  async #beat(held: Held): Promise<void> {
    let stored: StoredOperation | undefined;
    try {
      stored = await this.#options.read(held.key);
      if (!stored || isDone(stored.record.state)) return;
      this.seen(stored.record);
    } catch (error) {
      this.#options.logger.warn({ err: error, operation: held.key.name }, "a watched operation was not read");
    }
    if (this.#held.get(keyText(held.key)) === held) this.#schedule(held);
  }

  async #renew(key: OperationKey, text: string): Promise<void> {
    const { service, tenant, name } = key;
    try {
      await this.#options.renew({ service, tenant, name });
    } catch (error) {
      this.#options.logger.warn({ err: error, operation: name }, "a watch deadline was not renewed");
    } finally {
      this.#renewing.delete(text);
    }
  }
}

const nothingHeld: Hold = { release: () => {} };

function once(callback: () => void): () => void {
  let isDone = false;
  return () => {
    if (isDone) return;
    isDone = true;
    callback();
  };
}
