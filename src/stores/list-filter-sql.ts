// A filter's tree -> SQL. Only this file's own words, those of the dialect, and column names from its tables reach the
// statement's text; whatever a user wrote is bound.
import type { FilterNode, FilterOperator, TextField, TextPattern } from "./list-filter-fields.ts";
import type { SqlValue } from "./operation-rows.ts";

/** A condition over `operations o` with its values. */
export interface FilterSql {
  condition: string;
  values: readonly SqlValue[];
  /** No done operation can match: the index of unfinished ones holds every match. */
  onlyLive: boolean;
}

/** Binds a value and answers its placeholder; called in the order of the text. */
export type Bind = (value: SqlValue) => string;

/** What the databases say in different ways. Columns and conditions are SQL; values are only ever bound. */
export interface FilterDialect {
  /** The placeholder of the n-th value of the filter, from 1. */
  placeholder(at: number, value: SqlValue): string;
  /** Byte by byte: no pattern, no case folding. `text` is not "". */
  startsWith(column: string, text: string, bind: Bind): string;
  endsWith(column: string, text: string, bind: Bind): string;
  contains(column: string, text: string, bind: Bind): string;
  /** The label of a key exists and `holds` of its value. */
  label(key: string, bind: Bind, holds: (value: string) => string): string;
  /** There is any label. */
  anyLabel(): string;
  /** An operation with parents has one of a name. */
  parentNamed(name: string, bind: Bind): string;
}

/** Compiles a filter; null matches everything. */
export function compileFilter(filter: FilterNode | null, dialect: FilterDialect): FilterSql {
  if (filter === null) return { condition: "TRUE", values: [], onlyLive: false };
  const values: SqlValue[] = [];
  const bind: Bind = (value) => dialect.placeholder(values.push(value), value);
  const condition = new Compiler(dialect, bind).compile(filter);
  return { condition, values, onlyLive: matchesOnlyLive(filter) };
}

/** True if no done operation can match. */
function matchesOnlyLive(node: FilterNode): boolean {
  switch (node.kind) {
    case "and":
      return node.nodes.some(matchesOnlyLive);
    case "or":
      return node.nodes.every(matchesOnlyLive);
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

const textColumns: Record<TextField, string> = {
  name: "o.name",
  type: "o.type",
  created_by: "o.created_by",
  concurrency_key: "o.concurrency_key",
  supersede_key: "o.supersede_key",
  rerun_of: "o.rerun_of",
  worker: "coalesce(o.lease_session, o.held_session, '')",
  cancel_cause: "coalesce(o.cancel ->> 'cause', '')",
};

const timeColumns = { create_time: "o.create_time", update_time: "o.update_time" } as const;

class Compiler {
  readonly #dialect: FilterDialect;
  readonly #bind: Bind;

  constructor(dialect: FilterDialect, bind: Bind) {
    this.#dialect = dialect;
    this.#bind = bind;
  }

  compile(node: FilterNode): string {
    switch (node.kind) {
      case "and":
        return `(${node.nodes.map((child) => this.compile(child)).join(" AND ")})`;
      case "or":
        return `(${node.nodes.map((child) => this.compile(child)).join(" OR ")})`;
      case "not":
        return `NOT ${this.compile(node.node)}`;
      case "text":
        return this.#text(textColumns[node.field], node.operator, node.pattern);
      case "done":
        return node.value ? "(o.done_time IS NOT NULL)" : "(o.done_time IS NULL)";
      case "state":
        return `(o.state = ${this.#bind(node.state)})`;
      case "time":
        return `(${timeColumns[node.field]} ${sqlOperators[node.operator]} ${this.#bind(node.instant)})`;
      case "label":
        return this.#dialect.label(node.key, this.#bind, (value) =>
          this.#text(value, node.operator, node.pattern),
        );
      case "hasLabel":
        return node.key === null
          ? this.#dialect.anyLabel()
          : this.#dialect.label(node.key, this.#bind, () => "TRUE");
      case "priority":
        return `(o.priority ${sqlOperators[node.operator]} ${this.#bind(node.value)})`;
      case "parents":
        if (node.name === null) return "(o.parents IS NOT NULL)";
        // Most have no parents: the row itself says so.
        return `(o.parents IS NOT NULL AND ${this.#dialect.parentNamed(node.name, this.#bind)})`;
      case "held":
        return node.value ? "(o.held_session IS NOT NULL)" : "(o.held_session IS NULL)";
      case "cancelled":
        return "(o.cancel IS NOT NULL)";
      case "always":
        return "TRUE";
    }
  }

  #text(column: string, operator: FilterOperator, pattern: TextPattern): string {
    const { text, openStart, openEnd } = pattern;
    if (!openStart && !openEnd) return `(${column} ${sqlOperators[operator]} ${this.#bind(text)})`;
    const matches = this.#openText(column, pattern);
    return operator === "!=" ? `(NOT ${matches})` : matches;
  }

  #openText(column: string, { text, openStart, openEnd }: TextPattern): string {
    if (text === "") return "TRUE";
    if (openStart && openEnd) return this.#dialect.contains(column, text, this.#bind);
    return openEnd
      ? this.#dialect.startsWith(column, text, this.#bind)
      : this.#dialect.endsWith(column, text, this.#bind);
  }
}
