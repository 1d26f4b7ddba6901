// `--exec NAME=COMMAND`: a command that the operator lists, served as the operation type exec.NAME. No shell is involved.
import { defineOperation, type OperationDefinition } from "../worker/define-operation.ts";
import { CliError, exitCodes } from "./exit-codes.ts";

/** Reads `NAME=COMMAND` into a process operation. Throws a CliError that says what is wrong. */
export function parseExecOption(text: string): OperationDefinition {
  const [, name, commandText] = /^([^=]*)=(.*)$/s.exec(text) ?? [];
  if (name === undefined || !/^[a-z][a-z0-9-]{0,57}$/.test(name)) {
    throw new CliError(
      `--exec ${JSON.stringify(text)} is not NAME=COMMAND, NAME of [a-z0-9-] (at most 58 characters)`,
      exitCodes.CONFIG,
    );
  }
  const [program, ...args] = splitWords(commandText ?? "");
  if (program === undefined) throw new CliError(`--exec ${name}: the command is empty`, exitCodes.CONFIG);
  return defineOperation({ type: `exec.${name}`, kind: "process", command: [program, ...args] });
}

/**
 * Splits a command line into words as a shell does: at blanks, with 'single' and "double" quotes and \ escapes.
 * Nothing is expanded: no variables, globs, pipes or redirections; their characters are passed on as they are.
 */
export function splitWords(text: string): string[] {
  const words: string[] = [];
  let word: string | undefined;
  let quote: string | undefined;
  for (let index = 0; index < text.length; index++) {
    const char = text.charAt(index);
    if (char === "\\" && quote !== "'") {
      word = (word ?? "") + text.charAt(++index);
    } else if (quote !== undefined) {
      if (char === quote) quote = undefined;
      else word += char;
    } else if (char === "'" || char === '"') {
      quote = char;
      word ??= "";
    } else if (/\s/.test(char)) {
      if (word !== undefined) words.push(word);
      word = undefined;
    } else {
      word = (word ?? "") + char;
    }
  }
  if (quote !== undefined)
    throw new CliError(`a ${quote} quote is not closed in ${JSON.stringify(text)}`, exitCodes.CONFIG);
  if (word !== undefined) words.push(word);
  return words;
}
