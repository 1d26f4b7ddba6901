// `--operations FILE`: a module that exports `operations`, an array of OperationDefinition.
import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import type { OperationDefinition } from "../worker/define-operation.ts";
import { CliError, exitCodes } from "./exit-codes.ts";

/** Loads one file. Throws a CliError that says what is wrong with it, and `place`, where it was named. */
export async function loadOperationsFile(
  file: string,
  place = "--operations",
): Promise<readonly OperationDefinition[]> {
  const path = resolve(file);
  if (!existsSync(path)) throw new CliError(`${place} ${file}: there is no such file`, exitCodes.CONFIG);
  let exported: { operations?: unknown };
  try {
    exported = await import(pathToFileURL(path).href);
  } catch (error) {
    const problem = error instanceof Error ? error.message : String(error);
    throw new CliError(`${place} ${file} cannot be loaded: ${problem}`, exitCodes.CONFIG);
  }
  const { operations } = exported;
  if (!Array.isArray(operations) || !operations.every(isDefinition)) {
    throw new CliError(
      `${place} ${file} does not export \`operations\`, an array of defineOperation(...)`,
      exitCodes.CONFIG,
    );
  }
  return operations;
}

function isDefinition(value: unknown): value is OperationDefinition {
  if (typeof value !== "object" || value === null) return false;
  const { type, kind } = value as Partial<OperationDefinition>;
  return typeof type === "string" && (kind === "inline" || kind === "thread" || kind === "process");
}
