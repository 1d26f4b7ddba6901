// What a filter is in SQLite's words.
import type { FilterNode } from "../list-filter-fields.ts";
import { compileFilter, type FilterDialect, type FilterSql } from "../list-filter-sql.ts";

const THIS_LABEL = "l.service = o.service AND l.tenant = o.tenant AND l.name = o.name";

/** substr and instr instead of LIKE or GLOB: those have wildcards of their own, and LIKE folds case. */
const dialect: FilterDialect = {
  placeholder: () => "?",
  startsWith: (column, text, bind) => `(substr(${column}, 1, length(${bind(text)})) = ${bind(text)})`,
  endsWith: (column, text, bind) => `(substr(${column}, -length(${bind(text)})) = ${bind(text)})`,
  contains: (column, text, bind) => `(instr(${column}, ${bind(text)}) > 0)`,
  label: (key, bind, holds) =>
    `EXISTS (SELECT 1 FROM labels l WHERE ${THIS_LABEL} AND l.key = ${bind(key)} AND ${holds("l.value")})`,
  anyLabel: () => `EXISTS (SELECT 1 FROM labels l WHERE ${THIS_LABEL})`,
  parentNamed: (name, bind) =>
    `EXISTS (SELECT 1 FROM json_each(o.parents) p WHERE p.value ->> 'name' = ${bind(name)})`,
};

/** Compiles a filter; null matches everything. */
export function compileListFilter(filter: FilterNode | null): FilterSql {
  return compileFilter(filter, dialect);
}
