import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { formatDuration, parseDuration } from "./duration.ts";

const durations: readonly (readonly [string, number | undefined])[] = [
  ["30s", 30_000],
  ["1.5m", 90_000],
  ["500ms", 500],
  ["2h", 7_200_000],
  ["7d", 604_800_000],
  [".5s", 500],
  ["0s", 0],
  // Without a unit it could be seconds or milliseconds.
  ["30", undefined],
  ["-1s", undefined],
  ["1e3s", undefined],
  ["1 s", undefined],
  ["1.s", undefined],
  ["s", undefined],
  ["", undefined],
];

for (const [text, expected] of durations) {
  test(`the duration ${JSON.stringify(text)} is ${expected === undefined ? "refused" : `${expected} ms`}`, () => {
    assert.equal(parseDuration(text), expected);
  });
}

const formatted: readonly (readonly [number, string])[] = [
  [0, "0ms"],
  [-5, "0ms"],
  [999.4, "999ms"],
  [1000, "1.0s"],
  [59_949, "59.9s"],
  [59_960, "1m00s"],
  [245_000, "4m05s"],
  [3_599_600, "1h00m"],
  [7_380_000, "2h03m"],
];

for (const [durationMs, expected] of formatted) {
  test(`${durationMs} ms is shown as ${expected}`, () => {
    assert.equal(formatDuration(durationMs), expected);
  });
}

test("no duration is shown with 60 seconds or 60 minutes", () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 40_000_000 }), (durationMs) => {
      assert.doesNotMatch(formatDuration(durationMs), /[mh]60|^60[a-z]/);
    }),
  );
});
