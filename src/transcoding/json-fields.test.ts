// The bodies of body-binding.test.ts go through here too; these are the corners.
import assert from "node:assert/strict";
import { test } from "node:test";
import { fromJson, type JsonObject } from "@bufbuild/protobuf";
import { AllKinds } from "../protocol/library-service.fixture.ts";
import { baseTypeRegistry as registry } from "../protocol/type-registry.ts";
import { findFieldViolations, locateJsonError } from "./json-fields.ts";

function located(json: JsonObject): string {
  try {
    fromJson(AllKinds, json, { registry });
  } catch (error) {
    const { field, description } = locateJsonError(AllKinds, json, error, registry);
    return `${field} | ${description}`;
  }
  return "fine";
}

test("locateJsonError names the path to the first refused field", () => {
  assert.match(
    located({ nested: { nested: { flag: 1 } } }),
    /^nested.nested.flag \| Invalid value at 'nested.nested.flag': /,
  );
  assert.match(located({ text: "a", nested: { text: "b", int32Value: "x" } }), /^nested.int32_value \|/);
});

test("locateJsonError says it of the message when only two fields together are refused", () => {
  assert.match(located({ left: "a", right: 1 }), /^ \| Invalid value: oneof set multiple times/);
  assert.match(
    located({ nested: { left: "a", right: 1 } }),
    /^nested \| Invalid value at 'nested': oneof set/,
  );
});

test("a reason is cut at 200 characters, an unknown name at 64", () => {
  assert.ok(located({ int32Value: "9".repeat(5000) }).length < 300);
  const [violation] = findFieldViolations(AllKinds, { ["x".repeat(5000)]: 1 });
  assert.ok((violation?.description ?? "").length < 200);
});

test("findFieldViolations leaves values of the wrong shape to the reader", () => {
  const json = {
    inner: [1],
    inners: {},
    things: [],
    time: 5,
    duration: null,
    labels: "x",
    struct: { x: 1 },
    any: { y: 1 },
  };
  assert.deepEqual(findFieldViolations(AllKinds, json), []);
});

test("findFieldViolations stops at 16, in objects and in values", () => {
  const bad = Object.fromEntries(Array.from({ length: 40 }, (_, i) => [`k${i}`, { length: "x" }]));
  assert.equal(findFieldViolations(AllKinds, { things: bad }).length, 16);
  assert.equal(findFieldViolations(AllKinds, bad).length, 16);
});
