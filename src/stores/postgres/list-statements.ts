// The SQL of lists: keyset pages along an index, never sorted, with a bounded scan and a bounded size.
//
// From the inside out: rows of one parent in the order of an index, numbered -> those that match, and the last one that
// is looked at -> with their payloads, as many as fit into a page. All of it streams: nothing is read that the page does
// not need. What a filter says stands outside of the scan, so that no filter can talk the planner into another index.
import { PAGE_BYTES_MAX, SCAN_ROWS_MAX } from "../list-page.ts";
import type { Statement } from "./queryable.ts";
import {
  labelsColumn,
  pageColumns,
  pagePayloads,
  payloadBytes,
  ShapedStatements,
  storedJoins,
} from "./statements-read.ts";

/** A page without a filter: at most 1,000 rows, and one that says that there is more. */
const PAGE_ROWS_MAX = 1001;

/** The values that every page binds: service, tenant, parent, create_time, id, limit. A filter's come behind. */
export const LIST_VALUES = 6;

/** What a list is read along. */
export interface ListShape {
  /** SQL over `o`; "TRUE" for all. */
  condition: string;
  /** Only operations that are not done: they have an index of their own. */
  onlyLive: boolean;
  /** Deleted operations, too. */
  showDeleted: boolean;
  oldestFirst: boolean;
}

const shapes = new ShapedStatements("list");

/** Answers rows of [is a match, is the last that is looked at, ...ListedRow]. */
export function listOperations(shape: ListShape): Statement {
  return shapes.get(listText(shape));
}

function listText(shape: ListShape): string {
  const order = orderOf(shape);
  // Rows before one that does not fit: what was asked for ends there, and the caller sees that there is more.
  return `SELECT o.is_match, o.is_last, ${pageColumns}, ${labelsColumn} FROM (
      SELECT o.*, ${pagePayloads},
        sum(${payloadBytes}) OVER (ORDER BY ${order} ROWS UNBOUNDED PRECEDING) - (${payloadBytes}) AS bytes_before
      FROM (${matchingRows(shape)}) o ${storedJoins}
    ) o WHERE o.bytes_before <= ${PAGE_BYTES_MAX} ORDER BY ${order}`;
}

function matchingRows(shape: ListShape): string {
  const { condition, onlyLive, showDeleted } = shape;
  const order = orderOf(shape);
  const isFiltered = condition !== "TRUE" || onlyLive;
  if (!isFiltered) {
    return `SELECT o.*, TRUE AS is_match, FALSE AS is_last FROM (${scannedRows(shape, PAGE_ROWS_MAX)}) o
      ORDER BY ${order} LIMIT $6`;
  }
  // Deleted ones are in the index of those that are not done.
  const matches = onlyLive && !showDeleted ? `${condition} AND o.delete_time IS NULL` : condition;
  return `SELECT o.* FROM (
      SELECT o.*, (${matches}) AS is_match,
        row_number() OVER (ORDER BY ${order}) = ${SCAN_ROWS_MAX} AS is_last
      FROM (${scannedRows(shape, SCAN_ROWS_MAX)}) o
    ) o WHERE o.is_match OR o.is_last ORDER BY ${order} LIMIT $6`;
}

/** Rows of the parent after a position. The row values make it one range of the index. */
function scannedRows(shape: ListShape, limit: number): string {
  const arm = (condition: string): string => `SELECT * FROM operations o
    WHERE o.service = $1 AND o.tenant = $2 AND o.parent = $3 AND ${condition}
      AND (o.create_time, o.id) ${shape.oldestFirst ? ">" : "<"} ($4, $5)
    ORDER BY ${orderOf(shape)} LIMIT ${limit}`;
  if (shape.onlyLive) return arm("o.done_time IS NULL");
  const arms = shape.showDeleted
    ? [
        "o.done_time IS NULL",
        `o.done_time IS NOT NULL AND ${kept}`,
        "o.done_time IS NOT NULL AND o.delete_time IS NOT NULL",
      ]
    : [`o.done_time IS NULL AND ${kept}`, `o.done_time IS NOT NULL AND ${kept}`];
  // One index each, merged as they are read.
  return `SELECT * FROM (${arms.map((condition) => `(${arm(condition)})`).join(" UNION ALL ")}) o
    ORDER BY ${orderOf(shape)} LIMIT ${limit}`;
}

const kept = "o.delete_time IS NULL";

function orderOf({ oldestFirst }: ListShape): string {
  return oldestFirst ? "o.create_time, o.id" : "o.create_time DESC, o.id DESC";
}
