// The arithmetic on rounds: percentiles, targets, ratios, the best side.
import assert from "node:assert/strict";
import { test } from "node:test";
import { alternate, bestOf, measured, median, percentile, ratios } from "./measurement.ts";

test("a percentile is a value that was seen, and of nothing it is NaN", () => {
  const values = [30, 10, 20, 40];
  assert.equal(percentile(values, 0.5), 30);
  assert.equal(percentile(values, 0.99), 40);
  assert.equal(percentile(values, 1), 40);
  assert.ok(Number.isNaN(percentile([], 0.5)));
});

test("the median leaves out rounds without a value", () => {
  assert.equal(median([3, Number.NaN, 1, 2]), 2);
  assert.ok(Number.isNaN(median([Number.NaN])));
});

test("a target is met by the median, not by the best round", () => {
  assert.equal(measured("rate", "1/s", [1, 2, 9], [">=", 5]).met, false);
  assert.equal(measured("rate", "1/s", [1, 5, 9], [">=", 5]).met, true);
  assert.equal(measured("time", "ms", [1, 5, 9], ["<", 5]).met, false);
  assert.equal(measured("time", "ms", [Number.NaN], ["<", 5]).met, false);
  assert.equal(measured("time", "ms", [7], null).target, "-");
});

test("a ratio is taken within each round", () => {
  assert.deepEqual(ratios([10, 4], [5, 8]), [2, 0.5]);
  assert.ok(Number.isNaN(ratios([10], [])[0]));
});

test("sides alternate within each round", async () => {
  const order: string[] = [];
  const side = (name: string) => async (): Promise<number> => order.push(name);
  const results = await alternate({ a: side("a"), b: side("b") }, 2);
  assert.deepEqual(order, ["a", "b", "a", "b"]);
  assert.deepEqual(results, { a: [1, 3], b: [2, 4] });
});

test("the best side is told by its median, and a side without values is never the best", () => {
  const sides = { fast: [1, 9, 9], steady: [8, 8, 8], silent: [Number.NaN] };
  assert.equal(bestOf(sides, ["fast", "steady", "silent"], "highest")?.name, "fast");
  assert.equal(bestOf(sides, ["fast", "steady", "silent"], "lowest")?.name, "steady");
  assert.equal(bestOf(sides, ["silent", "absent"], "lowest"), null);
});
