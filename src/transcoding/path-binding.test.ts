import assert from "node:assert/strict";
import { test } from "node:test";
import { fromJson, type JsonObject, type Message, toJson } from "@bufbuild/protobuf";
import { AllKinds } from "../protocol/library-service.fixture.ts";
import { resolveFieldPath } from "./field-path.ts";
import { bindPath } from "./path-binding.ts";

function bound(variables: Record<string, string>, body: JsonObject = {}): JsonObject {
  const message: Message = fromJson(AllKinds, body);
  const paths = Object.keys(variables).map((name) => resolveFieldPath(AllKinds, name)!);
  bindPath(AllKinds, message, paths, Object.values(variables));
  return toJson(AllKinds, message) as JsonObject;
}

test("variables are typed by their fields, nested ones too", () => {
  assert.deepEqual(
    bound({
      text: "a/b",
      int32_value: "-5",
      flag: "true",
      color: "RED",
      "inner.inner.name": "x",
      int64_value: "7",
    }),
    {
      text: "a/b",
      flag: true,
      int32Value: -5,
      int64Value: "7",
      color: "RED",
      inner: { inner: { name: "x" } },
    },
  );
});

test("a oneof member can stand in the path", () => {
  assert.deepEqual(bound({ left: "x" }), { left: "x" });
  assert.deepEqual(bound({ right: "0" }), { right: 0 });
  assert.throws(() => bound({ left: "x" }, { right: 1 }), { reason: "INVALID_FIELD" });
});

test("a value that is not of its field's type is INVALID_PATH", () => {
  for (const [name, text, problem] of [
    ["int32_value", "x", "int32_value is no int32"],
    ["color", "GREEN", "color is none of COLOR_UNSPECIFIED, RED, DARK_BLUE"],
    ["flag", "1", "flag is neither true nor false"],
  ] as const) {
    assert.throws(() => bound({ [name]: text }), { reason: "INVALID_PATH", parameters: { problem } });
  }
});

test("the body may repeat a variable's field with the same value", () => {
  assert.deepEqual(bound({ text: "a" }, { text: "a", flag: true }), { text: "a", flag: true });
  assert.deepEqual(bound({ int32_value: "5" }, { int32_value: "5" }), { int32Value: 5 });
  assert.deepEqual(bound({ bytes_value: "AQI" }, { bytesValue: "AQI=" }), { bytesValue: "AQI=" });
  assert.deepEqual(bound({ "inner.name": "a" }, { inner: { name: "a", pageCount: 1 } }), {
    inner: { name: "a", pageCount: 1 },
  });
  assert.deepEqual(bound({ "inner.name": "a" }, { inner: { pageCount: 1 } }), {
    inner: { name: "a", pageCount: 1 },
  });
  assert.deepEqual(bound({ "inner.name": "a" }, { inner: null }), { inner: { name: "a" } });
});

test("null, and the default of a field without presence, leave it to the path", () => {
  for (const [variables, body, whole] of [
    [{ text: "a" }, { text: "" }, { text: "a" }],
    [{ text: "a" }, { text: null }, { text: "a" }],
    [{ int32_value: "5" }, { int32Value: 0 }, { int32Value: 5 }],
    [{ bytes_value: "AQI" }, { bytesValue: "" }, { bytesValue: "AQI=" }],
    [{ "inner.name": "a" }, { inner: { name: "" } }, { inner: { name: "a" } }],
    [{ "inner.name": "a" }, { inner: { name: null } }, { inner: { name: "a" } }],
    [{ left: "a" }, { left: null }, { left: "a" }],
  ] as const) {
    assert.deepEqual(bound(variables as Record<string, string>, body), whole);
  }
});

test("another value in the body is INVALID_FIELD", () => {
  for (const [variables, body, field] of [
    [{ text: "a" }, { text: "b" }, "text"],
    [{ left: "a" }, { left: "" }, "left"],
    [{ int32_value: "5" }, { int32Value: 6 }, "int32_value"],
    [{ bytes_value: "AQI" }, { bytesValue: "AQ==" }, "bytes_value"],
    [{ "inner.name": "a" }, { inner: { name: "b" } }, "inner.name"],
  ] as const) {
    assert.throws(() => bound(variables as Record<string, string>, body), {
      reason: "INVALID_FIELD",
      message: `${field}: is another in the body than in the path`,
    });
  }
});
