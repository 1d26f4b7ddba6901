// The live feed: subscriptions to visible changes. A commit is looked at in memory, and only those whom it concerns are read
// for, many with one read: a thousand watches of other names cost it nothing. Pages come from the store, in its order and
// without a gap; nothing is kept for a subscriber that does not take them.
import { RpcError } from "../base/rpc-error.ts";
import { startTimer, type Timer } from "../base/timers.ts";
import { keyText } from "./decision.ts";
import {
  FeedLane,
  type FeedWatch,
  laneOf,
  type OnFeedPage,
  PageEntries,
  queryOf,
  type Subscription,
  takeBatch,
} from "./feed-lane.ts";
import { type FeedEnds, FeedPositions } from "./feed-positions.ts";
import type { OperationKey, OperationRecord } from "./operation.ts";
import type { FeedPage, Store } from "./store.ts";
import type { Hold } from "./watch-presence.ts";

export type { FeedWatch, OnFeedPage } from "./feed-lane.ts";

/** Entries in one page. */
const PAGE = 500;

/** Reads under way at once: lists and other readers of the store come in between. */
const READS_MAX = 4;

/** Subscriptions of one server; an idle one takes about 1 kB, and 200 bytes for each name. */
const SUBSCRIPTIONS_MAX = 50_000;

/** How often an idle subscriber is told a position that moved on by itself: its resume token must not grow old. */
const TELL_PERIOD_MS = 30_000;

/** An open subscription. */
export interface FeedSubscription {
  /** Nothing is told any more from here on. Closing twice is fine. */
  close(): void;
}

interface HubOptions {
  store: Pick<
    Store,
    "isShared" | "readFeed" | "feeds" | "feedOf" | "feedPosition" | "sealToken" | "openToken"
  >;
  /** Commits that were sent, and commits whose changes were handed out: both only grow. */
  commits: { readonly sent: number; readonly settled: number };
  /** Somebody watches these names from now on. */
  hold(keys: readonly OperationKey[]): Hold;
}

export class FeedHub {
  readonly #options: HubOptions;
  readonly #lanes = new Map<string, FeedLane>();
  /** Lanes by service and tenant. */
  readonly #scopes = new Map<string, Set<FeedLane>>();
  /** Subscriptions by the names that they watch (keyText). */
  readonly #byName = new Map<string, Set<Subscription>>();
  readonly #open = new Map<Subscription, Hold | null>();
  /** Lanes with something to read, in turn. */
  readonly #queue = new Set<FeedLane>();
  /** Of the commit that is looked at: the parents of what it changed, by scope. */
  readonly #touched = new Map<string, Set<string>>();
  readonly #positions: FeedPositions;
  #reads = 0;
  /** Of a shared store: what other processes committed up to here was told to this hub, by feed. */
  readonly #followed = new Map<string, number>();
  #telling: Timer | null = null;

