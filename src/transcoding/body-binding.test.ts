import assert from "node:assert/strict";
import { test } from "node:test";
import { create, type JsonObject, type Message, toJson } from "@bufbuild/protobuf";
import fc from "fast-check";
import { StartOperationRequestSchema } from "../protocol/gen/belay/v1/operations_pb.ts";
import { AllKinds } from "../protocol/library-service.fixture.ts";
import { BODY_DEPTH_MAX, bindBody } from "./body-binding.ts";
import { findField } from "./field-path.ts";
import type { BodyRule } from "./http-rules.ts";

const all: BodyRule = { kind: "all" };
const bytes = (text: string): Uint8Array => Buffer.from(text);

function bound(text: string, rule: BodyRule = all): JsonObject {
  const message: Message = create(AllKinds);
  bindBody(AllKinds, message, rule, bytes(text));
  return toJson(AllKinds, message) as JsonObject;
}

test("an empty body, and {}, are an empty message", () => {
  assert.deepEqual(bound(""), {});
  assert.deepEqual(bound("{}"), {});
  assert.deepEqual(bound(' {"text" : null } \n'), {});
});

test("a body is ProtoJSON: camelCase and snake_case, strings for 64 bits, names or numbers of enums", () => {
  const text = `{"int32_value": 1, "int64Value": "9007199254740993", "color": 2, "inner": {"page_count": "3"},
    "labels": {"__proto__": "x"}, "duration": "1.5s", "struct": {"a": [null]}, "words": ["a"], "boxedInt": 0}`;
  assert.equal(
    JSON.stringify(bound(text)),
    JSON.stringify({
      int32Value: 1,
      int64Value: "9007199254740993",
      color: "DARK_BLUE",
      words: ["a"],
      inner: { pageCount: 3 },
      labels: JSON.parse('{"__proto__": "x"}') as JsonObject,
      duration: "1.500s",
      boxedInt: 0,
      struct: { a: [null] },
    }),
  );
});

