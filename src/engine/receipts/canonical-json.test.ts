import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { type CanonicalValue, canonicalText } from "./canonical-json.ts";

test("members are sorted by UTF-16 code units, as in the example of RFC 8785", () => {
  const value = { "€": 1, "\r": 2, "\ufb33": 3, "1": 4, "😀": 5, "\u0080": 6, ö: 7 };
  const names = [...canonicalText(value).matchAll(/:(\d)/g)].map(([, digit]) => Number(digit));
  assert.deepEqual(names, [2, 4, 6, 7, 1, 5, 3]);
});

const rows: readonly [value: CanonicalValue, text: string][] = [
  [{ b: 1, a: [true, null, "x"] }, '{"a":[true,null,"x"],"b":1}'],
  [{ a: undefined, b: {} }, '{"b":{}}'],
  [[333333333.3333333, 1e30, 4.5, 2e-3, 1e-27, -0], "[333333333.3333333,1e+30,4.5,0.002,1e-27,0]"],
  ['€$\u000f\nA\'B"\\"', '"€$\\u000f\\nA\'B\\"\\\\\\""'],
  ["\ud800 alone", '"\ufffd alone"'],
];
for (const [value, text] of rows) test(`canonical: ${text}`, () => assert.equal(canonicalText(value), text));

test("what is no number of JSON is refused", () => {
  for (const value of [Number.NaN, Number.POSITIVE_INFINITY])
    assert.throws(() => canonicalText([value]), TypeError);
});

test("reading a canonical text and writing it again changes nothing", () => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      const text = canonicalText(value as CanonicalValue);
      assert.equal(canonicalText(JSON.parse(text)), text);
    }),
  );
});
