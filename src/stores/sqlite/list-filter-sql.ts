// A filter's tree -> SQL. Only this file's own words and column names from its tables reach the statement's text;
// whatever a user wrote is bound.
import type { FilterNode, FilterOperator, TextPattern } from "../list-filter-fields.ts";
import type { ListIndex } from "./list-statements.ts";
import type { SqlValue } from "./rows.ts";

/** A condition over `operations o` with its values. */
export interface FilterSql {
  condition: string;
  values: readonly SqlValue[];
  /** The smallest index that holds every operation that can match. */
  index: ListIndex;
}

/** Compiles a filter; null matches everything. */
export function compileListFilter(filter: FilterNode | null): FilterSql {
  if (filter === null) return { condition: "TRUE", values: [], index: "operations_list" };
  const values: SqlValue[] = [];
  const condition = compile(filter, values);
  return { condition, values, index: onlyLive(filter) ? "operations_live" : "operations_list" };
}

/** True if no done operation can match. */
function onlyLive(node: FilterNode): boolean {
  switch (node.kind) {
    case "and":
      return node.nodes.some(onlyLive);
    case "or":
      return node.nodes.every(onlyLive);
    case "done":
      return !node.value;
    case "state":
      return node.state === "PENDING" || node.state === "RUNNING" || node.state === "CANCELLING";
    default:
      return false;
  }
}

const sqlOperators: Record<FilterOperator, string> = {
  "=": "=",
  "!=": "<>",
  "<": "<",
  "<=": "<=",
  ">": ">",
  ">=": ">=",
};

const columns = {
  name: "o.name",
  type: "o.type",
  created_by: "o.created_by",
  create_time: "o.create_time",
  update_time: "o.update_time",
  concurrency_key: "o.concurrency_key",
  supersede_key: "o.supersede_key",
  rerun_of: "o.rerun_of",
  worker: "coalesce(o.lease_session, o.held_session, '')",
  cancel_cause: "coalesce(o.cancel ->> 'cause', '')",
} as const;

const THIS_LABEL = "l.service = o.service AND l.tenant = o.tenant AND l.name = o.name";

function compile(node: FilterNode, values: SqlValue[]): string {
  switch (node.kind) {
    case "and":
      return `(${node.nodes.map((child) => compile(child, values)).join(" AND ")})`;
    case "or":
      return `(${node.nodes.map((child) => compile(child, values)).join(" OR ")})`;
    case "not":
      return `NOT ${compile(node.node, values)}`;
    case "text":
      return compileText(columns[node.field], node.operator, node.pattern, values);
    case "done":
      return node.value ? "(o.done_time IS NOT NULL)" : "(o.done_time IS NULL)";
    case "state":
      values.push(node.state);
      return "(o.state = ?)";
    case "time":
      values.push(node.instant);
      return `(${columns[node.field]} ${sqlOperators[node.operator]} ?)`;
    case "label": {
      values.push(node.key);
      const value = compileText("l.value", node.operator, node.pattern, values);
      return `EXISTS (SELECT 1 FROM labels l WHERE ${THIS_LABEL} AND l.key = ? AND ${value})`;
    }
    case "hasLabel":
      if (node.key === null) return `EXISTS (SELECT 1 FROM labels l WHERE ${THIS_LABEL})`;
      values.push(node.key);
      return `EXISTS (SELECT 1 FROM labels l WHERE ${THIS_LABEL} AND l.key = ?)`;
    case "priority":
      values.push(node.value);
      return `(o.priority ${sqlOperators[node.operator]} ?)`;
    case "parents":
      if (node.name === null) return "(o.parents IS NOT NULL)";
      values.push(node.name);
      // Most have no parents: the row itself says so.
      return `(o.parents IS NOT NULL AND EXISTS (SELECT 1 FROM json_each(o.parents) p WHERE p.value ->> 'name' = ?))`;
    case "held":
      return node.value ? "(o.held_session IS NOT NULL)" : "(o.held_session IS NULL)";
    case "cancelled":
      return "(o.cancel IS NOT NULL)";
    case "always":
      return "TRUE";
  }
}

/** substr and instr instead of LIKE or GLOB: those have wildcards of their own, and LIKE folds case. */
function compileText(
  column: string,
  operator: FilterOperator,
  pattern: TextPattern,
  values: SqlValue[],
): string {
  const { text, openStart, openEnd } = pattern;
  if (!openStart && !openEnd) {
    values.push(text);
    return `(${column} ${sqlOperators[operator]} ?)`;
  }
  return operator === "!="
    ? `(NOT ${compileOpen(column, pattern, values)})`
    : compileOpen(column, pattern, values);
}

function compileOpen(column: string, { text, openStart, openEnd }: TextPattern, values: SqlValue[]): string {
  if (text === "") return "TRUE";
  if (openStart && openEnd) {
    values.push(text);
    return `(instr(${column}, ?) > 0)`;
  }
  values.push(text, text);
  return openEnd ? `(substr(${column}, 1, length(?)) = ?)` : `(substr(${column}, -length(?)) = ?)`;
}
