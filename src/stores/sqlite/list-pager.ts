// Lists: keyset pages over an index, newest first by the immutable (create_time, id), with a bounded scan per page.
import type { DatabaseSync, StatementSync } from "node:sqlite";
import type { Clock, Instant } from "../../base/clock.ts";
import type { ListQuery } from "../../engine/store.ts";
import { parseListFilter } from "../list-filter.ts";
import { openPageToken, type PagePosition, sealPageToken } from "../page-token.ts";
import { getRow, prepareRows } from "./database.ts";
import { compileListFilter, type FilterSql } from "./list-filter-sql.ts";
import { PageTokenKeys } from "./page-token-keys.ts";
import { rowBytes, type SqlValue, type StoredRow } from "./rows.ts";
import { listOperations, listWindowEnd } from "./statements.ts";
import type { PageMessage } from "./thread-messages.ts";

/** Rows looked at for one page; a filter that matches nothing then answers a short page with a token (AIP-158). */
const SCAN_ROWS_MAX = 10_000;

/** Rows looked at in one statement. */
const WINDOW_ROWS = 1000;

/** A page is cut short before it grows beyond this; a larger operation is a page by itself. */
const PAGE_BYTES_MAX = 2 * 1024 * 1024;

/** Statements kept prepared: filters come in few shapes, and preparing one takes as long as a small page. */
const STATEMENTS_MAX = 64;

/** Before the newest row. */
const START: PagePosition = { createTime: Number.MAX_SAFE_INTEGER, id: "" };
/** After the oldest row. */
const END: PagePosition = { createTime: -1, id: "" };

export class ListPager {
  readonly #database: DatabaseSync;
  readonly #clock: Clock;
  readonly #keys: PageTokenKeys;
  readonly #statements = new Map<string, StatementSync>();

  constructor(database: DatabaseSync, clock: Clock) {
    this.#database = database;
    this.#clock = clock;
    this.#keys = new PageTokenKeys(database);
  }

  /** Runs inside a read transaction: all its statements see the same rows. */
  list(query: ListQuery): PageMessage {
    const filter = compileListFilter(parseListFilter(query.filter));
    const now = this.#clock.now();
    const from =
      query.pageToken === ""
        ? START
        : openPageToken(query.pageToken, (id) => this.#keys.bytesOf(id), query, now);
    const page = this.#collect(query, filter, from);
    const nextPageToken = page.next === null ? "" : sealPageToken(this.#keys.newest(), query, page.next, now);
    return { rows: page.rows, nextPageToken };
  }

  #collect(
    query: ListQuery,
    filter: FilterSql,
    from: PagePosition,
  ): { rows: StoredRow[]; next: PagePosition | null } {
    const page = new Page(query.pageSize);
    let at = from;
    // Without a filter every row matches, and the page's own size is the bound.
    const windows = filter.condition === "TRUE" ? 1 : SCAN_ROWS_MAX / WINDOW_ROWS;
    for (let window = 0; window < windows; window++) {
      const end = windows === 1 ? null : this.#windowEnd(query, filter, at);
      for (const row of this.#rows(query, filter, at, end ?? END, page.room + 1)) {
        if (!page.add(row)) return { rows: page.rows, next: page.last };
      }
      if (end === null) return { rows: page.rows, next: null };
      at = end;
    }
    return { rows: page.rows, next: at };
  }

  /** The position of the last row of the next window, or null if fewer rows are left. */
  #windowEnd(
    { service, tenant, parent }: ListQuery,
    { index }: FilterSql,
    at: PagePosition,
  ): PagePosition | null {
    const statement = this.#prepare(listWindowEnd(index));
    const row = getRow<[Instant, string]>(
      statement,
      service,
      tenant,
      parent,
      at.createTime,
      at.id,
      WINDOW_ROWS - 1,
    );
    return row ? { createTime: row[0], id: row[1] } : null;
  }

  /** Rows after `at` up to `end` that match. An iterator: a page of large operations stops long before `limit`. */
  *#rows(
    { service, tenant, parent }: ListQuery,
    filter: FilterSql,
    at: PagePosition,
    end: PagePosition,
    limit: number,
  ): Iterable<StoredRow> {
    const statement = this.#prepare(listOperations(filter.index, filter.condition));
    const range: SqlValue[] = [service, tenant, parent, at.createTime, at.id, end.createTime, end.id];
    yield* statement.iterate(...range, ...filter.values, limit) as unknown as Iterable<StoredRow>;
  }

  #prepare(sql: string): StatementSync {
    const known = this.#statements.get(sql);
    if (known) return known;
    const [oldest] = this.#statements.keys();
    if (oldest !== undefined && this.#statements.size >= STATEMENTS_MAX) this.#statements.delete(oldest);
    const statement = prepareRows(this.#database, sql);
    this.#statements.set(sql, statement);
    return statement;
  }
}

class Page {
  readonly rows: StoredRow[] = [];
  readonly #size: number;
  #bytes = 0;

  constructor(size: number) {
    this.#size = size;
  }

  get room(): number {
    return this.#size - this.rows.length;
  }

  /** The position of the last row taken. */
  get last(): PagePosition | null {
    const row = this.rows.at(-1);
    return row ? { createTime: row[8], id: row[3] } : null;
  }

  /** False if the row does not fit any more: it begins the next page. */
  add(row: StoredRow): boolean {
    const bytes = rowBytes(row);
    if (this.room === 0) return false;
    if (this.rows.length > 0 && this.#bytes + bytes > PAGE_BYTES_MAX) return false;
    this.rows.push(row);
    this.#bytes += bytes;
    return true;
  }
}
