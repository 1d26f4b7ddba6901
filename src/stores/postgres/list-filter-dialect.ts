// What a filter is in PostgreSQL's words.
import type { FilterNode } from "../list-filter-fields.ts";
import { compileFilter, type FilterDialect, type FilterSql } from "../list-filter-sql.ts";

const THIS_LABEL = "l.service = o.service AND l.tenant = o.tenant AND l.name = o.name";

/**
 * Numbers are compared as doubles: they may lie between two microseconds, or beyond what a column can hold. Labels are
 * looked up by a scalar subquery, which is always one search: an EXISTS may be planned as a hash of all labels.
 */
function dialectAfter(bound: number): FilterDialect {
  return {
    placeholder: (at, value) => `$${bound + at}::${typeof value === "number" ? "DOUBLE PRECISION" : "TEXT"}`,
    startsWith: (column, text, bind) => `starts_with(${column}, ${bind(text)})`,
    endsWith: (column, text, bind) => {
      const at = bind(text);
      return `(right(${column}, length(${at})) = ${at})`;
    },
    contains: (column, text, bind) => `(strpos(${column}, ${bind(text)}) > 0)`,
    label: (key, bind, holds) => {
      const at = bind(key);
      return `coalesce((SELECT ${holds("l.value")} FROM labels l WHERE ${THIS_LABEL} AND l.key = ${at} LIMIT 1), FALSE)`;
    },
    anyLabel: () => `coalesce((SELECT TRUE FROM labels l WHERE ${THIS_LABEL} LIMIT 1), FALSE)`,
    parentNamed: (name, bind) =>
      `EXISTS (SELECT 1 FROM json_array_elements(o.parents) p WHERE p ->> 'name' = ${bind(name)})`,
  };
}

/** Compiles a filter of a statement that has `bound` values of its own before; null matches everything. */
export function compileListFilter(filter: FilterNode | null, bound: number): FilterSql {
  return compileFilter(filter, dialectAfter(bound));
}
