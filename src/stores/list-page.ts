// One page of a list as it fills up, and the bounds that every store keeps for it.
import { type ListedRow, rowBytes } from "./operation-rows.ts";
import type { PagePosition } from "./page-token.ts";

/** Rows looked at for one page; a filter that matches nothing then answers a short page with a token (AIP-158). */
export const SCAN_ROWS_MAX = 10_000;

/** A page is cut short before it grows beyond this; a larger operation is a page by itself. */
export const PAGE_BYTES_MAX: number = 2 * 1024 * 1024;

/** Before the first row of a list, newest first; behind the last one, oldest first. */
export const HIGHEST: PagePosition = { createTime: Number.MAX_SAFE_INTEGER, id: "" };
/** The other end. */
export const LOWEST: PagePosition = { createTime: -1, id: "" };

/** The rows of one page. */
export class ListPageRows {
  readonly rows: ListedRow[] = [];
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
  add(row: ListedRow): boolean {
    const bytes = rowBytes(row);
    if (this.room === 0) return false;
    if (this.rows.length > 0 && this.#bytes + bytes > PAGE_BYTES_MAX) return false;
    this.rows.push(row);
    this.#bytes += bytes;
    return true;
  }
}
