// Lists: keyset pages over an index, by the immutable (create_time, id), with a bounded scan per page. A page is one
// statement: it sees one moment.
import type { Clock, Instant } from "../../base/clock.ts";
import type { ListedOperation, ListPage, ListQuery } from "../../engine/store.ts";
import { parseListFilter } from "../list-filter.ts";
import { HIGHEST, ListPageRows, LOWEST } from "../list-page.ts";
import { type ListedRow, rowToLabels, rowToStoredOperation, type StoredRow } from "../operation-rows.ts";
import { isOldestFirst, openPageToken, type PagePosition, sealPageToken } from "../page-token.ts";
import type { TokenKeyring } from "../token-keyring.ts";
import { compileListFilter } from "./list-filter-dialect.ts";
import { LIST_VALUES, listOperations } from "./list-statements.ts";
import type { Queryable } from "./queryable.ts";

type ScannedRow = [isMatch: boolean, isLast: boolean, ...ListedRow];

export interface ListPagerParts {
  database: Queryable;
  clock: Clock;
  keys: TokenKeyring;
}

export class ListPager {
  readonly #database: Queryable;
  readonly #clock: Clock;
  readonly #keys: TokenKeyring;

  constructor({ database, clock, keys }: ListPagerParts) {
    this.#database = database;
    this.#clock = clock;
    this.#keys = keys;
  }

  /** Throws INVALID_FILTER, INVALID_PAGE_TOKEN. */
  async list(query: ListQuery): Promise<ListPage> {
    const filter = compileListFilter(parseListFilter(query.filter), LIST_VALUES);
    const { service, tenant, parent, pageSize, showDeleted = false, orderBy = "" } = query;
    const oldestFirst = isOldestFirst(orderBy);
    const now = this.#clock.now();
    const from = await this.#start(query, oldestFirst ? LOWEST : HIGHEST, now);
    const { condition, onlyLive } = filter;
    const rows = await this.#database.rows<ScannedRow>(
      listOperations({ condition, onlyLive, showDeleted, oldestFirst }),
      [service, tenant, parent, from.createTime, from.id, pageSize + 1, ...filter.values],
    );
    const page = new ListPageRows(pageSize);
    const next = fill(page, rows);
    const nextPageToken = next === null ? "" : sealPageToken(await this.#keys.newest(), query, next, now);
    return { operations: page.rows.map(toListed), nextPageToken };
  }

  async #start(query: ListQuery, start: PagePosition, now: Instant): Promise<PagePosition> {
    const { pageToken } = query;
    if (pageToken === "") return start;
    return openPageToken(pageToken, await this.#keys.keysFor(pageToken), query, now);
  }
}

/** Where the next page begins; null at the end. */
function fill(page: ListPageRows, rows: readonly ScannedRow[]): PagePosition | null {
  for (const [isMatch, isLast, ...row] of rows) {
    if (isMatch && !page.add(row)) return page.last;
    if (isLast) return { createTime: row[8], id: row[3] };
  }
  return null;
}

/** The operation of a row, with its labels. */
export function toListed(row: ListedRow): ListedOperation {
  return { ...rowToStoredOperation(row as unknown as StoredRow), labels: rowToLabels(row) };
}
