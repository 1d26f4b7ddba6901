// What other nodes commit, told to this one: by a message within milliseconds, and where none comes, by looking four times
// a second. Everything is read from the feed; a message only says when. Own commits are told by the store and not read.
import type { ClientConfig } from "pg";
import type { Clock } from "../../base/clock.ts";
import { RpcError } from "../../base/rpc-error.ts";
import { startInterval, type Timer } from "../../base/timers.ts";
import { isDone, type StoredOperation } from "../../engine/operation.ts";
import type { RemoteChange, StoreFollower } from "../../engine/store.ts";
import { ChangeCursor, type PositionRange } from "./change-cursor.ts";
import { decodeChangeMessage } from "./change-message.ts";
import { type FeedEnd, ROWS_PER_READ, readBatches, readFeedEnd } from "./change-reader.ts";
import { Listener } from "./listener.ts";
import { Notifier } from "./notifier.ts";
import type { PostgresConnections } from "./queryable.ts";

/** How often the feed's end is looked at, message or not: what bounds a wake-up when messages are lost. */
const POLL_MS = 250;

/** Each 20th poll (5 s) every type may be ready: a returned reservation leaves no event, and its message may be lost. */
const POLLS_PER_SWEEP = 20;

/**
 * After a restart or a failover so many positions are read again: a standby that lacked the last commits has given their
 * positions to others. Far more than are committed between two looks.
 */
const REWIND_POSITIONS = 5000;

export interface ChangeFollowerOptions {
  connections: PostgresConnections;
  /** How the connection that listens is made: as the pool's, or past a pooler; null: it only polls. */
  listen: (() => ClientConfig) | null;
  /** This process's id, as the node registry has it. */
  node: string;
  clock: Clock;
  /** What an operator should know, once: messages do not arrive, and arrive again. */
  onNotice(line: string): void;
}

/** A commit of this process. */
export interface OwnCommit {
  /** The feed positions of its events; null where nothing visible has changed. */
  position: PositionRange | null;
  /** As in CommitResult. */
  changed: readonly StoredOperation[];
}

export class ChangeFollower {
  readonly #options: ChangeFollowerOptions;
  readonly #cursor: ChangeCursor;
  readonly #notifier: Notifier;
  readonly #listener: Listener | null;
  readonly #timer: Timer;
  #follower: StoreFollower | null = null;
  #serverStart: string;
  /** The feed is known to reach this far. */
  #end = 0;
  #reading: Promise<void> | null = null;
  #polling: Promise<void> | null = null;
  #polls = 0;
  /** Types of operations that others have ended: perhaps slots are free. Told once a poll. */
  readonly #freed = new Set<string>();
  #hears = false;
  #wasDeaf = false;
  #problem = "";
  #isClosed = false;

  private constructor(options: ChangeFollowerOptions, end: FeedEnd) {
    const { connections, listen, node, onNotice } = options;
    this.#options = options;
    this.#serverStart = end.serverStart;
    this.#cursor = new ChangeCursor(end.position);
    // A channel is heard in the whole database, which may hold several schemas.
    const channel = `belay_${end.databaseId.replaceAll("-", "").slice(0, 32)}`;
    const notifier = new Notifier(connections, channel, node);
    notifier.hasPeers = end.hasPeers;
    this.#notifier = notifier;
    this.#timer = startInterval(POLL_MS, () => this.#poll(), { unref: true });
    this.#listener = listen && this.#listen(listen, channel);
    if (listen === null) onNotice(pollLine("no connection listens"));
  }

  /** Follows from the feed's present end on. Throws what a read throws. */
  static async open(options: ChangeFollowerOptions): Promise<ChangeFollower> {
    return new ChangeFollower(options, await readFeedEnd(options.connections, options.node));
  }

  /** True while messages of other nodes arrive. */
  get hears(): boolean {
    return this.#hears;
  }

