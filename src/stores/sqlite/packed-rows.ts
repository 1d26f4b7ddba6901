// Many rows of one shape in a message between threads. A structured clone costs by the value, and in a batch most columns
// hold the same value in every row: that one crosses once.

/** Rows of one length, ready for a structured clone. */
export interface PackedRows {
  count: number;
  /** The first row; for the columns that are not named below, every row. */
  first: readonly unknown[];
  /** The columns in which some row differs from the first, and what they hold, row by row. */
  varying: readonly number[];
  values: readonly (readonly unknown[])[];
}

/** Packs rows of one length. */
export function packRows(rows: readonly (readonly unknown[])[]): PackedRows {
  const first = rows[0] ?? [];
  const varying: number[] = [];
  const values: unknown[][] = [];
  for (let column = 0; column < first.length; column++) {
    if (isSame(rows, column)) continue;
    varying.push(column);
    values.push(rows.map((row) => row[column]));
  }
  return { count: rows.length, first, varying, values };
}

function isSame(rows: readonly (readonly unknown[])[], column: number): boolean {
  const value = rows[0]?.[column];
  for (const row of rows) if (row[column] !== value) return false;
  return true;
}

/** The rows again. What was one object in all of them still is. */
export function unpackRows<Row extends readonly unknown[]>(packed: PackedRows): Row[] {
  const { count, first, varying, values } = packed;
  const rows = Array.from({ length: count }, () => first.slice());
  for (const [at, column] of varying.entries()) {
    for (const [index, value] of (values[at] ?? []).entries()) {
      const row = rows[index];
      if (row !== undefined) row[column] = value;
    }
  }
  return rows as unknown as Row[];
}
