// One page of the feed as it fills up, and the bounds that every store keeps for it.
import type { Instant } from "../base/clock.ts";
import { type ListedRow, rowBytes } from "./operation-rows.ts";

/** Positions looked at in one read. */
export const SCAN_MAX = 10_000;

/** Operations looked up in one read: some 10 ms. */
export const LOOKUPS_MAX = 2000;

/** A page is cut short once its operations are larger than this. */
export const PAGE_BYTES_MAX: number = 2 * 1024 * 1024;

/** An event as a store reads it. */
export type EventRow = [position: number, name: string, revision: number, state: string, time: Instant];

/** An event, and which of the page's rows it is about; -1 for none. */
export type FeedEventRow = [...EventRow, row: number];

/** A FeedPage with each operation once. */
export interface FeedPageMessage {
  rows: readonly ListedRow[];
  events: readonly FeedEventRow[];
  position: number;
  isAtEnd: boolean;
}

/** True if an operation of this name is the parent's, as far as the name tells. */
export function isOfParent(name: string, parent: string): boolean {
  const prefix = parent === "" ? "operations/" : `${parent}/operations/`;
  return name.startsWith(prefix) && !name.slice(prefix.length).includes("/");
}

/** The events of one page; each operation is looked up, and sent, once. */
export class FeedPageRows {
  readonly #limit: number;
  readonly #lookUp: (name: string) => ListedRow | null | undefined;
  readonly #rows: ListedRow[] = [];
  readonly #events: FeedEventRow[] = [];
  /** The index of a name's row, -1 for an operation that is gone, undefined for one that does not match. */
  readonly #known = new Map<string, number | undefined>();
  #bytes = 0;
  last = 0;

  /** `lookUp` answers the operation where it matches; null where it is gone and its events are wanted all the same. */
  constructor(limit: number, lookUp: (name: string) => ListedRow | null | undefined) {
    this.#limit = limit;
    this.#lookUp = lookUp;
  }

  /** True if no further event can fit. */
  get isFull(): boolean {
    return this.#events.length >= this.#limit || this.#bytes > PAGE_BYTES_MAX;
  }

  /** False if the event does not fit any more: the next page begins with it. */
  add([position, name, revision, state, time]: EventRow): boolean {
    if (this.isFull) return false;
    if (!this.#known.has(name)) {
      if (this.#known.size >= LOOKUPS_MAX) return false;
      this.#known.set(name, this.#rowOf(name));
    }
    const row = this.#known.get(name);
    if (row !== undefined) this.#events.push([position, name, revision, state, time, row]);
    this.last = position;
    return true;
  }

  message(position: number, isAtEnd: boolean): FeedPageMessage {
    return { rows: this.#rows, events: this.#events, position, isAtEnd };
  }

  #rowOf(name: string): number | undefined {
    const row = this.#lookUp(name);
    if (!row) return row === null ? -1 : undefined;
    this.#bytes += rowBytes(row);
    return this.#rows.push(row) - 1;
  }
}
