import assert from "node:assert/strict";
import { test } from "node:test";
import { readTemplate, singular, wildcardNames } from "./template-segments.ts";

// template -> the names of its wildcards
const rows: readonly (readonly [string, readonly string[]])[] = [
  ["/v1/operations", []],
  ["/v1/{name=operations/**}:cancel", ["operation"]],
  ["/v1beta1/{name=projects/*/locations/*}/operations", ["project", "location"]],
  ["/v1/matters/{matter_id}:count", ["matterId"]],
  ["/v1/{name=*/*/*/*/operations/*}", ["collection", "id", "collection2", "id2", "operation"]],
  // Two variables of the same collection.
  ["/v1/{a=books/*}/{b=books/*}", ["book", "book2"]],
  ["/v1/{book.name=shelves/*/books/*}", ["shelve", "book"]],
];

for (const [template, names] of rows) {
  test(`${template} has the wildcards ${names.join(", ") || "of none"}`, () => {
    assert.deepEqual(
      wildcardNames(readTemplate(template)).filter((name) => name !== null),
      names,
    );
  });
}

test("a template is taken apart into segments, variables and verb", () => {
  assert.deepEqual(readTemplate("/v1/{name=operations/*}:wait"), {
    segments: [
      { text: "v1", field: null },
      { text: "operations", field: "name" },
      { text: "*", field: "name" },
    ],
    variables: [{ field: "name", pattern: "operations/*" }],
    verb: "wait",
  });
});

test("words of collections become singular", () => {
  assert.deepEqual(["operations", "categories", "addresses", "boxes", "access"].map(singular), [
    "operation",
    "category",
    "address",
    "box",
    "access",
  ]);
});