const bad: readonly [body: string, field: string, problem: string | RegExp][] = [
  ["[]", "", "it is an array, not an object"],
  ['"x"', "", "it is a string, not an object"],
  ["null", "", "it is null, not an object"],
  ["1", "", "it is a number, not an object"],
  [" ", "", /nothing but white space/],
  ["{", "", /in JSON at position 1/],
  ["{}x", "", /after JSON at position 2/],
  ["{'a':1}", "", /in JSON at position 1/],
  ['{"text":"a"', "", /in JSON at position 11/],
  ['{"text":NaN}', "", /is not valid JSON/],
  ['{"text":"a","text":"b"}', "", 'the key "text" is given twice'],
  ['{"struct":{"a":1,"a":2}}', "", 'the key "a" is given twice'],
  [
    '{"struct":{"a":9007199254740993}}',
    "",
    "the integer 9007199254740993 is not exact in JSON; send it as a string",
  ],
  ['{"struct":{"a":1e400}}', "", "the number 1e400 is too large"],
  ['{"x":1}', "", 'Invalid JSON payload received. Unknown name "x": Cannot find field.'],
  [
    '{"__proto__":{"x":1}}',
    "",
    'Invalid JSON payload received. Unknown name "__proto__": Cannot find field.',
  ],
  ['{"constructor":1}', "", 'Invalid JSON payload received. Unknown name "constructor": Cannot find field.'],
  [
    '{"inner":{"x":1}}',
    "inner",
    `Invalid JSON payload received. Unknown name "x" at 'inner': Cannot find field.`,
  ],
  [
    '{"inner":{"inner":{"__proto__":1}}}',
    "inner.inner",
    `Invalid JSON payload received. Unknown name "__proto__" at 'inner.inner': Cannot find field.`,
  ],
  [
    '{"inners":[{},{"x":1}]}',
    "inners[1]",
    `Invalid JSON payload received. Unknown name "x" at 'inners[1]': Cannot find field.`,
  ],
  [
    '{"things":{"k":{"x":1}}}',
    'things["k"]',
    `Invalid JSON payload received. Unknown name "x" at 'things["k"]': Cannot find field.`,
  ],
  [
    '{"[library.v1.ext]":1}',
    "",
    'Invalid JSON payload received. Unknown name "[library.v1.ext]": Cannot find field.',
  ],
  ['{"flag":"true"}', "flag", /^Invalid value at 'flag': expected boolean/],
  ['{"int32Value":1.5}', "int32_value", /^Invalid value at 'int32_value': /],
  ['{"int32Value":2147483648}', "int32_value", /^Invalid value at 'int32_value': /],
  ['{"inner":{"pageCount":"x"}}', "inner.page_count", /^Invalid value at 'inner.page_count': /],
  ['{"inner":[]}', "inner", /^Invalid value at 'inner': /],
  ['{"inner":"x"}', "inner", /^Invalid value at 'inner': /],
  ['{"struct":[]}', "struct", /^Invalid value at 'struct': /],
  ['{"words":"a"}', "words", /^Invalid value at 'words': expected Array/],
  ['{"color":"GREEN"}', "color", /^Invalid value at 'color': /],
  ['{"bytesValue":"!"}', "bytes_value", /^Invalid value at 'bytes_value': /],
  ['{"duration":"5"}', "duration", "Invalid value at 'duration': is no duration, such as 1.5s"],
  ['{"duration":"5sx"}', "duration", "Invalid value at 'duration': is no duration, such as 1.5s"], // protobuf-es takes it
  ['{"duration":"1.0123456789s"}', "duration", "Invalid value at 'duration': is no duration, such as 1.5s"],
  ['{"inner":{"length":5}}', "inner.length", /^Invalid value at 'inner.length': /],
  [
    '{"durations":["1s","x"]}',
    "durations[1]",
    "Invalid value at 'durations[1]': is no duration, such as 1.5s",
  ],
  ['{"time":"2026-02-30T00:00:00Z"}', "time", "Invalid value at 'time': is no time that exists"],
  ['{"left":"a","right":1}', "", /^Invalid value: oneof set multiple times/],
  ['{"int32Value":1,"int32_value":1}', "", /^Invalid value: set multiple times/],
  ['{"any":{"@type":"x/acme.Unknown"}}', "any", /^Invalid value at 'any': /],
];
for (const [body, field, problem] of bad) {
  test(`${body} is INVALID_JSON`, () => {
    assert.throws(
      () => bound(body),
      (error: Error & Record<string, unknown>) => {
        assert.equal(error["reason"], "INVALID_JSON", String(error.stack));
        const { problem: told } = error["parameters"] as { problem: string };
        if (typeof problem === "string") assert.equal(told, problem);
        else assert.match(told, problem);
        assert.deepEqual(error["fieldViolations"], [{ field, description: told }]);
        return true;
      },
    );
  });
}

test("all unknown names are told, at most 16", () => {
  const violations = (text: string): string[] => {
    try {
      bound(text);
    } catch (error) {
      return (error as { fieldViolations: { description: string }[] }).fieldViolations.map(
        (one) => one.description,
      );
    }
    return [];
  };
  assert.equal(violations('{"a":1,"inner":{"b":1},"c":1}').length, 3);
  const many = Object.fromEntries(Array.from({ length: 100 }, (_, i) => [`k${i}`, 1]));
  assert.equal(violations(JSON.stringify(many)).length, 16);
});

test("bytes that are no UTF-8, and a byte-order mark, are INVALID_JSON", () => {
  for (const body of [Buffer.from([0x7b, 0xff, 0x7d]), Buffer.from("\ufeff{}")]) {
    assert.throws(() => bindBody(AllKinds, create(AllKinds), all, body), { reason: "INVALID_JSON" });
  }
});

