// A YAML file as plain data, with the line and column of every value. YAML 1.2, one document, no tags of its own.
import { readFileSync, statSync } from "node:fs";
import { type Document, isMap, isNode, isScalar, LineCounter, parseDocument } from "yaml";
import { formatProblemPath, type ProblemPath } from "../../services/service-problem.ts";
import { ConfigError, type ConfigProblem, problemLine, type TextPosition } from "./config-error.ts";

const FILE_BYTES_MAX = 1_048_576;
/** An alias may stand for a tree of aliases: without a bound a small file is gigabytes of data. */
const ALIASES_MAX = 100;

export class YamlSource {
  readonly file: string;
  readonly data: unknown;
  readonly #document: Document;
  readonly #lines: LineCounter;

  /** Reads a file. Throws a ConfigError if it cannot be read, or is no YAML. */
  static read(file: string): YamlSource {
    return new YamlSource(file, readText(file));
  }

  constructor(file: string, text: string) {
    this.file = file;
    this.#lines = new LineCounter();
    this.#document = parseDocument(text, {
      lineCounter: this.#lines,
      prettyErrors: false,
      logLevel: "error",
    });
    const errors = [...this.#document.errors, ...this.#document.warnings];
    if (errors.length > 0) {
      throw new ConfigError(
        errors.map(({ pos, message }) =>
          problemLine(file, this.#position(pos[0]), { path: [], problem: `is no YAML: ${message}` }),
        ),
      );
    }
    this.data = this.#toData();
  }

  /** An error of this file for the problems, in their order in the file. */
  error(problems: readonly ConfigProblem[]): ConfigError {
    const placed = problems.map((problem) => ({ problem, at: this.#positionOf(problem) }));
    placed.sort((a, b) => a.at.line - b.at.line || a.at.column - b.at.column);
    return new ConfigError(placed.map(({ problem, at }) => problemLine(this.file, at, problem)));
  }

  /** A place of the file as errors name it: `belay.yaml:3:14: operations[0]`. */
  place(path: ProblemPath): string {
    const { line, column } = this.#positionOf({ path, problem: "" });
    return `${this.file}:${line}:${column}: ${formatProblemPath(path)}`;
  }

  #toData(): unknown {
    try {
      return this.#document.toJS({ maxAliasCount: ALIASES_MAX });
    } catch (error) {
      const problem = error instanceof Error ? error.message : String(error);
      throw new ConfigError([problemLine(this.file, { line: 1, column: 1 }, { path: [], problem })]);
    }
  }

  /** Where a value is; of a value that is missing, where what should hold it is. */
  #positionOf({ path, isKey = false }: ConfigProblem): TextPosition {
    for (let length = path.length; length > 0; length--) {
      const whole = path.slice(0, length);
      const key = this.#keyOffset(whole);
      const node = this.#document.getIn(whole, true);
      if (isKey && length === path.length && key !== undefined) return this.#position(key);
      if (isNode(node) && node.range) return this.#position(node.range[0]);
      if (key !== undefined) return this.#position(key);
    }
    return { line: 1, column: 1 };
  }

  #keyOffset(path: ProblemPath): number | undefined {
    const parent =
      path.length === 1 ? this.#document.contents : this.#document.getIn(path.slice(0, -1), true);
    if (!isMap(parent)) return undefined;
    const pair = parent.items.find(({ key }) => isScalar(key) && String(key.value) === String(path.at(-1)));
    return isScalar(pair?.key) ? pair.key.range?.[0] : undefined;
  }

  #position(offset: number): TextPosition {
    const { line, col } = this.#lines.linePos(offset);
    return { line, column: col };
  }
}

function readText(file: string): string {
  try {
    const { size } = statSync(file);
    if (size > FILE_BYTES_MAX)
      throw new ConfigError([`${file}: has ${size} bytes, more than ${FILE_BYTES_MAX}`]);
    return readFileSync(file, "utf8");
  } catch (error) {
    if (error instanceof ConfigError) throw error;
    const code = error instanceof Error && "code" in error ? error.code : undefined;
    if (code === "ENOENT") throw new ConfigError([`${file}: there is no such file`]);
    if (code === "EISDIR") throw new ConfigError([`${file}: is a folder; expected a file`]);
    throw new ConfigError([`${file}: cannot be read: ${error instanceof Error ? error.message : error}`]);
  }
}
