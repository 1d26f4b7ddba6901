import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { findJsonTextDefect, jsonTextDepthExceeds } from "./json-text.ts";

function depthOf(value: unknown): number {
  if (typeof value !== "object" || value === null) return 0;
  return 1 + Math.max(0, ...Object.values(value).map(depthOf));
}

test("jsonTextDepthExceeds counts as a walk over the parsed value does", () => {
  fc.assert(
    fc.property(fc.json({ maxDepth: 8 }), (text) => {
      const depth = depthOf(JSON.parse(text));
      assert.equal(jsonTextDepthExceeds(text, depth), false);
      if (depth > 0) assert.equal(jsonTextDepthExceeds(text, depth - 1), true);
    }),
  );
});

test("jsonTextDepthExceeds: 100 pass, 101 do not, 500,000 are found at once, malformed or not", () => {
  const nested = (depth: number): string => `${'{"a":'.repeat(depth - 1)}{}${"}".repeat(depth - 1)}`;
  assert.equal(jsonTextDepthExceeds(nested(100), 100), false);
  assert.equal(jsonTextDepthExceeds(nested(101), 100), true);
  assert.equal(jsonTextDepthExceeds(nested(500_000), 100), true);
  assert.equal(jsonTextDepthExceeds("[".repeat(500_000), 100), true);
  assert.equal(jsonTextDepthExceeds("[],".repeat(300_000), 1), false);
});

test("jsonTextDepthExceeds ignores brackets in strings, also after escapes", () => {
  for (const text of ['"[[["', '{"[{":"]}\\"[["}', '"\\\\"', '"[', '"\\']) {
    assert.equal(jsonTextDepthExceeds(text, 1), false, text);
  }
  assert.equal(jsonTextDepthExceeds('["\\\\",[]]', 1), true);
});

test("findJsonTextDefect passes what JSON.stringify writes", () => {
  fc.assert(
    fc.property(fc.jsonValue({ maxDepth: 6 }), (value) => {
      const text = JSON.stringify(value);
      // Integers above 2^53 come out exactly, in digits or with an exponent.
      assert.equal(findJsonTextDefect(text), null, text);
      assert.equal(findJsonTextDefect(JSON.stringify(value, null, 2)), null);
    }),
  );
});

test("findJsonTextDefect passes integers above 2^53 as JavaScript prints them", () => {
  fc.assert(
    fc.property(fc.double({ min: 2 ** 53, max: 1e22, noNaN: true }), (value) => {
      assert.equal(findJsonTextDefect(JSON.stringify([value, -value])), null);
    }),
    { numRuns: 500 },
  );
});

const defects: readonly [string, string][] = [
  ['{"a":1,"a":1}', 'the key "a" is given twice'],
  ['{"a":1,"\\u0061":2}', 'the key "a" is given twice'],
  ['[{"b":{"x":[],"y":{},"x":0}}]', 'the key "x" is given twice'],
  ['{"__proto__":1,"__proto__":2}', 'the key "__proto__" is given twice'],
  ["[1e400]", "the number 1e400 is too large"],
  ['{"a":-1e999}', "the number -1e999 is too large"],
  ["9007199254740993", "the integer 9007199254740993 is not exact in JSON; send it as a string"],
  ["[-9007199254740993]", "the integer -9007199254740993 is not exact in JSON; send it as a string"],
];
for (const [text, expected] of defects) {
  test(`findJsonTextDefect finds it in ${text}`, () => assert.equal(findJsonTextDefect(text), expected));
}

test("findJsonTextDefect passes the same key in different objects, exact large integers, and keys as values", () => {
  for (const text of [
    '{"a":{"a":[{"a":1},{"a":2}]},"b":"a"}',
    '["a","a"]',
    "[9007199254740992,18014398509481984,1152921504606846976,1e22,0.1,1E5,-0,1.7976931348623157e308]",
    '{"a":"9007199254740993"}',
  ]) {
    assert.equal(findJsonTextDefect(text), null, text);
  }
});

test("findJsonTextDefect: an integer of a million digits is refused fast", () => {
  assert.match(findJsonTextDefect("9".repeat(1_000_000)) ?? "", /too large/);
});
