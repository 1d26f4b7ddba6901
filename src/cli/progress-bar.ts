// The line that shows a running operation on a terminal. `renderBar` is pure; ProgressBar owns the terminal's line.
import { formatDuration } from "./duration.ts";
import { printable } from "./output.ts";

/** What the line shows. */
export interface BarContent {
  name: string;
  state: string;
  /** 0-100, or undefined when the operation has told nothing yet. */
  percent: number | undefined;
  message: string;
  elapsedMs: number;
}

const BAR_MAX = 30;
const BAR_MIN = 8;

/** The line, at most `columns` characters: name, state, bar, percent, time, message. What does not fit is left out from the right. */
export function renderBar(content: BarContent, columns: number): string {
  const percent = content.percent === undefined ? undefined : Math.min(100, Math.max(0, content.percent));
  const head = `${printable(content.name)} ${content.state}`;
  const tail = `${percent === undefined ? "" : `${Math.floor(percent)}% `}${formatDuration(content.elapsedMs)}`;
  const room = columns - head.length - tail.length - 4;
  const width = Math.min(BAR_MAX, room);
  const filled = percent === undefined ? 0 : Math.floor((percent / 100) * width);
  const bar = width < BAR_MIN ? " " : ` [${"#".repeat(filled)}${"-".repeat(width - filled)}] `;
  const line = `${head}${bar}${tail} ${printable(content.message)}`.trimEnd();
  return line.length <= columns ? line : line.slice(0, Math.max(0, columns));
}

/** The part of a terminal stream that the bar needs. */
export interface BarTerminal {
  readonly columns?: number;
  write(text: string): unknown;
}

/** Draws over its own line until it is cleared. */
export class ProgressBar {
  readonly #terminal: BarTerminal;
  #drawn = "";

  constructor(terminal: BarTerminal) {
    this.#terminal = terminal;
  }

  /** Draws the line if it changed. One column stays free: a full line would wrap on some terminals. */
  draw(content: BarContent): void {
    const line = renderBar(content, (this.#terminal.columns ?? 80) - 1);
    if (line === this.#drawn) return;
    this.#drawn = line;
    this.#terminal.write(`\r${line}\u001b[K`);
  }

  /** Removes the line. */
  clear(): void {
    if (this.#drawn !== "") this.#terminal.write("\r\u001b[K");
    this.#drawn = "";
  }
}
