// What the tour prints: `label  text` lines below a heading; while something runs, a bar on a terminal, elsewhere a line
// now and then.
import { printable, printLine, printTable, styled } from "../../src/cli/output.ts";
import { type BarContent, ProgressBar } from "../../src/cli/progress-bar.ts";

export type Style = "bold" | "dim" | "green" | "red" | "yellow";

const LABEL_WIDTH = 9;
/** How often a line of progress comes where there is no terminal. */
const LINE_PERIOD_MS = 2_000;

export class Show {
  readonly #bar = process.stdout.isTTY ? new ProgressBar(process.stdout) : null;
  #shown = "";
  #shownAtMs = -Number.POSITIVE_INFINITY;

  heading(text: string): void {
    this.#line("");
    this.#line(styled({ text, style: "bold" }));
    this.#shown = "";
  }

  field(label: string, text: string, style?: Style): void {
    const cell = { text: printable(text), ...(style && { style }) };
    this.#line(
      `  ${styled({ text: label, style: "dim" })}${" ".repeat(LABEL_WIDTH - label.length)}  ${styled(cell)}`,
    );
  }

  line(text: string, style?: Style): void {
    this.#line(styled({ text, ...(style && { style }) }));
  }

  /** How far something is: replaces what was drawn before, or prints it if the last line is a while ago. */
  progress(content: BarContent): void {
    if (this.#bar) {
      this.#bar.draw(content);
      return;
    }
    const { state, percent, message } = content;
    if (message === "") return;
    const text = `${state}${percent === undefined ? "" : ` ${Math.floor(percent)}%`} ${message}`.trimEnd();
    const nowMs = performance.now();
    if (text === this.#shown || nowMs - this.#shownAtMs < LINE_PERIOD_MS) return;
    this.#shown = text;
    this.#shownAtMs = nowMs;
    this.field("", text, "dim");
  }

  table(header: readonly string[], rows: readonly (readonly { text: string; style?: Style }[])[]): void {
    this.clear();
    printTable(header, rows);
  }

  /** Takes the bar away. */
  clear(): void {
    this.#bar?.clear();
  }

  #line(text: string): void {
    this.clear();
    printLine(text);
  }
}
