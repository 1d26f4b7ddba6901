// Rows of a batch as one statement: a column that has the same value in all of them is bound once, the others as arrays
// for `unnest`. Of the 58 columns of 500 starts that are alike, five differ: that is a tenth of the bytes, and one plan for
// each set of columns that differ. A single row is bound as it is.
import type { SqlValue } from "../operation-rows.ts";
import type { Step } from "./postgres-burst.ts";
import { type ColumnType, columnArray } from "./postgres-values.ts";
import type { BindValue, Statement } from "./queryable.ts";

/** A column and its type. */
export type Column = readonly [name: string, type: ColumnType];

/** Statements of one shape that a connection prepares; beyond that, every column is taken for one that differs. */
const VARIANTS_MAX = 48;

/** One statement over rows, in as many variants as there are sets of columns that differ. */
export class RowStatement {
  readonly #name: string;
  readonly #columns: readonly Column[];
  readonly #textOf: (source: RowSource) => string;
  /** By the set of columns that differ, as a string of 0 and 1. */
  readonly #variants = new Map<string, { statement: Statement; differs: boolean[] }>();

  /** `name` is unique within the store; `textOf` writes the text over where the rows come from. */
  constructor(name: string, columns: readonly Column[], textOf: (source: RowSource) => string) {
    this.#name = name;
    this.#columns = columns;
    this.#textOf = textOf;
  }

  /** The step that runs it over rows, in the order of the columns; `more` is bound behind them (`source.next`, ...). */
  step(rows: readonly (readonly SqlValue[])[], more: readonly BindValue[] = []): Step {
    const { statement, differs } = this.#variant(rows);
    const [first = []] = rows;
    const values = this.#columns.map(([, type], index): BindValue => {
      if (!differs[index]) return first[index] ?? null;
      return columnArray(
        type,
        rows.map((row) => row[index] ?? null),
      );
    });
    return { statement, values: [...values, ...more] };
  }

  #variant(rows: readonly (readonly SqlValue[])[]): { statement: Statement; differs: boolean[] } {
    const [first = []] = rows;
    let differs = this.#columns.map((_, index) => rows.some((row) => row[index] !== first[index]));
    // Without any array there would be one row.
    if (rows.length > 1 && !differs.includes(true)) differs[0] = true;
    let key = differs.map(Number).join("");
    let known = this.#variants.get(key);
    if (!known && this.#variants.size >= VARIANTS_MAX && rows.length > 1) {
      differs = differs.map(() => true);
      key = differs.map(Number).join("");
      known = this.#variants.get(key);
    }
    if (known) return known;
    const name = `${this.#name}_${this.#variants.size}`;
    const made = { statement: { name, text: this.#textOf(sourceOf(this.#columns, differs)) }, differs };
    this.#variants.set(key, made);
    return made;
  }
}

/** Where the rows of a statement come from, as SQL. */
export interface RowSource {
  /** The expression of each column, in order. */
  values: readonly string[];
  /** The same, by the column's name. */
  of(column: string): string;
  /** `FROM unnest(...) AS v (...)`, or nothing for a single row. */
  from: string;
  /** The number of the next parameter. */
  next: number;
}

function sourceOf(columns: readonly Column[], differs: readonly boolean[]): RowSource {
  const parameter = (index: number): string => {
    const type = columns[index]?.[1] ?? "text";
    if (!differs[index]) return `$${index + 1}::${type}`;
    return `$${index + 1}::${type === "json" ? "text" : type}[]`;
  };
  const arrays = columns.flatMap(([name], index) => (differs[index] ? [{ name, index }] : []));
  const values = columns.map(([name, type], index) => {
    if (!differs[index]) return parameter(index);
    return type === "json" ? `v.${name}::json` : `v.${name}`;
  });
  const from =
    arrays.length === 0
      ? ""
      : `FROM unnest(${arrays.map(({ index }) => parameter(index)).join(", ")}) AS v (${arrays.map(({ name }) => name).join(", ")})`;
  return {
    values,
    of: (column) => values[columns.findIndex(([name]) => name === column)] ?? "NULL",
    from,
    next: columns.length + 1,
  };
}

/** `INSERT` of all rows; `suffix` is its ON CONFLICT. */
export function insertRows(
  name: string,
  table: string,
  columns: readonly Column[],
  suffix = "",
): RowStatement {
  const names = columns.map(([column]) => column).join(", ");
  return new RowStatement(name, columns, ({ values, from }) => {
    return `INSERT INTO ${table} (${names}) SELECT ${values.join(", ")} ${from} ${suffix}`;
  });
}