  /** Tells a follower everything since `open`. One at a time. */
  follow(follower: StoreFollower): { close(): void } {
    this.#follower = follower;
    this.#poll();
    return {
      close: () => {
        if (this.#follower === follower) this.#follower = null;
      },
    };
  }

  /**
   * To be called after each commit of this process, before the next one's answer: the others are told, and this node does
   * not read its own events. A commit whose outcome is unknown is not told here: if it took place, it is read as another's.
   */
  committed({ position, changed }: OwnCommit): void {
    if (position) {
      const before = this.#cursor.position;
      this.#cursor.committed(position);
      if (this.#cursor.position > before) this.#follower?.changed([], this.#cursor.position);
      this.#end = Math.max(this.#end, this.#cursor.position);
    }
    if (!this.#notifier.hasPeers) return;
    const types = readyTypes(changed, this.#options.clock.now());
    if (position || types.size > 0) this.#notifier.tell(position?.last ?? 0, types);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#follower = null;
    this.#timer.cancel();
    await this.#listener?.close();
    await this.#polling;
    await this.#reading;
  }

  #listen(config: () => ClientConfig, channel: string): Listener {
    return new Listener({
      config,
      channel,
      send: (payload) => this.#notifier.send(payload),
      heard: (payload) => this.#heard(payload),
      changed: (hears) => {
        if (hears) this.#poll();
        // That they arrive is worth a line only to whoever was told that they do not.
        if (!hears) this.#options.onNotice(pollLine("messages do not arrive"));
        else if (this.#wasDeaf) this.#options.onNotice("messages of other nodes arrive again");
        this.#wasDeaf ||= !hears;
        this.#hears = hears;
      },
    });
  }

  #heard(payload: string): void {
    const message = decodeChangeMessage(payload);
    if (message?.node === this.#options.node) return;
    // A new node is heard of by the test of its connection.
    this.#notifier.hasPeers = true;
    if (message === null) return;
    if (message.position > this.#end) {
      this.#end = message.position;
      this.#catchUp();
    }
    if (message.types === null) this.#follower?.ready(null);
    else if (message.types.length > 0) this.#follower?.ready(new Set(message.types));
  }

  /** Looks at the feed's end; a look that fails is made up for by the next. */
  #poll(): void {
    if (this.#polling || this.#isClosed) return;
    this.#polling = this.#look()
      .catch((error: unknown) => this.#failed(error))
      .finally(() => {
        this.#polling = null;
      });
  }

  async #look(): Promise<void> {
    const known = this.#cursor.position;
    const end = await readFeedEnd(this.#options.connections, this.#options.node);
    this.#notifier.hasPeers = end.hasPeers;
    // Behind what was known: a standby has taken over that lacks the last commits.
    if (end.serverStart !== this.#serverStart || end.position < known) {
      this.#serverStart = end.serverStart;
      this.#cursor.rewind(Math.min(known, end.position) - REWIND_POSITIONS);
      this.#end = end.position;
      this.#follower?.ready(null);
    }
    this.#end = Math.max(this.#end, end.position);
    this.#catchUp();
    await this.#reading;
    this.#tellFreed();
  }

  #tellFreed(): void {
    this.#polls++;
    if (this.#polls % POLLS_PER_SWEEP === 0) this.#follower?.ready(null);
    else if (this.#freed.size > 0) this.#follower?.ready(new Set(this.#freed));
    this.#freed.clear();
  }

  #catchUp(): void {
    if (this.#reading || this.#follower === null || this.#end <= this.#cursor.position) return;
    this.#reading = this.#readOn()
      .catch((error: unknown) => this.#failed(error))
      .finally(() => {
        this.#reading = null;
      });
  }

  /** A database that is away is told by others; anything else is told once. */
  #failed(error: unknown): void {
    const problem = error instanceof Error ? error.message : String(error);
    if (error instanceof RpcError || problem === this.#problem) return;
    this.#problem = problem;
    this.#options.onNotice(`what other nodes commit could not be read: ${problem}`);
  }

  async #readOn(): Promise<void> {
    const cursor = this.#cursor;
    while (cursor.position < this.#end && !this.#isClosed) {
      const [after, end] = [cursor.position, this.#end];
      const batches = await readBatches(this.#options.connections, after, cursor.ownBeyond());
      // The poll has set it back meanwhile: what was read is read again.
      if (cursor.position < after) continue;
      const news = batches.filter((batch) => batch.last > after && !cursor.isOwn(batch));
      // What became visible before the read began was in it: a position is visible only after all before it.
      const isAtEnd = batches.length < ROWS_PER_READ;
      cursor.advance(Math.max(isAtEnd ? end : 0, batches.at(-1)?.last ?? 0));
      this.#tell(news.flatMap(({ changes }) => changes));
    }
  }

  #tell(changes: readonly RemoteChange[]): void {
    this.#follower?.changed(changes, this.#cursor.position);
    const pending = new Set<string>();
    for (const { state, type } of changes) {
      if (state === "PENDING") pending.add(type);
      else if (isDone(state)) this.#freed.add(type);
    }
    if (pending.size > 0) this.#follower?.ready(pending);
  }
}

function pollLine(why: string): string {
  return `${why}: what other nodes commit is looked for each ${POLL_MS} ms (a pooler in transaction mode passes no LISTEN on)`;
}

/** The types of which an operation may start now, because it is pending or has freed a slot: as the engine looks at a commit. */
function readyTypes(changed: readonly StoredOperation[], now: number): Set<string> {
  const types = new Set<string>();
  for (const { record } of changed) {
    const { lease, state, startAfter, policy, type } = record;
    if (lease !== null) continue;
    if (state === "PENDING" ? startAfter <= now : policy.typeLimit > 0 || policy.keyLimit > 0)
      types.add(type);
  }
  return types;
}
