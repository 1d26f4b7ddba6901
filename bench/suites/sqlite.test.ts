// The slope of memory over a long run.
import assert from "node:assert/strict";
import { test } from "node:test";
import { slopeMb } from "./sqlite.ts";

test("the slope of memory is of the points after the first hundred thousand operations", () => {
  const points = [
    { count: 0, residentBytes: 10e6 },
    { count: 100_000, residentBytes: 100e6 },
    { count: 200_000, residentBytes: 102e6 },
    { count: 300_000, residentBytes: 104e6 },
  ];
  assert.equal(slopeMb(points), 2);
});
