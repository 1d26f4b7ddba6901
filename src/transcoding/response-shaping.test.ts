import assert from "node:assert/strict";
import { test } from "node:test";
import { AllKinds, libraryMethod } from "../protocol/library-service.fixture.ts";
import { parseFieldsMask } from "./fields-mask.ts";
import { declaredBindings, type HttpBinding } from "./http-rules.ts";
import { shapeResponse } from "./response-shaping.ts";
import { defaultSystemParameters, type SystemParameters } from "./system-parameters.ts";

function binding(responseBody = ""): HttpBinding {
  return declaredBindings(libraryMethod("unbound"), [{ post: "/v1/x", responseBody }])[0]!;
}

function shaped(json: unknown, system: Partial<SystemParameters>, responseBody = ""): string {
  return shapeResponse(JSON.stringify(json), AllKinds, binding(responseBody), {
    ...defaultSystemParameters,
    ...system,
  });
}

test("a reply that nothing was asked of passes as it is, byte by byte", () => {
  const text = '{"b":1 , "a":1.0}';
  assert.equal(shapeResponse(text, AllKinds, binding(), defaultSystemParameters), text);
});

test("prettyPrint indents by two", () => {
  assert.equal(shaped({ a: [1] }, { prettyPrint: true }), '{\n  "a": [\n    1\n  ]\n}');
});

test("fields keeps what is named", () => {
  const parsed = parseFieldsMask("inner/name");
  assert.ok("value" in parsed);
  assert.equal(
    shaped({ inner: { name: "a", pageCount: 1 }, text: "x" }, { fields: parsed.value }),
    '{"inner":{"name":"a"}}',
  );
});

test("enum-encoding=int gives enums as numbers, in messages, lists and maps, and touches nothing else", () => {
  const json = {
    text: "RED",
    color: "DARK_BLUE",
    colors: ["RED", 7],
    inner: { color: "RED", inner: { color: "RED" } },
    inners: [{ color: "RED" }],
    things: { RED: { color: "RED" } },
    labels: { color: "RED" },
    struct: { color: "RED" },
    any: { "@type": "x/library.v1.Inner", color: "RED" },
  };
  assert.deepEqual(JSON.parse(shaped(json, { enumsAsIntegers: true })), {
    ...json,
    color: 2,
    colors: [1, 7],
    inner: { color: 1, inner: { color: 1 } },
    inners: [{ color: 1 }],
    things: { RED: { color: 1 } },
  });
});

test("response_body sends one field; an absent one is its default", () => {
  assert.equal(shaped({ inner: { name: "a" }, text: "x" }, {}, "inner"), '{"name":"a"}');
  for (const [field, expected] of [
    ["inner", "{}"],
    ["labels", "{}"],
    ["words", "[]"],
    ["text", '""'],
    ["bytes_value", '""'],
    ["flag", "false"],
    ["int32_value", "0"],
    ["double_value", "0"],
    ["fixed32_value", "0"],
    ["int64_value", '"0"'],
    ["color", '"COLOR_UNSPECIFIED"'],
  ] as const) {
    assert.equal(shaped({}, {}, field), expected, field);
  }
});

test("response_body, enums and fields together", () => {
  const parsed = parseFieldsMask("color");
  assert.ok("value" in parsed);
  const system = { enumsAsIntegers: true, fields: parsed.value };
  assert.equal(shaped({ inner: { name: "a", color: "RED" } }, system, "inner"), '{"color":1}');
});

test("an own __proto__ key in a reply survives shaping", () => {
  const text = '{"struct":{"__proto__":{"x":1}}}';
  assert.equal(
    shapeResponse(text, AllKinds, binding(), { ...defaultSystemParameters, enumsAsIntegers: true }),
    text,
  );
});
