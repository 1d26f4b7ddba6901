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

/**
 * Calls `make` for each row, in order. The row is one array for all calls, filled anew for each: it must not be kept. What was
 * one object in several rows still is.
 */
export function mapRows<Row extends readonly unknown[], Made>(
  { count, first, varying, values }: PackedRows,
  make: (row: Row) => Made,
): Made[] {
  const row = first.slice();
  const made: Made[] = [];
  for (let index = 0; index < count; index++) {
    for (let at = 0; at < varying.length; at++) row[varying[at] ?? 0] = values[at]?.[index];
    made.push(make(row as unknown as Row));
  }
  return made;
}
