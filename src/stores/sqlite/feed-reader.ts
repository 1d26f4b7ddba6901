// The feed, read in commit order. Positions are given inside the one transaction that runs at a time, so what a reader
// sees up to the newest position has no gap that a later commit could fill (S17).
import type { DatabaseSync, StatementSync } from "node:sqlite";
import { RpcError } from "../../base/rpc-error.ts";
import { type EventRow, FeedPageRows, isOfParent, SCAN_MAX } from "../feed-page.ts";
import { parseListFilter } from "../list-filter.ts";
import type { FilterSql } from "../list-filter-sql.ts";
import type { ListedRow } from "../operation-rows.ts";
import { allRows, getRow, prepareRows } from "./database.ts";
import { compileListFilter } from "./list-filter-sql.ts";
import { readFeed } from "./log-statements.ts";
import { StatementCache } from "./statement-cache.ts";
import { listedOperation, storedJoins } from "./statements.ts";
import type { FeedMessage, FeedMessageQuery } from "./thread-messages.ts";

/** Lists of names that are kept; a watch whose list was dropped sends it again. */
const NAME_LISTS_MAX = 64;

type BatchEvent = EventRow extends readonly [number, ...infer Rest] ? Rest : never;

/** Prepared once per connection. */
export class FeedReader {
  readonly #bounds: StatementSync;
  readonly #events: StatementSync;
  readonly #statements: StatementCache;
  readonly #nameLists = new Map<number, ReadonlySet<string>>();

  constructor(database: DatabaseSync) {
    this.#bounds = prepareRows(database, readFeed.bounds);
    this.#events = prepareRows(database, readFeed.events);
    this.#statements = new StatementCache(database);
  }

  position(): number {
    return this.#readBounds()[1];
  }

  /** Runs inside a read transaction. */
  read(query: FeedMessageQuery): FeedMessage {
    const names = query.names && this.#namesOf(query.names);
    if (names === undefined) return "names unknown";
    const filter = compileListFilter(parseListFilter(query.filter));
    const [removed, newest] = this.#readBounds();
    const { service, tenant, after, limit } = query;
    if (after < removed) throw new RpcError("RESUME_TOKEN_EXPIRED");
    const upTo = Math.min(newest, after + SCAN_MAX);
    const page = new FeedPageRows(limit, (name) => this.#lookUp(query, filter, name));
    const rows = this.#events.iterate(after, upTo, service, tenant) as unknown as Iterable<[number, string]>;
    for (const [before, text] of rows) {
      const events = JSON.parse(text) as BatchEvent[];
      for (const [index, event] of events.entries()) {
        const position = before + 1 + index;
        if (position <= after || position > upTo || (names !== null && !names.has(event[0]))) continue;
        if (!page.add([position, ...event])) return page.message(page.last, false);
      }
    }
    return page.message(Math.max(after, upTo), upTo >= newest);
  }

  /** The operation as it stands, where it matches; null where it is gone and nothing but its name is asked for. */
  #lookUp(
    { service, tenant, parent }: FeedMessageQuery,
    filter: FilterSql,
    name: string,
  ): ListedRow | null | undefined {
    const ofParent = parent === null ? "" : " AND o.parent = ?";
    const sql = `${listedOperation} ${storedJoins}
      WHERE o.service = ? AND o.tenant = ? AND o.name = ?${ofParent} AND (${filter.condition})`;
    const values = [service, tenant, name, ...(parent === null ? [] : [parent]), ...filter.values];
    const row = getRow<ListedRow>(this.#statements.prepare(sql), ...values);
    if (row) return row;
    const isAskedFor = filter.condition === "TRUE" && (parent === null || isOfParent(name, parent));
    return isAskedFor && !this.#exists(service, tenant, name) ? null : undefined;
  }

  #exists(service: string, tenant: string, name: string): boolean {
    const sql = "SELECT 1 FROM operations WHERE service = ? AND tenant = ? AND name = ?";
    return getRow(this.#statements.prepare(sql), service, tenant, name) !== undefined;
  }

  #readBounds(): [removed: number, newest: number] {
    return allRows<[number, number]>(this.#bounds)[0] ?? [0, 0];
  }

  #namesOf({ id, names }: NonNullable<FeedMessageQuery["names"]>): ReadonlySet<string> | undefined {
    const known = this.#nameLists.get(id);
    if (known || names === null) return known;
    const [oldest] = this.#nameLists.keys();
    if (oldest !== undefined && this.#nameLists.size >= NAME_LISTS_MAX) this.#nameLists.delete(oldest);
    const set = new Set(names);
    this.#nameLists.set(id, set);
    return set;
  }
}
