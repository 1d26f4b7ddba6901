// What other processes commit to a shared store, and whom it concerns here. Thousands of changes a second that concern nobody
// cost a look into some maps each; only what somebody waits for or works on is read, once for all of them.

import type { Clock, Instant } from "../base/clock.ts";
import { dropOldest } from "../base/drop-oldest.ts";
import type { Logger } from "../base/logger.ts";
import { startTimer, type Timer } from "../base/timers.ts";
import { keyOf, keyText } from "./decision.ts";
import type { FeedHub } from "./feed-hub.ts";
import { parentOf } from "./feed-lane.ts";
import { isDone, type OperationKey, type OperationRecord, type StoredOperation } from "./operation.ts";
import type { SessionDirectory } from "./session-directory.ts";
import type { RemoteChange, Store, StoreFollower } from "./store.ts";
import type { Waiters } from "./waiters.ts";

/** Reads under way at once; the store makes one statement of those of a turn. */
const READS_MAX = 500;

/** After a read that failed: what is waited for is read again. */
const RETRY_MS = 200;

/** A pending operation that nobody has taken after this time may be one that starts later: it is read. */
const DELAYED_MS = 100;

/** Of those, so many are read at a time; with a longer queue the backstop of the timers has to do. */
const DELAYED_MAX = 64;

/** Live operations that this process has changed; about 1 kB each. */
const STANDING_MAX = 8192;

interface RemoteChangesOptions {
  store: Pick<Store, "getOperation">;
  clock: Clock;
  logger: Logger;
  /** Own batches that were sent, and those that were answered: both only grow. */
  commits: { readonly sent: number; readonly settled: number };
  waiters: Pick<Waiters, "has" | "wake">;
  sessions: Pick<SessionDirectory, "changed" | "changedElsewhere" | "serves" | "workMayBeReady">;
  feed: Pick<FeedHub, "changed" | "followed">;
  /** An operation has ended, on another node. */
  endedElsewhere(text: string): void;
  /** A pending operation of a type that is served here may start at this instant. */
  startsAt(instant: Instant): void;
}

export class RemoteChanges implements StoreFollower {
  readonly #options: RemoteChangesOptions;
  /** To be read, by keyText. */
  readonly #wanted = new Map<string, OperationKey>();
  readonly #reading = new Map<string, Promise<void>>();
  /** The newest revision of what changed while own commits were under way, and how many of those had been sent. */
  readonly #recent = new Map<string, { revision: number; sent: number }>();
  /** What this process changed and nobody has ended, by keyText: an end is heard of after it is put here, whoever commits it. */
  readonly #standing = new Map<string, OperationRecord>();
  readonly #delayed = new Map<string, OperationKey>();
  #delayTimer: Timer | null = null;
  #retryTimer: Timer | null = null;
  #isClosed = false;

  constructor(options: RemoteChangesOptions) {
    this.#options = options;
  }

  changed(changes: readonly RemoteChange[], position: number, feed = ""): void {
    const { feed: hub, waiters, sessions, endedElsewhere } = this.#options;
    for (const change of changes) {
      const text = keyText(change);
      const isOver = isDone(change.state) || change.isDeleted;
      this.#noteRecent(text, change.revision);
      const isHeld = sessions.changedElsewhere(change, text);
      if (isHeld || (isOver && waiters.has(text))) this.#wanted.set(text, keyOf(change));
      if (isOver) {
        this.#standing.delete(text);
        endedElsewhere(text);
      }
      this.#noteDelayed(change, text);
      hub.changed({ ...keyOf(change), parent: parentOf(change.name) }, text);
    }
    hub.followed(position, feed);
    this.#readWanted();
  }

  ready(types: ReadonlySet<string> | null): void {
    this.#options.sessions.workMayBeReady(types);
  }

