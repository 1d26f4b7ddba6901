import assert from "node:assert/strict";
import { test } from "node:test";
import { parseRange } from "./value-range.ts";

const rows: readonly {
  range: string;
  inside: readonly (number | bigint)[];
  outside: readonly (number | bigint)[];
}[] = [
  { range: "<=50", inside: [0, 50, -1, 50n], outside: [51, 51n] },
  { range: "<50", inside: [49], outside: [50] },
  { range: ">0", inside: [1], outside: [0, 0n] },
  { range: ">=-1", inside: [-1], outside: [-2] },
  { range: "3-63", inside: [3, 63], outside: [2, 64] },
  { range: "-1-100", inside: [-1, 0, 100], outside: [-2, 101] },
  { range: "0.0-1.0", inside: [0.5], outside: [1.1] },
  { range: "36", inside: [36, 36n], outside: [35] },
  { range: "1,2,5", inside: [2, 5n], outside: [3] },
  { range: "0 - 10", inside: [10], outside: [11] },
];

for (const { range, inside, outside } of rows) {
  test(`${range} takes ${inside.join(", ")} and not ${outside.join(", ")}`, () => {
    const inRange = parseRange(range);
    assert.ok(inRange);
    assert.deepEqual(
      inside.map(inRange),
      inside.map(() => true),
    );
    assert.deepEqual(
      outside.map(inRange),
      outside.map(() => false),
    );
  });
}

for (const text of ["", "a", "<=", "1-", "5m-1h", "1,,2"]) {
  test(`${JSON.stringify(text)} is no range`, () => assert.equal(parseRange(text), null));
}
