// Reads race-matrix.txt: rows that name a transcript, and under each its cells with the words that must be read there.

export interface MatrixRow {
  name: string;
  /** The transcript, relative to this folder. */
  file: string;
  cells: readonly { column: string; words: readonly string[] }[];
}

/** What can come second. A row may have more cells than these. */
export const matrixColumns = [
  "complete(e)",
  "complete(e') zombie",
  "cancel",
  "lease expiry",
  "delete",
  "crash",
] as const;

export function parseMatrix(text: string): MatrixRow[] {
  const rows: { name: string; file: string; cells: { column: string; words: string[] }[] }[] = [];
  for (const line of text.split("\n")) {
    if (line.trim() === "" || line.startsWith("#")) continue;
    const [left = "", right = ""] = line.trim().split(/ {2,}/);
    if (!line.startsWith(" ")) rows.push({ name: left, file: right, cells: [] });
    else rows.at(-1)?.cells.push({ column: left, words: right.split(";").map((word) => word.trim()) });
  }
  return rows;
}
