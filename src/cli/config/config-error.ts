// What is wrong with a configuration file, and where: `belay.yaml:3:12: services[0].dialect: "soap" is not one of ...`.
import { formatProblemPath, type ProblemPath } from "../../services/service-problem.ts";
import { CliError, exitCodes } from "../exit-codes.ts";

/** A problem at a place of the file. */
export interface ConfigProblem {
  /** From the root of the file; empty for the file as a whole. */
  readonly path: ProblemPath;
  readonly problem: string;
  /** True if the problem is the key at the path's end, not its value. */
  readonly isKey?: boolean;
}

/** A place in a text, both counted from 1. */
export interface TextPosition {
  readonly line: number;
  readonly column: number;
}

/** All problems of a file, in its order. Its message has one line for each of them, as `lines` has. */
export class ConfigError extends CliError {
  override name = "ConfigError";
  override readonly lines: readonly string[];

  constructor(lines: readonly string[]) {
    super(lines.join("\n") || "the configuration is wrong", exitCodes.CONFIG);
    this.lines = lines;
  }
}

/** One line for a problem. */
export function problemLine(
  file: string,
  { line, column }: TextPosition,
  { path, problem }: ConfigProblem,
): string {
  const place = formatProblemPath(path);
  return `${file}:${line}:${column}: ${place && `${place}: `}${problem}`;
}
