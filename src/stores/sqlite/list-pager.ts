// Lists: keyset pages over an index, by the immutable (create_time, id), with a bounded scan per page.
import type { DatabaseSync } from "node:sqlite";
import type { Clock, Instant } from "../../base/clock.ts";
import type { ListQuery } from "../../engine/store.ts";
import { parseListFilter } from "../list-filter.ts";
import type { FilterSql } from "../list-filter-sql.ts";
import { HIGHEST, ListPageRows, LOWEST, SCAN_ROWS_MAX } from "../list-page.ts";
import type { ListedRow, SqlValue } from "../operation-rows.ts";
import { isOldestFirst, openPageToken, type PagePosition, sealPageToken } from "../page-token.ts";
import { getRow } from "./database.ts";
import { compileListFilter } from "./list-filter-sql.ts";
import { indexOf, type ListShape, listArms, listOperations, listWindowEnd } from "./list-statements.ts";
import { StatementCache } from "./statement-cache.ts";
import type { PageMessage } from "./thread-messages.ts";
import { TokenKeys } from "./token-keys.ts";

/** Rows looked at in one statement. */
const WINDOW_ROWS = 1000;

/** A query, made ready. */
interface Scan {
  query: ListQuery;
  shape: ListShape;
  filter: FilterSql;
  /** Behind the last row. */
  end: PagePosition;
}

export class ListPager {
  readonly #clock: Clock;
  readonly #keys: TokenKeys;
  readonly #statements: StatementCache;

  constructor(database: DatabaseSync, clock: Clock) {
    this.#clock = clock;
    this.#keys = new TokenKeys(database);
    this.#statements = new StatementCache(database);
  }

  /** Runs inside a read transaction: all its statements see the same rows. */
  list(query: ListQuery): PageMessage {
    const filter = compileListFilter(parseListFilter(query.filter));
    const { showDeleted = false, orderBy = "" } = query;
    const oldestFirst = isOldestFirst(orderBy);
    const [start, end] = oldestFirst ? [LOWEST, HIGHEST] : [HIGHEST, LOWEST];
    const now = this.#clock.now();
    const from =
      query.pageToken === ""
        ? start
        : openPageToken(query.pageToken, (id) => this.#keys.bytesOf(id), query, now);
    const scan = { query, filter, end, shape: { index: indexOf(filter), showDeleted, oldestFirst } };
    const page = this.#collect(scan, from);
    const nextPageToken = page.next === null ? "" : sealPageToken(this.#keys.newest(), query, page.next, now);
    return { rows: page.rows, nextPageToken };
  }

  #collect(scan: Scan, from: PagePosition): { rows: ListedRow[]; next: PagePosition | null } {
    const page = new ListPageRows(scan.query.pageSize);
    let at = from;
    // Without a filter every row matches, and the page's own size is the bound.
    const windows = scan.filter.condition === "TRUE" ? 1 : SCAN_ROWS_MAX / WINDOW_ROWS;
    for (let window = 0; window < windows; window++) {
      const end = windows === 1 ? null : this.#windowEnd(scan, at);
      for (const row of this.#rows(scan, at, end ?? scan.end, page.room + 1)) {
        if (!page.add(row)) return { rows: page.rows, next: page.last };
      }
      if (end === null) return { rows: page.rows, next: null };
      at = end;
    }
    return { rows: page.rows, next: at };
  }

  /** The position of the last row of the next window, or null if fewer rows are left. */
  #windowEnd({ query, shape }: Scan, at: PagePosition): PagePosition | null {
    const { service, tenant, parent } = query;
    const values = [service, tenant, parent, at.createTime, at.id];
    const statement = this.#statements.prepare(listWindowEnd(shape));
    const row = getRow<[Instant, string]>(statement, ...repeated(values, listArms(shape)), WINDOW_ROWS - 1);
    return row ? { createTime: row[0], id: row[1] } : null;
  }

  /** Rows after `at` up to `end` that match. An iterator: a page of large operations stops long before `limit`. */
  *#rows(
    { query, shape, filter }: Scan,
    at: PagePosition,
    end: PagePosition,
    limit: number,
  ): Iterable<ListedRow> {
    const { service, tenant, parent } = query;
    const range = [service, tenant, parent, at.createTime, at.id, end.createTime, end.id];
    const values = repeated([...range, ...filter.values], listArms(shape));
    const statement = this.#statements.prepare(listOperations(shape, filter.condition));
    yield* statement.iterate(...values, limit) as unknown as Iterable<ListedRow>;
  }
}

function repeated(values: readonly SqlValue[], times: number): SqlValue[] {
  return Array.from({ length: times }, () => values).flat();
}
