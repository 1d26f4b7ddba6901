import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { canonicalJson, jsonDigest } from "./canonical-json.ts";
import type { JsonObject, JsonValue } from "./worker-connection.ts";

/** The same value with every object's keys the other way round. */
function reversed(value: JsonValue): JsonValue {
  if (Array.isArray(value)) return value.map(reversed);
  if (value === null || typeof value !== "object") return value;
  const entries = Object.entries(value).map(([key, child]): [string, JsonValue] => [key, reversed(child)]);
  return Object.fromEntries(entries.toReversed());
}

test("the order of keys makes no difference, and the text is the same JSON", () => {
  fc.assert(
    fc.property(fc.jsonValue({ noUnicodeString: false }), (any) => {
      // -0 is 0 in JSON, and an own __proto__ would not survive the test's own copying.
      const value = JSON.parse(JSON.stringify(any).replaceAll("__proto__", "proto")) as JsonValue;
      assert.equal(canonicalJson(reversed(value)), canonicalJson(value));
      assert.deepEqual(JSON.parse(canonicalJson(value)), value);
    }),
  );
});

test("different values have different digests", () => {
  const values: JsonObject[] = [{}, { a: 1 }, { a: "1" }, { a: [1] }, { a: null }, { b: 1 }];
  assert.equal(new Set(values.map(jsonDigest)).size, values.length);
});
