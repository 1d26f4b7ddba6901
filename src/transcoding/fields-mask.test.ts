import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { JsonValue } from "../protocol/worker-connection.ts";
import { applyFieldsMask, parseFieldsMask } from "./fields-mask.ts";

function masked(json: JsonValue, mask: string): JsonValue {
  const parsed = parseFieldsMask(mask);
  assert.ok("value" in parsed, mask);
  return applyFieldsMask(json, parsed.value);
}

const operation = {
  name: "operations/a",
  done: true,
  error: { code: 1, message: "m", details: [{ "@type": "t", reason: "R" }] },
  createTime: "t",
};
const page = { operations: [operation, { name: "operations/b" }], nextPageToken: "t" };

const cases: readonly [string, JsonValue, JsonValue][] = [
  ["name", operation, { name: "operations/a" }],
  ["name,done", operation, { name: "operations/a", done: true }],
  ["done,name", operation, { name: "operations/a", done: true }], // the reply's order
  ["error/code", operation, { error: { code: 1 } }],
  ["error.code", operation, { error: { code: 1 } }],
  ["error(code,message)", operation, { error: { code: 1, message: "m" } }],
  ["error/code,error/message", operation, { error: { code: 1, message: "m" } }],
  ["error,error/code", operation, { error: operation.error }], // the whole wins
  ["error/code,error", operation, { error: operation.error }],
  ["error/details/reason", operation, { error: { details: [{ reason: "R" }] } }],
  ["error/details(@type)", operation, { error: { details: [{ "@type": "t" }] } }],
  ["create_time", operation, { createTime: "t" }],
  ["createTime", operation, { createTime: "t" }],
  ["nope", operation, {}],
  ["*", operation, operation],
  ["*/code", operation, { name: "operations/a", done: true, error: { code: 1 }, createTime: "t" }],
  ["error/*", operation, { error: operation.error }],
  ["operations/name", page, { operations: [{ name: "operations/a" }, { name: "operations/b" }] }],
  [
    "operations(name,error(code)),nextPageToken",
    page,
    {
      operations: [{ name: "operations/a", error: { code: 1 } }, { name: "operations/b" }],
      nextPageToken: "t",
    },
  ],
  [
    "__proto__",
    JSON.parse('{"__proto__":{"x":1},"a":1}') as JsonValue,
    JSON.parse('{"__proto__":{"x":1}}') as JsonValue,
  ],
];
for (const [mask, json, expected] of cases) {
  test(`fields=${mask}`, () => assert.equal(JSON.stringify(masked(json, mask)), JSON.stringify(expected)));
}

const bad = [
  "",
  ",",
  "a,",
  ",a",
  "a/",
  "/a",
  "a(",
  "a()",
  "a)",
  "(a)",
  "a(b",
  "a b",
  "a(b)c",
  "a(b)/c",
  "a//b",
  "é",
  "a:b",
  "**",
  "a".repeat(1025),
  `${"a/".repeat(16)}a`,
  "a(".repeat(500),
];
for (const mask of bad) {
  test(`fields=${JSON.stringify(mask.slice(0, 20))} is refused`, () =>
    assert.ok("problem" in parseFieldsMask(mask)));
}

test("16 levels are taken", () => assert.ok("value" in parseFieldsMask(`${"a/".repeat(15)}a`)));

test("a mask only ever takes away", () => {
  const mask = fc.stringMatching(/^[ab](\/[ab*]|\([ab],[ab]\))?(,[ab])?$/);
  const json = fc.jsonValue({ maxDepth: 4 });
  fc.assert(
    fc.property(mask, json, (text, value) => {
      assert.deepEqual(masked(value as JsonValue, "*"), value);
      assert.ok(JSON.stringify(masked(value as JsonValue, text)).length <= JSON.stringify(value).length);
    }),
  );
});
