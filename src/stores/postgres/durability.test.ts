import assert from "node:assert/strict";
import { test } from "node:test";
import { durabilityWarnings } from "./durability.ts";

test("what only a fail-over loses is a warning, and only where a standby is said to prevent it", () => {
  for (const [row, lines] of [
    [["on", "", "on"], []],
    [["local", "", "on"], []],
    [["on", "FIRST 1 (a)", "on"], []],
    [["remote_apply", "FIRST 1 (a)", "on"], []],
    [["local", "FIRST 1 (a)", "on"], [/is local: .* fail-over/]],
    [
      ["remote_write", "*", "off"],
      [/is remote_write: .* power cut/, /full_page_writes/],
    ],
  ] as const) {
    const told = durabilityWarnings(row);
    assert.equal(told.length, lines.length, row.join());
    for (const [index, line] of lines.entries()) assert.match(told[index] ?? "", line);
  }
});
