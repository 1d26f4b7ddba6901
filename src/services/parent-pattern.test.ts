import assert from "node:assert/strict";
import { test } from "node:test";
import { fitsParents, parentForm } from "./parent-pattern.ts";

const fits: readonly [patterns: readonly string[], parent: string, isFit: boolean][] = [
  [[""], "", true],
  [[""], "projects/p", false],
  [["projects/*"], "projects/p", true],
  [["projects/*"], "", false],
  [["projects/*"], "projects", false],
  [["projects/*"], "folders/p", false],
  [["projects/*"], "projects/p/locations/l", false],
  [["projects/*/locations/*"], "projects/p/locations/l", true],
  [["projects/*/locations/*"], "projects/p/places/l", false],
  [["projects/*/locations/*"], "projects/p", false],
  [["", "projects/*"], "projects/p", true],
  [["**"], "", true],
  [["**"], "projects/p/locations/l/things/t", true],
  [[], "", false],
];

for (const [patterns, parent, isFit] of fits) {
  test(`${JSON.stringify(parent)} ${isFit ? "fits" : "does not fit"} ${JSON.stringify(patterns)}`, () => {
    assert.equal(fitsParents(parent, patterns), isFit);
  });
}

test("the root is shown as empty", () => {
  assert.deepEqual(["", "projects/*"].map(parentForm), ["empty", "projects/*"]);
});
