// The SQL of lists: keyset pages along an index, never sorted.
import type { FilterSql } from "../list-filter-sql.ts";
import { OPERATION_COLUMNS } from "../operation-rows.ts";
import { listedOperation, storedJoins } from "./statements.ts";

/** Each holds what can be listed: all, or what is not done; without what clients deleted. */
export type ListIndex = "operations_list" | "operations_live";

/** What a list is read along. */
export interface ListShape {
  index: ListIndex;
  /** Deleted operations, which have an index of their own, too. */
  showDeleted: boolean;
  oldestFirst: boolean;
}

/** The smallest index that holds every operation that can match. */
export function indexOf({ onlyLive }: FilterSql): ListIndex {
  return onlyLive ? "operations_live" : "operations_list";
}

const conditions = {
  operations_list: "o.delete_time IS NULL",
  operations_live: "o.delete_time IS NULL AND o.done_time IS NULL",
  operations_list_deleted: "o.delete_time IS NOT NULL",
} as const;

/** How many times the values of a page are bound: once for each index. */
export function listArms({ showDeleted }: ListShape): 1 | 2 {
  return showDeleted ? 2 : 1;
}

/**
 * A page: rows after one position up to another. The row values make both ends one range of the index (written out as
 * `a < ? OR (a = ? AND b < ?)`, the scan would start at the parent's first row each time). Two indexes are merged as
 * they are read.
 */
export function listOperations(shape: ListShape, filter: string): string {
  const [after, upTo] = shape.oldestFirst ? [">", "<="] : ["<", ">="];
  const range = `(o.create_time, o.id) ${after} (?, ?) AND (o.create_time, o.id) ${upTo} (?, ?)`;
  const arms = indexes(shape).map(
    (index) => `${listedOperation} INDEXED BY ${index} ${storedJoins}
      WHERE ${THIS_PARENT} AND ${conditions[index]} AND ${range} AND (${filter})`,
  );
  const at = (column: string): number => OPERATION_COLUMNS.indexOf(column) + 1;
  return `${arms.join(" UNION ALL ")} ${ordered(shape, at("create_time"), at("id"))} LIMIT ?`;
}

/** The position of the n-th row after another: where a bounded scan ends. */
export function listWindowEnd(shape: ListShape): string {
  const after = shape.oldestFirst ? ">" : "<";
  const arms = indexes(shape).map(
    (index) => `SELECT o.create_time, o.id FROM operations o INDEXED BY ${index}
      WHERE ${THIS_PARENT} AND ${conditions[index]} AND (o.create_time, o.id) ${after} (?, ?)`,
  );
  return `${arms.join(" UNION ALL ")} ${ordered(shape, 1, 2)} LIMIT 1 OFFSET ?`;
}

const THIS_PARENT = "o.service = ? AND o.tenant = ? AND o.parent = ?";

function indexes({ index, showDeleted }: ListShape): (keyof typeof conditions)[] {
  return showDeleted ? [index, "operations_list_deleted"] : [index];
}

function ordered({ oldestFirst }: ListShape, createTime: number, id: number): string {
  return oldestFirst ? `ORDER BY ${createTime}, ${id}` : `ORDER BY ${createTime} DESC, ${id} DESC`;
}
