// What the commands print: results on standard output, everything else on standard error.
import { styleText } from "node:util";
import type { JsonValue } from "@bufbuild/protobuf";

type Style = Parameters<typeof styleText>[0];

let isOutputGone = false;

/** True once the reader of standard output has gone (`belay list | head`): there is no point in producing more. */
export function outputIsGone(): boolean {
  return isOutputGone;
}

/** Makes a broken pipe end the output silently, instead of the process with a stack trace. Called once, at the start. */
export function tolerateClosedPipes(): void {
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (!isReaderGone(error)) throw error;
    isOutputGone = true;
  });
  process.stderr.on("error", (error: NodeJS.ErrnoException) => {
    if (!isReaderGone(error)) throw error;
  });
}

/** EPIPE: a pipe without a reader. EIO: a terminal that was closed. */
function isReaderGone({ code }: NodeJS.ErrnoException): boolean {
  return code === "EPIPE" || code === "EIO";
}

/** Writes one line to standard output. */
export function printLine(text: string): void {
  if (!isOutputGone) process.stdout.write(`${text}\n`);
}

/** Writes one line to standard error. */
export function printNote(text: string): void {
  process.stderr.write(`${text}\n`);
}

/** Writes an error as the one line that it gets; several in `lines` get one each. */
export function printError(message: string, lines: readonly string[] = [message]): void {
  for (const line of lines) printNote(`belay: ${printable(line)}`);
}

/** Writes a value as JSON, indented, one document. */
export function printJson(value: JsonValue): void {
  printLine(JSON.stringify(value, null, 2));
}

/**
 * Text of others made safe for a terminal: control characters (escape sequences, line feeds, C1) become a space,
 * so that a progress message can neither break a table nor drive the terminal.
 */
export function printable(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]+/g, " ").trim();
}

/** One cell: its text, and how it looks on a terminal. */
export interface Cell {
  text: string;
  style?: Style;
}

/** Colours, where standard output is a terminal that wants them (NO_COLOR, TERM=dumb: it does not). */
export function styled(cell: Cell): string {
  return cell.style ? styleText(cell.style, cell.text, { stream: process.stdout }) : cell.text;
}

/** Prints rows in columns under a header. The last column is not padded. */
export function printTable(header: readonly string[], rows: readonly (readonly Cell[])[]): void {
  const head: Cell[] = header.map((text) => ({ text, style: "bold" }));
  const widths = header.map((_, column) =>
    Math.max(...[head, ...rows].map((row) => row[column]?.text.length ?? 0)),
  );
  for (const row of [head, ...rows]) {
    const cells = row.map((cell, column) => {
      const padding = column === row.length - 1 ? 0 : (widths[column] ?? 0) - cell.text.length;
      return styled(cell) + " ".repeat(padding);
    });
    printLine(cells.join("  ").trimEnd());
  }
}

/** Prints `label  value` lines; rows without a value are left out. */
export function printFields(fields: readonly (readonly [string, Cell | string | undefined])[]): void {
  const width = Math.max(0, ...fields.map(([label]) => label.length));
  for (const [label, value] of fields) {
    const cell = typeof value === "string" ? { text: value } : value;
    if (cell === undefined || cell.text === "") continue;
    const name = styled({ text: label, style: "dim" }) + " ".repeat(width - label.length);
    printLine(`${name}  ${styled({ ...cell, text: printable(cell.text) })}`);
  }
}