test("depth: a payload of 100 levels passes, 101 and 500,000 are PAYLOAD_TOO_DEEP before anything is built", () => {
  const start = (depth: number): Message => {
    const payload = `${'{"a":'.repeat(depth - 1)}{"leaf":1}${"}".repeat(depth - 1)}`;
    const message = create(StartOperationRequestSchema);
    bindBody(StartOperationRequestSchema, message, all, bytes(`{"payload":${payload}}`));
    return message;
  };
  start(100);
  for (const depth of [101, 500_000]) {
    assert.throws(() => start(depth), {
      reason: "PAYLOAD_TOO_DEEP",
      message: "body is nested deeper than 100 levels",
    });
  }
  assert.equal(BODY_DEPTH_MAX, 101);
  assert.throws(() => bound("[".repeat(500_000)), { reason: "PAYLOAD_TOO_DEEP" });
});

test("a method without a body takes nothing, {} or white space", () => {
  const none: BodyRule = { kind: "none" };
  for (const body of ["", "{}", " { } \n", "\n"]) assert.deepEqual(bound(body, none), {});
  for (const body of ['{"text":"a"}', "[]", "x", "{".repeat(100), " ".repeat(100)]) {
    assert.throws(
      () => bound(body, none),
      { reason: "INVALID_JSON", message: /this method takes no body/ },
      body,
    );
  }
});

function fieldRule(name: string): BodyRule {
  return { kind: "field", field: findField(AllKinds, name)! };
}

test("a rule may take one field from the body: a message, a list, a scalar, a well-known type", () => {
  assert.deepEqual(bound('{"name":"x"}', fieldRule("inner")), { inner: { name: "x" } });
  assert.deepEqual(bound("", fieldRule("inner")), { inner: {} });
  assert.deepEqual(bound('["a","b"]', fieldRule("words")), { words: ["a", "b"] });
  assert.deepEqual(bound("", fieldRule("words")), {});
  assert.deepEqual(bound("5", fieldRule("int32_value")), { int32Value: 5 });
  assert.deepEqual(bound('"1.5s"', fieldRule("duration")), { duration: "1.500s" });
  assert.deepEqual(bound('{"a":1}', fieldRule("struct")), { struct: { a: 1 } });
  assert.deepEqual(bound('{"k":{"name":"x"}}', fieldRule("things")), { things: { k: { name: "x" } } });
});

test("the one field's body is checked like a whole one", () => {
  for (const [name, body] of [
    ["inner", "[]"],
    ["inner", "null"],
    ["inner", '"x"'],
    ["inner", '{"x":1}'],
    ["words", "{}"],
    ["words", "null"],
    ["struct", "[1]"],
    ["duration", '"5"'],
  ] as const) {
    assert.throws(() => bound(body, fieldRule(name)), { reason: "INVALID_JSON" }, `${name} ${body}`);
  }
});

test("no body pollutes a prototype", () => {
  bound(
    '{"struct":{"__proto__":{"polluted":1}},"labels":{"__proto__":"polluted"},"things":{"__proto__":{}}}',
  );
  assert.equal(({} as { polluted?: unknown }).polluted, undefined);
});

test("whatever the text: a message, or one of two reasons", () => {
  const text = fc.oneof(
    fc.json({ maxDepth: 4 }),
    fc.string(),
    fc.stringMatching(/^[{}[\]",:a0-9 ]{0,30}$/),
    fc
      .dictionary(fc.constantFrom(...AllKinds.fields.map((field) => field.name), "x"), fc.jsonValue())
      .map((o) => JSON.stringify(o)),
  );
  fc.assert(
    fc.property(text, (one) => {
      try {
        bound(one);
      } catch (error) {
        assert.match(String((error as { reason?: string }).reason), /^(INVALID_JSON|PAYLOAD_TOO_DEEP)$/, one);
      }
    }),
    { numRuns: 3000 },
  );
});
