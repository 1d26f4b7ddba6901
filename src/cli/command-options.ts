// How the values of options and arguments are read, and the examples of a command's help.

import type { JsonObject } from "@bufbuild/protobuf";
import { type Command, InvalidArgumentError } from "commander";
import { parseDuration } from "./duration.ts";
import { CliError } from "./exit-codes.ts";

/** An operation's full name: `operations/` is added to a bare id. */
export function operationName(text: string): string {
  return text.includes("/") ? text : `operations/${text}`;
}

/** Reads `30s`, `1.5m` into milliseconds. */
export function durationOption(text: string): number {
  const durationMs = parseDuration(text);
  if (durationMs === undefined)
    throw new InvalidArgumentError("write a duration such as 500ms, 30s, 1.5m, 2h");
  return durationMs;
}

/** Reads a whole number within limits. */
export function integerOption(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = /^-?\d+$/.test(text) ? Number(text) : Number.NaN;
    if (!(value >= min && value <= max)) throw new InvalidArgumentError(`write a whole number ${min}-${max}`);
    return value;
  };
}

/** Reads `key=value` and adds it to those before. */
export function keyValueOption(text: string, previous: Record<string, string> = {}): Record<string, string> {
  const equals = text.indexOf("=");
  if (equals < 1) throw new InvalidArgumentError("write key=value");
  return { ...previous, [text.slice(0, equals)]: text.slice(equals + 1) };
}

/** Collects a repeatable option. */
export function repeatableOption(text: string, previous: string[] = []): string[] {
  return [...previous, text];
}

/** Reads a JSON object. `what` names it in the error. */
export function parseJsonObject(text: string, what: string): JsonObject {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new CliError(`${what} is not JSON: ${error instanceof Error ? error.message : error}`);
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new CliError(`${what} is not a JSON object`);
  }
  return value as JsonObject;
}

/** Adds the Examples section of a command's help. Each line is run by a test, in order. */
export function addExamples(command: Command, examples: readonly string[]): Command {
  examplesOf.set(command, examples);
  return command.addHelpText("after", `\nExamples:\n${examples.map((line) => `  ${line}`).join("\n")}`);
}

const examplesOf = new WeakMap<Command, readonly string[]>();

/** The examples of a command, as its help shows them. */
export function commandExamples(command: Command): readonly string[] {
  return examplesOf.get(command) ?? [];
}
