import assert from "node:assert/strict";
import { test } from "node:test";
import { parseExecOption, splitWords } from "./exec-option.ts";

const words: readonly (readonly [string, readonly string[]])[] = [
  ["", []],
  ["   ", []],
  ["sleep 60", ["sleep", "60"]],
  ["  a \t b  ", ["a", "b"]],
  [`echo 'two words' "and three more"`, ["echo", "two words", "and three more"]],
  ["a'b c'd", ["ab cd"]],
  ["''", [""]],
  [`"a\\"b" c\\ d`, ['a"b', "c d"]],
  // In single quotes a backslash is itself.
  ["'a\\b'", ["a\\b"]],
  // Nothing is expanded or run.
  ["echo $HOME *.ts | wc > x; rm", ["echo", "$HOME", "*.ts", "|", "wc", ">", "x;", "rm"]],
];

for (const [text, expected] of words) {
  test(`the command line ${JSON.stringify(text)} is ${expected.length} words`, () => {
    assert.deepEqual(splitWords(text), expected);
  });
}

test("--exec makes a process operation of type exec.NAME", () => {
  assert.deepEqual(parseExecOption("nap=sleep '60'"), {
    type: "exec.nap",
    kind: "process",
    command: ["sleep", "60"],
  });
});

test("an equals sign in the command belongs to the command", () => {
  assert.deepEqual(parseExecOption("env=env A=b").type, "exec.env");
});

for (const text of ["", "nap", "=x", "Nap=x", "a.b=x", "nap=", "nap=  ", "nap='x"]) {
  test(`--exec ${JSON.stringify(text)} is refused in one line`, () => {
    assert.throws(
      () => parseExecOption(text),
      (error: Error) => error.name === "CliError" && !error.message.includes("\n"),
    );
  });
}
