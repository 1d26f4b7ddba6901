// The operations that an order is about, in batches, read ahead of the cancels: the pages of the list are read by other
// threads while the cancels of the batch before are committed.
import type { Engine } from "../../../engine/engine.ts";
import type { OperationRecord } from "../../../engine/operation.ts";
import { type CancelOrder, isMeant, liveFilter } from "./cancel-order.ts";
import { isAfter, type ListPlace } from "./cancel-tally.ts";

const PAGE_SIZE = 1000;

/**
 * A batch takes all that is found by then, at most this many. The reports of those that stop queue up behind their cancels,
 * and the cancels of the next batch behind those: with batches of 1,000 the last of 10,000 was told four times as late.
 */
const BATCH_MAX = 10_000;

/** The ids of a batch, in characters: a checkpoint holds them all, and is at most 256 KiB. */
const BATCH_TEXT_MAX = 220_000;

/** Operations read ahead: the total of that many is known after a few hundred milliseconds. */
const AHEAD_MAX = 20_000;

/** What is to be cancelled next. */
export interface MatchedBatch {
  ids: readonly string[];
  /** Of those, the ones whose type the service declares as not cancellable. */
  refused: ReadonlySet<string>;
  /** The last of the batch. */
  place: ListPlace;
}

/** What is kept of an operation that was found. */
interface Found extends ListPlace {
  isRefused: boolean;
}

export class MatchingOperations {
  readonly #engine: Engine;
  readonly #own: OperationRecord;
  readonly #order: CancelOrder;
  readonly #after: ListPlace | null;
  #ready: Found[] = [];
  #wakeReader: (() => void) | null = null;
  #wakeTaker: (() => void) | null = null;
  #found = 0;
  #isAtEnd = false;
  #error: unknown;
  #isClosed = false;

  /** Begins to read at once; what comes up to `after` in the list is left out. */
  constructor(options: {
    engine: Engine;
    own: OperationRecord;
    order: CancelOrder;
    after: ListPlace | null;
  }) {
    this.#engine = options.engine;
    this.#own = options.own;
    this.#order = options.order;
    this.#after = options.after;
    void this.#read();
  }

  /** How many were found so far. */
  get found(): number {
    return this.#found;
  }

  /** The next batch, or null at the end. Rejects when the list could not be read. */
  async next(): Promise<MatchedBatch | null> {
    while (this.#ready.length === 0 && !this.#isAtEnd && this.#error === undefined) {
      await new Promise<void>((resolve) => {
        this.#wakeTaker = resolve;
      });
    }
    if (this.#ready.length === 0 && this.#error !== undefined) throw this.#error;
    const batch = this.#takeBatch();
    this.#wakeReader?.();
    return batch;
  }

  /** Reads no more. */
  close(): void {
    this.#isClosed = true;
    this.#wakeReader?.();
  }

  async #read(): Promise<void> {
    try {
      let pageToken = "";
      do {
        const page = await this.#engine.list({
          service: this.#own.service,
          tenant: this.#own.tenant,
          parent: this.#own.parent,
          filter: liveFilter(this.#order.filter),
          pageSize: PAGE_SIZE,
          pageToken,
        });
        this.#add(page.operations.map(({ record }) => record));
        pageToken = page.nextPageToken;
        await this.#room();
      } while (pageToken !== "" && !this.#isClosed);
      this.#isAtEnd = true;
    } catch (error) {
      this.#error = error;
    }
    this.#wakeTaker?.();
  }

  #add(records: readonly OperationRecord[]): void {
    const refused = new Set(this.#order.uncancellableTypes);
    for (const record of records) {
      if (!isMeant(record, this.#own) || !isAfter(this.#after, record)) continue;
      const { id, createTime, type } = record;
      this.#ready.push({ id, createTime, isRefused: refused.has(type) });
      this.#found++;
    }
    if (this.#ready.length > 0) this.#wakeTaker?.();
  }

  #takeBatch(): MatchedBatch | null {
    let text = 0;
    let count = 0;
    for (const { id } of this.#ready) {
      text += id.length + 1;
      if (count >= BATCH_MAX || text > BATCH_TEXT_MAX) break;
      count++;
    }
    const batch = this.#ready.slice(0, count);
    this.#ready = this.#ready.slice(count);
    const last = batch.at(-1);
    if (last === undefined) return null;
    return {
      ids: batch.map(({ id }) => id),
      refused: new Set(batch.filter(({ isRefused }) => isRefused).map(({ id }) => id)),
      place: { createTime: last.createTime, id: last.id },
    };
  }

  /** Resolves when there is room for more. */
  async #room(): Promise<void> {
    while (this.#ready.length >= AHEAD_MAX && !this.#isClosed) {
      await new Promise<void>((resolve) => {
        this.#wakeReader = resolve;
      });
    }
  }
}
