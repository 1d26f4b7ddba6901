import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  formatOperationName,
  isOperationId,
  isOperationParent,
  listParentOf,
  operationNameOf,
  parseOperationName,
} from "./operation-name.ts";

const id = fc.stringMatching(/^[a-z0-9-]{1,63}$/);
const segment = fc.stringMatching(/^[a-zA-Z0-9._~-]{1,63}$/).filter((s) => s !== "." && s !== "..");
const pair = fc
  .tuple(
    segment.filter((s) => s !== "operations"),
    segment,
  )
  .map((p) => p.join("/"));
const parent = fc.array(pair, { maxLength: 3 }).map((pairs) => pairs.join("/"));

test("parse and format are inverse", () => {
  fc.assert(
    fc.property(parent, id, (parent, id) => {
      const name = formatOperationName({ parent, id });
      assert.deepEqual(parseOperationName(name), { parent, id });
      assert.equal(listParentOf(parent), parent);
      assert.equal(listParentOf(parent === "" ? "operations" : `${parent}/operations`), parent);
    }),
  );
});

test("a parsed name formats back to itself, whatever the text", () => {
  const text = fc.stringMatching(/^[a-z./]{0,12}(operations\/)?[a-z/]{0,6}$/);
  fc.assert(
    fc.property(text, (name) => {
      const parsed = parseOperationName(name);
      if (parsed) assert.equal(formatOperationName(parsed), name);
    }),
  );
});

const good: readonly [string, string, string][] = [
  ["operations/a", "", "a"],
  ["operations/opr0mh1k2j3c4v5b6n7q8", "", "opr0mh1k2j3c4v5b6n7q8"],
  ["operations/operations", "", "operations"],
  ["projects/p/operations/x-1", "projects/p", "x-1"],
  ["projects/operations/operations/x", "projects/operations", "x"], // an id in the parent may have that name
  ["a/b/c/d/e/f/operations/x", "a/b/c/d/e/f", "x"],
  ["Projects/P_1.~-/operations/x", "Projects/P_1.~-", "x"],
];
for (const [name, parent, id] of good) {
  test(`${name} is a name`, () => assert.deepEqual(operationNameOf(name), { parent, id }));
}

const bad = [
  "",
  "operations",
  "operations/",
  "/operations/a",
  "operations/a/",
  "operations/A",
  "operations/a_b",
  "operations/a:cancel",
  "operations/a%2Fb",
  "operations/a b",
  "operations/\u0000",
  "operations/é",
  `operations/${"a".repeat(64)}`,
  "projects/operations/a", // a parent of one segment
  "operations/a/operations/b", // an operation is no parent
  "projects/p/operations",
  "projects//operations/a",
  "projects/./operations/a",
  "projects/p q/operations/a",
  "projects/p%20q/operations/a",
  "projects/é/operations/a",
  "projects/../operations/a",
  `projects/${"p".repeat(64)}/operations/a`,
  "a/b/c/d/e/f/g/h/operations/x",
  "projects/p/Operations/a",
  "x".repeat(1_000_000),
];
for (const name of bad) {
  test(`${JSON.stringify(name.slice(0, 60))} is no name`, () => {
    assert.equal(parseOperationName(name), null);
    assert.throws(() => operationNameOf(name), { reason: "INVALID_NAME" });
  });
}

test("ids and parents one by one", () => {
  assert.ok(isOperationId("a".repeat(63)));
  assert.ok(!isOperationId(""));
  assert.ok(isOperationParent(""));
  assert.ok(isOperationParent("projects/p"));
  assert.ok(!isOperationParent("projects"));
  assert.ok(!isOperationParent("operations/x"));
  assert.ok(!isOperationParent("p/".repeat(300)));
});

test("list names that mean no parent are INVALID_NAME", () => {
  for (const name of [
    "operations/x",
    "projects",
    "projects/operations/x",
    "/operations",
    "operations/",
    "projects/p/",
  ]) {
    assert.throws(() => listParentOf(name), { reason: "INVALID_NAME" }, name);
  }
});

test("an error shows at most 512 characters of a name", () => {
  assert.throws(
    () => operationNameOf("x".repeat(5000)),
    (error: Error) => error.message.length < 700,
  );
});

test("an error shows the form of the names where the service's operations live", () => {
  for (const [parents, form] of [
    [undefined, "[{parent}/]operations"],
    [["**"], "[{parent}/]operations"],
    [[""], "operations"],
    [["projects/*/locations/*"], "projects/*/locations/*/operations"],
    [["", "projects/*"], "operations or projects/*/operations"],
  ] as const) {
    const id = form.replaceAll("operations", "operations/{id}");
    assert.throws(() => operationNameOf("A!", parents), {
      message: `operation name A! is not of the form ${id}`,
      fieldViolations: [{ field: "name", description: `is not of the form ${id}` }],
    });
    assert.throws(() => listParentOf("A!", parents), {
      message: `operation name A! is not of the form ${form}`,
    });
  }
});
