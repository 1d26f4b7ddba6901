import assert from "node:assert/strict";
import test from "node:test";
import { type CellValue, RowHash } from "./row-hash.ts";

function hashOf(...rows: CellValue[][]): string {
  const hash = new RowHash();
  for (const row of rows) hash.add(row);
  return hash.text;
}

test("the order of rows does not matter, that of columns does", () => {
  assert.equal(hashOf(["a", 1], ["b", 2]), hashOf(["b", 2], ["a", 1]));
  assert.notEqual(hashOf(["a", "b"]), hashOf(["b", "a"]));
});

const pairs: [CellValue[], CellValue[]][] = [
  [[null], [""]],
  [
    ["a", "bc"],
    ["ab", "c"],
  ],
  [[1], ["1"]],
  [["a"], [new TextEncoder().encode("a")]],
  [["a"], ["a", null]],
];
for (const [one, other] of pairs) {
  test(`${JSON.stringify(one)} and ${JSON.stringify(other)} differ`, () => {
    assert.notEqual(hashOf(one), hashOf(other));
  });
}

test("a row twice is not no row, and a lost one is seen", () => {
  assert.notEqual(hashOf(["a"], ["a"]), hashOf());
  assert.notEqual(hashOf(["a"], ["b"]), hashOf(["a"]));
});