  /**
   * Runs with an own commit, for each operation that it changed or granted. Another node may have changed it since, and
   * that may have been heard of first:
   *
   *   this node acquires X -> X is cancelled at another node, heard of here, and nobody holds X -> the acquire is answered.
   *   Without a second look the worker would learn of the cancel by its next heartbeat only.
   */
  committed(record: OperationRecord, text: string): void {
    this.#delayed.delete(text);
    const recent = this.#recent.get(text);
    if (recent === undefined || recent.revision <= record.revision) {
      this.#stands(record, text);
      return;
    }
    this.#standing.delete(text);
    this.#wanted.set(text, keyOf(record));
    queueMicrotask(() => this.#readWanted());
  }

  /**
   * An operation that has not ended as far as is known here, and whose end, wherever it is committed, is yet to be told: who
   * waits for that from now on need not read it first. Another process may have changed it, so it is no answer to anybody.
   */
  standing(text: string): OperationRecord | undefined {
    return this.#standing.get(text);
  }

  /** All changes of an own commit were handed out. What changed before the commits that are under way now is settled. */
  settled(): void {
    const { settled } = this.#options.commits;
    for (const [text, { sent }] of this.#recent) {
      if (sent > settled) return;
      this.#recent.delete(text);
    }
  }

  /** Reads operations anew, and tells whoever holds them or waits for them. Resolves when each was read, or could not be. */
  async lookAt(keys: readonly OperationKey[]): Promise<void> {
    const texts = keys.map(keyText);
    for (const [index, text] of texts.entries()) {
      const key = keys[index];
      if (key !== undefined) this.#wanted.set(text, key);
    }
    this.#readWanted();
    await Promise.all(texts.map((text) => this.#reading.get(text)));
  }

  close(): void {
    this.#isClosed = true;
    this.#wanted.clear();
    this.#standing.clear();
    this.#delayTimer?.cancel();
    this.#retryTimer?.cancel();
  }

  #stands(record: OperationRecord, text: string): void {
    this.#standing.delete(text);
    if (isDone(record.state) || record.deleteTime !== null || this.#isClosed) return;
    this.#standing.set(text, record);
    dropOldest(this.#standing, STANDING_MAX);
  }

  #noteRecent(text: string, revision: number): void {
    const { sent, settled } = this.#options.commits;
    if (settled >= sent) return;
    this.#recent.delete(text); // to the end: the oldest are first
    this.#recent.set(text, { revision, sent });
  }

  /** Starts that are due are told by the store (`ready`); those that are not have to be looked at. */
  #noteDelayed(change: RemoteChange, text: string): void {
    if (change.state !== "PENDING" || change.isDeleted) {
      this.#delayed.delete(text);
      return;
    }
    if (this.#delayed.size >= DELAYED_MAX || !this.#options.sessions.serves(change.type)) return;
    this.#delayed.set(text, keyOf(change));
    this.#delayTimer ??= startTimer(DELAYED_MS, () => void this.#readDelayed(), { unref: true });
  }

  async #readDelayed(): Promise<void> {
    const { store, clock, startsAt } = this.#options;
    const keys = [...this.#delayed.values()];
    this.#delayed.clear();
    this.#delayTimer = null;
    const found = await Promise.all(
      keys.map((key) => store.getOperation(key).catch((): undefined => undefined)),
    );
    const now = clock.now();
    for (const stored of found) {
      if (stored?.record.state !== "PENDING" || stored.record.lease !== null) continue;
      if (stored.record.startAfter > now) startsAt(stored.record.startAfter);
    }
  }

  #readWanted(): void {
    if (this.#isClosed) return;
    for (const [text, key] of this.#wanted) {
      if (this.#reading.size >= READS_MAX) return;
      // A read that is under way may have begun before the change: there will be another one after it.
      if (this.#reading.has(text)) continue;
      this.#wanted.delete(text);
      this.#reading.set(text, this.#read(key, text));
    }
  }

  async #read(key: OperationKey, text: string): Promise<void> {
    try {
      const stored = await this.#options.store.getOperation(key);
      this.#tell(stored, text);
    } catch (error) {
      if (!this.#wanted.has(text)) this.#wanted.set(text, key);
      this.#retryLater(error);
    } finally {
      this.#reading.delete(text);
      if (this.#retryTimer === null && this.#wanted.size > 0) this.#readWanted();
    }
  }

  #tell(stored: StoredOperation | undefined, text: string): void {
    const { waiters, sessions } = this.#options;
    if (this.#isClosed) return;
    if (stored === undefined) {
      waiters.wake(text); // purged: whoever waits reads it, and learns so
      return;
    }
    const { record } = stored;
    if (isDone(record.state) || record.deleteTime !== null) waiters.wake(text, stored);
    sessions.changed(record, text);
  }

  #retryLater(error: unknown): void {
    if (this.#retryTimer !== null || this.#isClosed) return;
    this.#options.logger.warn(
      { err: error },
      "what another node changed could not be read; it is tried again",
    );
    this.#retryTimer = startTimer(
      RETRY_MS,
      () => {
        this.#retryTimer = null;
        this.#readWanted();
      },
      { unref: true },
    );
  }
}
