// What past cancels say about the next one.
import assert from "node:assert/strict";
import test from "node:test";
import { cancelHistoryOf } from "./cancel-history.ts";

const cases: readonly [durations: number[], p50Ms: number, p90Ms: number, maxMs: number][] = [
  [[], 0, 0, 0],
  [[7], 7, 7, 7],
  [[3, 1, 2], 2, 3, 3],
  [[10, 9, 8, 7, 6, 5, 4, 3, 2, 1], 5, 9, 10],
  [[1, 1, 1, 1000], 1, 1000, 1000],
];

for (const [durations, p50Ms, p90Ms, maxMs] of cases) {
  test(`of ${JSON.stringify(durations)} ms half took at most ${p50Ms}, nine of ten ${p90Ms}, the longest ${maxMs}`, () => {
    assert.deepEqual(cancelHistoryOf(durations), { count: durations.length, p50Ms, p90Ms, maxMs });
  });
}
