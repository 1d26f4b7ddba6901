import assert from "node:assert/strict";
import { test } from "node:test";
import { printable } from "./output.ts";

const texts: readonly (readonly [string, string])[] = [
  ["plain text", "plain text"],
  ["two\nlines\r\n", "two lines"],
  // An escape sequence could move the cursor, set the title or answer to the terminal's input.
  ["\u001b[2Jcleared\u001b]0;title\u0007", "[2Jcleared ]0;title"],
  ["\u009b31mred", "31mred"],
  ["naïve 文字 ✓", "naïve 文字 ✓"],
  ["a\u2028b", "a b"],
];

for (const [text, expected] of texts) {
  test(`${JSON.stringify(text)} is printed as ${JSON.stringify(expected)}`, () => {
    assert.equal(printable(text), expected);
  });
}
