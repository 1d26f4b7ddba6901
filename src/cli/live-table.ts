// Many operations on a terminal: a line with a bar for each, drawn again in place. `renderTable` is pure; LiveTable owns the
// lines of the terminal. What does not fit on the screen is counted in the last line.
import { startInterval, type Timer } from "../base/timers.ts";
import { type Operation, State } from "../client/client.ts";
import { formatDuration } from "./duration.ts";
import { cancellationText, elapsedMs, stateCell, stateName } from "./operation-view.ts";
import { type Cell, printable, styled } from "./output.ts";
import type { BarTerminal } from "./progress-bar.ts";

/** How often the screen is drawn while something changes; elapsed times move on by it, too. */
const DRAW_MS = 200;

/** Done operations are shown as long as there is room for them, and forgotten beyond this many. */
const DONE_MAX = 500;

/** What the lines are made of. */
export interface TableContent {
  /** In the order in which they came. */
  operations: readonly Operation[];
  /** How many ended that are forgotten. */
  forgotten: number;
  columns: number;
  rows: number;
  nowMs: number;
}

/** The lines, the last one a summary: at most `rows` of at most `columns` characters. Live operations are shown first. */
export function renderTable({ operations, forgotten, columns, rows, nowMs }: TableContent): Cell[][] {
  const room = Math.max(1, rows - 1);
  const live = operations.filter((operation) => !operation.done);
  const done = operations.filter((operation) => operation.done);
  const doneRoom = Math.max(0, room - live.length);
  // The newest ends stay longest.
  const chosen = new Set([
    ...live.slice(0, room),
    ...done.slice(done.length - Math.min(doneRoom, done.length)),
  ]);
  const shown = operations.filter((operation) => chosen.has(operation));
  const nameWidth = Math.max(0, ...shown.map(({ name }) => printable(name).length));
  const lines = shown.map((operation) => renderOperation(operation, nameWidth, columns, nowMs));
  const hidden = operations.length - shown.length + forgotten;
  return [...lines, [{ text: summary(operations, hidden, forgotten).slice(0, columns), style: "dim" }]];
}

const STATE_WIDTH = "CANCELLING".length;

function renderOperation(operation: Operation, nameWidth: number, columns: number, nowMs: number): Cell[] {
  const name = printable(operation.name).padEnd(nameWidth);
  const state = stateCell(operation);
  const head = nameWidth + STATE_WIDTH + 2;
  if (head >= columns) return [{ text: `${name} ${state.text}`.slice(0, columns) }];
  const percent = operation.state === State.SUCCEEDED ? 100 : operation.progress?.percent;
  const numbers = [
    (percent === undefined ? "" : `${Math.floor(percent)}%`).padStart(PERCENT_WIDTH),
    formatDuration(elapsedMs(operation, nowMs)).padStart(ELAPSED_WIDTH),
  ].join(" ");
  const hasBar = columns - head >= BAR_WIDTH + numbers.length + MESSAGE_MIN;
  const rest = `${hasBar ? `${barText(percent)} ` : ""}${numbers} ${printable(messageOf(operation))}`;
  return [
    { text: `${name} ` },
    { ...state, text: state.text.padEnd(STATE_WIDTH) },
    { text: ` ${rest}`.slice(0, columns - head + 1).trimEnd() },
  ];
}

const BAR_WIDTH = 22;
const PERCENT_WIDTH = 4;
const ELAPSED_WIDTH = 6;
/** A message is worth more than a bar. */
const MESSAGE_MIN = 12;

/** Blank for work that has told nothing of its progress. */
function barText(percent: number | undefined): string {
  if (percent === undefined) return " ".repeat(BAR_WIDTH);
  const width = BAR_WIDTH - 2;
  const filled = Math.floor((Math.min(100, Math.max(0, percent)) / 100) * width);
  return `[${"#".repeat(filled)}${"-".repeat(width - filled)}]`;
}

/** What the work says; while it is cancelled, how far that is; of a failure, the error. */
function messageOf(operation: Operation): string {
  if (operation.result.case === "error") return operation.result.value.message;
  const message = operation.progress?.message ?? "";
  return operation.cancellation && !operation.done ? `${cancellationText(operation)} ${message}` : message;
}

function summary(operations: readonly Operation[], hidden: number, forgotten: number): string {
  const counts = new Map<string, number>();
  for (const operation of operations) {
    const state = stateName(operation);
    counts.set(state, (counts.get(state) ?? 0) + 1);
  }
  const total = operations.length + forgotten;
  const states = [...counts].map(([state, count]) => `${count} ${state}`);
  if (forgotten > 0) states.push(`${forgotten} ended before`);
  const words = [`${total} ${total === 1 ? "operation" : "operations"}`, ...states];
  return `${words.join(", ")}${hidden > 0 ? ` (${hidden} not shown)` : ""}`;
}

/** The part of a terminal that the table needs. */
export interface TableTerminal extends BarTerminal {
  readonly rows?: number;
}

/** Draws the table over its own lines until it is ended. */
export class LiveTable {
  readonly #terminal: TableTerminal;
  readonly #nowMs: () => number;
  readonly #operations = new Map<string, Operation>();
  readonly #timer: Timer;
  #done = 0;
  #forgotten = 0;
  #note = "";
  #drawnLines = 0;
  #drawn = "";

  constructor(terminal: TableTerminal, nowMs: () => number) {
    this.#terminal = terminal;
    this.#nowMs = nowMs;
    this.#timer = startInterval(DRAW_MS, () => this.draw());
  }

  /** Takes the newest state of an operation. */
  take(operation: Operation): void {
    const known = this.#operations.get(operation.name);
    if (operation.done && !known?.done) this.#done++;
    this.#operations.set(operation.name, operation);
    if (this.#done <= DONE_MAX) return;
    for (const [name, { done }] of this.#operations) {
      if (!done) continue;
      this.#operations.delete(name);
      this.#done--;
      this.#forgotten++;
      break;
    }
  }

  /** One line under the table, for instance that the server is away; "" for none. */
  note(text: string): void {
    this.#note = text;
  }

  /** Draws what has changed. One column stays free: a full line would wrap on some terminals. */
  draw(): void {
    // A pseudo-terminal that nobody has given a size says 0.
    const columns = this.#terminal.columns || 80;
    const rows = this.#terminal.rows || 24;
    const content = {
      operations: [...this.#operations.values()],
      forgotten: this.#forgotten,
      columns: columns - 1,
      rows: rows - 2,
      nowMs: this.#nowMs(),
    };
    const lines = renderTable(content).map((cells) => cells.map(styled).join(""));
    if (this.#note !== "") lines.push(printable(this.#note).slice(0, columns - 1));
    const text = lines.map((line) => `${line}\u001b[K\n`).join("");
    if (text === this.#drawn) return;
    const up = this.#drawnLines > 0 ? `\u001b[${this.#drawnLines}A` : "";
    this.#terminal.write(`${up}\r${text}\u001b[J`);
    this.#drawn = text;
    this.#drawnLines = lines.length;
  }

  /** Draws the last state, which stays on the screen. */
  end(): void {
    this.#timer.cancel();
    this.#note = "";
    this.draw();
  }
}
