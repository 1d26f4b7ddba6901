// A lane of the feed: subscriptions that one read of the store can serve together. Which of them a page concerns, and where
// each of them stands; it reads nothing itself.
import type { FeedEntry, FeedPage, FeedQuery } from "./store.ts";

/** What is watched. `after` null starts at the newest position. */
export interface FeedWatch extends Omit<FeedQuery, "after" | "limit"> {
  after: number | null;
}

/** A page for one subscription: its own entries only. */
export type OnFeedPage = (page: FeedPage) => Promise<void> | void;

export interface Subscription {
  readonly watch: FeedWatch;
  readonly names: ReadonlySet<string> | null;
  readonly lane: FeedLane;
  readonly onPage: OnFeedPage;
  readonly onError: (error: unknown) => void;
  /** Everything up to here was looked at; null until the newest position is known. */
  position: number | null;
  /** The last position that the subscriber was told. */
  toldPosition: number;
  /** Something that concerns it was committed since it was last read for. */
  isDirty: boolean;
  /** It is read for, or its subscriber has not taken the last page yet. */
  isBusy: boolean;
  isClosed: boolean;
}

/** More names than this in one query cost more than they save: then the lane reads all, and looks here. */
export const NAMES_IN_QUERY_MAX = 200;

/** Subscriptions whose next read may be one. */
export class FeedLane {
  readonly key: string;
  /** What is read, but for the names and the position. */
  readonly scope: Pick<FeedQuery, "service" | "tenant" | "parent" | "filter">;
  /** True if the read asks for the names of those that it serves; false: for everything of the scope. */
  readonly byNames: boolean;
  readonly subscriptions = new Set<Subscription>();
  /** Dirty and not busy. */
  readonly ready = new Set<Subscription>();
  /** One read of a lane at a time: what comes meanwhile goes into the next one together. */
  isReading = false;

  constructor(key: string, scope: FeedLane["scope"], byNames: boolean) {
    this.key = key;
    this.scope = scope;
    this.byNames = byNames;
  }
}

/** Which lane a watch belongs to. */
export function laneOf(watch: FeedWatch): { key: string; scope: FeedLane["scope"]; byNames: boolean } {
  const { service, tenant, parent, filter, names } = watch;
  const byNames = names !== null && names.length <= NAMES_IN_QUERY_MAX;
  // Without a filter everything but the scope can be told from an entry, so that one read serves all.
  const ownParent = filter === "" ? null : parent;
  const key = [service, tenant, byNames ? "names" : "all", filter, ownParent ?? "*"].join("\n");
  return { key, scope: { service, tenant, parent: ownParent, filter }, byNames };
}

/** How far apart two positions may be to be served by one read: the one behind would be read twice for the other. */
const NEAR = 1000;

/** Names that one read asks for. */
const NAMES_IN_READ_MAX = 1000;

/** Takes the subscriptions that the next read of a lane serves; those far behind are read for by themselves, in turn. */
export function takeBatch(lane: FeedLane): Subscription[] {
  const batch: Subscription[] = [];
  let first: number | null = null;
  let names = 0;
  for (const subscription of lane.ready) {
    const position = subscription.position ?? 0;
    first ??= position;
    if (Math.abs(position - first) > NEAR) continue;
    names += subscription.names?.size ?? 0;
    if (lane.byNames && batch.length > 0 && names > NAMES_IN_READ_MAX) break;
    batch.push(subscription);
  }
  for (const subscription of batch) {
    lane.ready.delete(subscription);
    subscription.isDirty = false;
    subscription.isBusy = true;
  }
  return batch;
}

/** The read for a batch. */
export function queryOf(lane: FeedLane, batch: readonly Subscription[], limit: number): FeedQuery {
  const names = new Set<string>();
  let after = Number.POSITIVE_INFINITY;
  for (const subscription of batch) {
    after = Math.min(after, subscription.position ?? 0);
    if (lane.byNames) for (const name of subscription.names ?? []) names.add(name);
  }
  return { ...lane.scope, names: lane.byNames ? [...names] : null, after, limit };
}

/** Tells what of a page is new to each subscription of a batch. */
export class PageEntries {
  readonly #entries: readonly FeedEntry[];
  #byName: Map<string, FeedEntry[]> | null = null;

  constructor(page: FeedPage) {
    this.#entries = page.entries;
  }

  of({ names, watch, position }: Subscription): FeedEntry[] {
    const found = names !== null && names.size < this.#entries.length ? this.#named(names) : this.#entries;
    return found.filter((entry) => {
      if (entry.position <= (position ?? 0) || (names !== null && !names.has(entry.name))) return false;
      return watch.parent === null || parentOf(entry.name) === watch.parent;
    });
  }

  /** By an index: 1,000 watches of one name each would else look through 500 entries each. */
  #named(names: ReadonlySet<string>): FeedEntry[] {
    this.#byName ??= Map.groupBy(this.#entries, ({ name }) => name);
    const found: FeedEntry[] = [];
    for (const name of names) found.push(...(this.#byName.get(name) ?? []));
    return names.size === 1 ? found : found.sort((one, other) => one.position - other.position);
  }
}

/** `""` for `operations/{id}`. */
export function parentOf(name: string): string {
  const end = name.lastIndexOf("/operations/");
  return end === -1 ? "" : name.slice(0, end);
}
