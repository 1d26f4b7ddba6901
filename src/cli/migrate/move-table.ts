// Copies one table from SQLite into a transaction of PostgreSQL, in bounded batches, and reads it back: both sides' rows are
// counted and hashed as they pass.
import { type ColumnType, columnArray } from "../../stores/postgres/postgres-values.ts";
import type { Queryable } from "../../stores/postgres/queryable.ts";
import type { MoveSource } from "./move-source.ts";
import type { MovedTable } from "./moved-tables.ts";
import { type CellValue, RowHash } from "./row-hash.ts";

/** A batch ends at the first of both. */
const BATCH_ROWS = 1000;
const BATCH_BYTES = 4 * 1024 * 1024;

/** A table on both sides. */
export interface MoveResult {
  table: string;
  source: { count: number; hash: string };
  target: { count: number; hash: string };
  /** Texts that had U+0000, which PostgreSQL cannot keep: it has U+FFFD there. Hashed as they are kept. */
  changedTexts: number;
}

interface Column {
  name: string;
  type: ColumnType;
}

const columnTypes: Readonly<Record<string, ColumnType>> = {
  int8: "bigint",
  int4: "integer",
  int2: "smallint",
  float8: "double precision",
  bytea: "bytea",
  text: "text",
  json: "json",
};

/** Copies and compares. Throws where the tables have columns that the move does not know. */
export async function moveTable(
  source: MoveSource,
  target: Queryable,
  table: MovedTable,
): Promise<MoveResult> {
  const columns = await columnsOf(target, table.name);
  const { made = {}, from = table.name, elsewhere = [] } = table;
  const there = new Set(source.columns(from));
  const unknown = [
    ...columns.filter(({ name }) => !there.has(name) && made[name] === undefined).map(({ name }) => name),
    ...[...there].filter(
      (name) => !elsewhere.includes(name) && !columns.some((column) => column.name === name),
    ),
  ];
  if (unknown.length > 0) throw new Error(`no move knows column ${unknown.join(", ")} of ${table.name}`);
  const select = columns.map(({ name }) => made[name] ?? name).join(", ");
  const hash = new RowHash();
  const writer = new BatchWriter(target, table.name, columns);
  let changedTexts = 0;
  const order = table.orderBy === undefined ? "" : ` ORDER BY ${table.orderBy}`;
  for (const row of source.rows(`SELECT ${select} FROM ${from}${order}`)) {
    changedTexts += replaceNul(row);
    hash.add(row);
    await writer.add(row);
  }
  await writer.flush();
  if (table.identity !== undefined) await setIdentity(source, target, table.name, table.identity);
  const names = columns.map(({ name }) => name).join(", ");
  const back = await hashRows(target, `SELECT ${names} FROM ${table.name}`, table.rowsAtOnce ?? BATCH_ROWS);
  return {
    table: table.name,
    source: { count: hash.count, hash: hash.text },
    target: { count: back.count, hash: back.text },
    changedTexts,
  };
}

/** Makes the texts of a row fit for PostgreSQL; answers how many were not. */
export function replaceNul(row: CellValue[]): number {
  let changed = 0;
  for (const [index, value] of row.entries()) {
    if (typeof value !== "string" || !value.includes("\0")) continue;
    row[index] = value.replaceAll("\0", "\ufffd");
    changed++;
  }
  return changed;
}

/** The hash of what a query answers, read through a cursor. */
export async function hashRows(target: Queryable, sql: string, rowsAtOnce: number): Promise<RowHash> {
  const hash = new RowHash();
  // The name of a statement stands for its text: one for each query.
  const id = statementId(sql);
  await target.rows({ name: `move_declare_${id}`, text: `DECLARE move_${id} NO SCROLL CURSOR FOR ${sql}` });
  for (;;) {
    const rows = await target.rows<CellValue[]>({
      name: `move_fetch_${id}`,
      text: `FETCH FORWARD ${rowsAtOnce} FROM move_${id}`,
    });
    for (const row of rows) hash.add(row);
    if (rows.length < rowsAtOnce) break;
  }
  await target.rows({ name: `move_close_${id}`, text: `CLOSE move_${id}` });
  return hash;
}

function statementId(sql: string): string {
  const hash = new RowHash();
  hash.add([sql]);
  return hash.text.slice(0, 12);
}

async function columnsOf(target: Queryable, table: string): Promise<Column[]> {
  const rows = await target.rows<[string, string]>(
    {
      name: "move_columns",
      text: `SELECT column_name::TEXT, udt_name::TEXT FROM information_schema.columns
        WHERE table_schema = current_schema() AND table_name = $1 ORDER BY ordinal_position`,
    },
    [table],
  );
  return rows.map(([name, type]) => {
    const known = columnTypes[type];
    if (known === undefined) throw new Error(`no move knows the type ${type} of ${table}.${name}`);
    return { name, type: known };
  });
}

/** The next number that the database gives out comes after all that were ever given out, purged ones, too. */
async function setIdentity(
  source: MoveSource,
  target: Queryable,
  table: string,
  column: string,
): Promise<void> {
  const last = source.lastNumber(table);
  if (last === 0) return;
  await target.rows(
    { name: "move_identity", text: "SELECT setval(pg_get_serial_sequence($1, $2), $3::BIGINT)" },
    [table, column, last],
  );
}

class BatchWriter {
  readonly #target: Queryable;
  readonly #columns: readonly Column[];
  readonly #statement: { name: string; text: string };
  #rows: CellValue[][] = [];
  #bytes = 0;

  constructor(target: Queryable, table: string, columns: readonly Column[]) {
    this.#target = target;
    this.#columns = columns;
    const names = columns.map(({ name }) => name).join(", ");
    const arrays = columns.map(({ type }, index) => `$${index + 1}::${type === "json" ? "text" : type}[]`);
    const values = columns.map(({ name, type }) => (type === "json" ? `u.${name}::JSON` : `u.${name}`));
    this.#statement = {
      name: `move_insert_${table}`,
      text: `INSERT INTO ${table} (${names}) OVERRIDING SYSTEM VALUE
        SELECT ${values.join(", ")} FROM unnest(${arrays.join(", ")}) AS u(${names})`,
    };
  }

  async add(row: CellValue[]): Promise<void> {
    this.#rows.push(row);
    for (const value of row) {
      if (typeof value === "string") this.#bytes += value.length;
      else if (value instanceof Uint8Array) this.#bytes += value.byteLength;
    }
    if (this.#rows.length >= BATCH_ROWS || this.#bytes >= BATCH_BYTES) await this.flush();
  }

  async flush(): Promise<void> {
    if (this.#rows.length === 0) return;
    const rows = this.#rows;
    this.#rows = [];
    this.#bytes = 0;
    const arrays = this.#columns.map(({ type }, index) =>
      columnArray(
        type,
        rows.map((row) => row[index] ?? null),
      ),
    );
    await this.#target.rows(this.#statement, arrays);
  }
}
