// The feed, read in commit order. Positions are given under the lock of one row that each batch holds until its commit,
// so what a statement sees up to the newest position has no gap that a later commit could fill (S17).
import type { Instant } from "../../base/clock.ts";
import { RpcError } from "../../base/rpc-error.ts";
import type { OperationState } from "../../engine/operation.ts";
import type { FeedPage, FeedQuery } from "../../engine/store.ts";
import {
  type EventRow,
  type FeedPageMessage,
  FeedPageRows,
  isOfParent,
  LOOKUPS_MAX,
  SCAN_MAX,
} from "../feed-page.ts";
import { parseListFilter } from "../list-filter.ts";
import type { FilterSql } from "../list-filter-sql.ts";
import type { ListedRow } from "../operation-rows.ts";
import { feedEvents, feedHistory, feedPosition, LOOKUP_VALUES, lookUpOperations } from "./feed-statements.ts";
import { compileListFilter } from "./list-filter-dialect.ts";
import { toListed } from "./list-pager.ts";
import type { Queryable } from "./queryable.ts";

/** Operations looked up in one statement. */
const LOOKUPS = 200;

/** Up to so many names are looked for by the database; more are picked out here, and not sent with every read. */
const NAMES_MAX = 100;

type FeedRow = [removed: number, newest: number, ...event: EventRow | [null, null, null, null, null]];

export class FeedReads {
  readonly #database: Queryable;

  constructor(database: Queryable) {
    this.#database = database;
  }

  async position(): Promise<number> {
    const [row] = await this.#database.rows<[number]>(feedPosition);
    return row?.[0] ?? 0;
  }

  /** For requireSameHistory. */
  async history(position: number): Promise<{ newest: number; time: Instant | null }> {
    const [row] = await this.#database.rows<[number, Instant | null]>(feedHistory, [position]);
    return { newest: row?.[0] ?? 0, time: row?.[1] ?? null };
  }

  /** Throws RESUME_TOKEN_EXPIRED, INVALID_FILTER. */
  async read(query: FeedQuery): Promise<FeedPage> {
    const filter = compileListFilter(parseListFilter(query.filter), LOOKUP_VALUES);
    const { service, tenant } = query;
    const page = await this.#page(query, filter);
    const operations = page.rows.map(toListed);
    const entries = page.events.map(([position, name, revision, state, time, row]) => ({
      ...{ position, service, tenant, name, revision, state: state as OperationState, time },
      operation: operations[row] ?? null,
    }));
    return { entries, position: page.position, isAtEnd: page.isAtEnd };
  }

  async #page(query: FeedQuery, filter: FilterSql): Promise<FeedPageMessage> {
    const { after, limit } = query;
    const { events, isCut, newest } = await this.#events(query, filter);
    const known = new Map<string, ListedRow | null | undefined>();
    const page = new FeedPageRows(limit, (name) => known.get(name));
    for (const [index, event] of events.entries()) {
      if (!page.isFull && !known.has(event[1])) {
        const names = newNames(events, index, known);
        await this.#lookUp(query, filter, names, known);
      }
      if (!page.add(event)) return page.message(page.last, false);
    }
    // More events than one statement answers: what was looked at ends with the last of them.
    if (isCut) return page.message(page.last, false);
    const upTo = Math.min(newest, after + SCAN_MAX);
    return page.message(Math.max(after, upTo), upTo >= newest);
  }

  /** The events that may belong to the page, and the newest position of that moment. */
  async #events(
    { service, tenant, parent, names, after, limit }: FeedQuery,
    filter: FilterSql,
  ): Promise<{ events: EventRow[]; isCut: boolean; newest: number }> {
    const picked = names !== null && names.length > NAMES_MAX ? new Set(names) : null;
    const wanted = names === null || picked ? null : names;
    // Where each event counts, one more than the page takes says that there is more.
    const countsEach = parent === null && filter.condition === "TRUE";
    const most = picked ? SCAN_MAX : countsEach ? Math.min(limit, LOOKUPS_MAX) + 1 : LOOKUPS_MAX + 1;
    const rows = await this.#database.rows<FeedRow>(feedEvents, [
      service,
      tenant,
      after,
      after + SCAN_MAX,
      wanted,
      most,
    ]);
    const [removed, newest] = rows[0] ?? [0, 0];
    if (after < removed) throw new RpcError("RESUME_TOKEN_EXPIRED");
    const all = rows.map(([, , ...event]) => event).filter((event): event is EventRow => event[0] !== null);
    const events = picked ? all.filter(([, name]) => picked.has(name)) : all;
    return { events, isCut: !picked && all.length === most, newest };
  }

  /** Adds to `known` how operations stand: those that match; null for what is gone and asked for by its name alone. */
  async #lookUp(
    { service, tenant, parent }: FeedQuery,
    filter: FilterSql,
    names: readonly string[],
    known: Map<string, ListedRow | null | undefined>,
  ): Promise<void> {
    const rows = await this.#database.rows<[place: number, isThere: boolean, ...ListedRow]>(
      lookUpOperations(filter.condition),
      [service, tenant, names, parent, ...filter.values],
    );
    for (const [place, isThere, ...row] of rows) {
      const name = names[place - 1] ?? "";
      const isAskedFor = filter.condition === "TRUE" && (parent === null || isOfParent(name, parent));
      if (row[2] !== null) known.set(name, row);
      else known.set(name, isAskedFor && !isThere ? null : undefined);
    }
  }
}

/** The next names that are not known yet, from an event on. */
function newNames(events: readonly EventRow[], from: number, known: ReadonlyMap<string, unknown>): string[] {
  const names = new Set<string>();
  for (let at = from; at < events.length && names.size < LOOKUPS; at++) {
    const name = events[at]?.[1];
    if (name !== undefined && !known.has(name)) names.add(name);
  }
  return [...names];
}