  constructor(options: HubOptions) {
    const { store } = options;
    this.#options = options;
    this.#positions = new FeedPositions({
      commits: options.commits,
      // The newest position may lie after commits of others that were not told here yet.
      read: () => (store.isShared ? Promise.resolve(new Map(this.#followed)) : newestOf(store)),
      reached: (ends) => this.#moveOn(ends),
    });
  }

  /** Open subscriptions. */
  get count(): number {
    return this.#open.size;
  }

  /**
   * Tells every visible change of what is watched, in pages: each comes after the promise of the last one resolved, and
   * holds up nobody else. The first page of a watch without `after` is empty and comes at once: it says where the watch
   * begins, so that what is read while its promise is held is told before any change that comes after it. Empty pages
   * move the position on, too. `onError` is called once at most, and ends the subscription: RESUME_TOKEN_EXPIRED,
   * INVALID_FILTER, SHUTTING_DOWN, STORAGE_UNAVAILABLE. Throws OVERLOADED at the cap.
   */
  open(watch: FeedWatch, onPage: OnFeedPage, onError: (error: unknown) => void): FeedSubscription {
    if (this.#open.size >= SUBSCRIPTIONS_MAX) {
      throw new RpcError("OVERLOADED", { what: "watches", limit: SUBSCRIPTIONS_MAX }, { retryDelayMs: 1000 });
    }
    const subscription = this.#add(watch, onPage, onError);
    const { service, tenant, names } = watch;
    const keys = names?.map((name) => ({ service, tenant, name })) ?? [];
    this.#open.set(subscription, keys.length > 0 ? this.#options.hold(keys) : null);
    this.#telling ??= startTimer(TELL_PERIOD_MS, () => this.#tellPositions(), { unref: true });
    if (watch.after === null) void this.#begin(subscription);
    else this.#makeDirty(subscription);
    this.#pump();
    return { close: () => this.#close(subscription) };
  }

  /** A resume token, only for the caller's service and tenant. */
  sealToken(scope: { service: string; tenant: string }, position: number): Promise<string> {
    return this.#options.store.sealToken(scope, position);
  }

  /** The position in a token; throws INVALID_RESUME_TOKEN. */
  openToken(scope: { service: string; tenant: string }, token: string): Promise<number> {
    return this.#options.store.openToken(scope, token);
  }

  /** Runs with a commit, for each operation that it changed; then `settled`, or `followed` for those of other processes. */
  changed(record: Pick<OperationRecord, "service" | "tenant" | "parent">, text: string): void {
    if (this.#open.size === 0) return;
    for (const subscription of this.#byName.get(text) ?? []) this.#makeDirty(subscription);
    const scope = scopeText(record);
    if (!this.#scopes.has(scope)) return;
    const parents = this.#touched.get(scope);
    if (parents) parents.add(record.parent);
    else this.#touched.set(scope, new Set([record.parent]));
  }

  /** All changes of a commit were handed out. */
  settled(): void {
    for (const [scope, parents] of this.#touched) {
      for (const lane of this.#scopes.get(scope) ?? []) this.#touchLane(lane, parents);
    }
    this.#touched.clear();
    if (this.#open.size > 0) this.#positions.settled();
    this.#pump();
  }

  /** As `settled`, for what other processes committed: all of it up to this position was handed out. */
  followed(position: number, feed: string): void {
    this.#followed.set(feed, Math.max(this.#followed.get(feed) ?? 0, position));
    this.settled();
  }

  /** Ends every subscription with SHUTTING_DOWN: the watchers resume elsewhere. */
  releaseAll(): void {
    for (const subscription of [...this.#open.keys()])
      this.#fail(subscription, new RpcError("SHUTTING_DOWN"));
  }

  close(): void {
    this.releaseAll();
    this.#telling?.cancel();
    this.#positions.close();
  }

  #add(watch: FeedWatch, onPage: OnFeedPage, onError: (error: unknown) => void): Subscription {
    const { key, scope, byNames } = laneOf(watch);
    let lane = this.#lanes.get(key);
    if (!lane) {
      lane = new FeedLane(key, scope, byNames);
      this.#lanes.set(key, lane);
      addTo(this.#scopes, scopeText(scope), lane);
    }
    const names = watch.names === null ? null : new Set(watch.names);
    const position = watch.after;
    const state = { isDirty: false, isBusy: false, isClosed: false, position, toldPosition: position ?? 0 };
    const subscription: Subscription = { watch, names, lane, onPage, onError, ...state };
    lane.subscriptions.add(subscription);
    for (const name of names ?? []) addTo(this.#byName, keyText({ ...watch, name }), subscription);
    return subscription;
  }

  /**
   * From the newest position on. What is committed while that is asked for makes it dirty already, so it is read; what lies
   * before the position is the state that the watcher finds, and what lies after it is told.
   */
  async #begin(subscription: Subscription): Promise<void> {
    subscription.isBusy = true;
    try {
      const { store } = this.#options;
      const position = await store.feedPosition(store.feedOf(subscription.watch));
      subscription.position = position;
      subscription.toldPosition = position;
      await this.#hand(subscription, { entries: [], position, isAtEnd: true });
    } catch (error) {
      this.#fail(subscription, error);
    }
  }

  #touchLane(lane: FeedLane, parents: ReadonlySet<string>): void {
    if (lane.byNames || (lane.scope.parent !== null && !parents.has(lane.scope.parent))) return;
    for (const subscription of lane.subscriptions) {
      const { names, watch } = subscription;
      // Those with names were found by their names.
      if (names === null && (watch.parent === null || parents.has(watch.parent)))
        this.#makeDirty(subscription);
    }
  }

  #makeDirty(subscription: Subscription): void {
    subscription.isDirty = true;
    if (subscription.isBusy || subscription.isClosed) return;
    subscription.lane.ready.add(subscription);
    this.#queue.add(subscription.lane);
  }

  #pump(): void {
    for (const lane of this.#queue) {
      if (this.#reads >= READS_MAX) return;
      this.#queue.delete(lane);
      if (lane.isReading || lane.ready.size === 0) continue;
      lane.isReading = true;
      this.#reads++;
      void this.#read(lane);
    }
  }

  async #read(lane: FeedLane): Promise<void> {
    const batch = takeBatch(lane);
    try {
      const page = await this.#options.store.readFeed(queryOf(lane, batch, PAGE));
      const entries = new PageEntries(page);
      for (const subscription of batch) this.#deliver(subscription, page, entries.of(subscription));
    } catch (error) {
      for (const subscription of batch) this.#fail(subscription, error);
    } finally {
      this.#reads--;
      lane.isReading = false;
      if (lane.ready.size > 0) this.#queue.add(lane); // at the end of the queue: in turn
      this.#pump();
    }
  }

  #deliver(subscription: Subscription, page: FeedPage, entries: FeedPage["entries"]): void {
    if (subscription.isClosed) return;
    if (!page.isAtEnd) subscription.isDirty = true;
    subscription.position = Math.max(subscription.position ?? 0, page.position);
    if (entries.length === 0) this.#free(subscription);
    else void this.#hand(subscription, { entries, position: subscription.position, isAtEnd: page.isAtEnd });
  }

  /** Gives the subscriber a page; it is busy until it has taken it. */
  async #hand(subscription: Subscription, page: FeedPage): Promise<void> {
    subscription.isBusy = true;
    subscription.toldPosition = page.position;
    try {
      if (!subscription.isClosed) await subscription.onPage(page);
      this.#free(subscription);
      this.#pump();
    } catch (error) {
      this.#fail(subscription, error);
    }
  }

  #free(subscription: Subscription): void {
    subscription.isBusy = false;
    if (subscription.isDirty) this.#makeDirty(subscription);
  }

  /**
   * All commits up to this position were looked at, and those who are not dirty are concerned by none: their next read
   * need not walk through them, and a client that resumes need not either.
   */
  #moveOn(ends: FeedEnds): void {
    for (const subscription of this.#open.keys()) {
      const { isDirty, isBusy, position: known, watch } = subscription;
      const position = ends.get(this.#options.store.feedOf(watch)) ?? 0;
      if (!isDirty && !isBusy && known !== null && known < position) subscription.position = position;
    }
  }

  #tellPositions(): void {
    this.#telling = null;
    if (this.#open.size === 0) return;
    for (const subscription of this.#open.keys()) {
      const { isDirty, isBusy, position, toldPosition } = subscription;
      if (isDirty || isBusy || position === null || position === toldPosition) continue;
      void this.#hand(subscription, { entries: [], position, isAtEnd: true });
    }
    this.#telling = startTimer(TELL_PERIOD_MS, () => this.#tellPositions(), { unref: true });
  }

  #fail(subscription: Subscription, error: unknown): void {
    if (subscription.isClosed) return;
    this.#close(subscription);
    subscription.onError(error);
  }

  #close(subscription: Subscription): void {
    if (subscription.isClosed) return;
    subscription.isClosed = true;
    const { lane, names, watch } = subscription;
    this.#open.get(subscription)?.release();
    this.#open.delete(subscription);
    lane.subscriptions.delete(subscription);
    lane.ready.delete(subscription);
    for (const name of names ?? []) removeFrom(this.#byName, keyText({ ...watch, name }), subscription);
    if (lane.subscriptions.size > 0) return;
    this.#lanes.delete(lane.key);
    this.#queue.delete(lane);
    removeFrom(this.#scopes, scopeText(lane.scope), lane);
  }
}

async function newestOf(store: Pick<Store, "feeds" | "feedPosition">): Promise<FeedEnds> {
  return new Map(
    await Promise.all(store.feeds.map(async (feed) => [feed, await store.feedPosition(feed)] as const)),
  );
}

function scopeText({ service, tenant }: { service: string; tenant: string }): string {
  return `${service}\n${tenant}`;
}

function addTo<Value>(sets: Map<string, Set<Value>>, key: string, value: Value): void {
  const known = sets.get(key);
  if (known) known.add(value);
  else sets.set(key, new Set([value]));
}

function removeFrom<Value>(sets: Map<string, Set<Value>>, key: string, value: Value): void {
  const known = sets.get(key);
  known?.delete(value);
  if (known?.size === 0) sets.delete(key);
}
