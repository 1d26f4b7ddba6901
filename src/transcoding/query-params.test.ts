import assert from "node:assert/strict";
import { test } from "node:test";
import { create, type JsonObject, type Message, toJson } from "@bufbuild/protobuf";
import fc from "fast-check";
import { AllKinds } from "../protocol/library-service.fixture.ts";
import { findField, resolveFieldPath } from "./field-path.ts";
import { type BoundElsewhere, bindQuery, parseQuery } from "./query-params.ts";

const nothing: BoundElsewhere = { variables: [], body: { kind: "none" } };

function bound(query: string, elsewhere: BoundElsewhere = nothing): JsonObject {
  const message: Message = create(AllKinds);
  bindQuery(AllKinds, message, parseQuery(query), elsewhere);
  return toJson(AllKinds, message) as JsonObject;
}

test("parseQuery takes a query apart", () => {
  assert.deepEqual(parseQuery("a=1&b=x+y%20z&c&=d&&e=f=g&%24alt=json"), [
    { name: "a", value: "1" },
    { name: "b", value: "x y z" },
    { name: "c", value: "" },
    { name: "", value: "d" },
    { name: "e", value: "f=g" },
    { name: "$alt", value: "json" },
  ]);
  assert.deepEqual(parseQuery(""), []);
});

test("parseQuery reads what URLSearchParams writes", () => {
  const text = fc.string({ unit: "grapheme" }).filter((s) => s.isWellFormed());
  fc.assert(
    fc.property(fc.array(fc.tuple(text, text)), (pairs) => {
      const query = new URLSearchParams(pairs).toString();
      assert.deepEqual(
        parseQuery(query),
        pairs.map(([name, value]) => ({ name, value })),
      );
    }),
  );
});

test("broken escapes and raw characters in a query are INVALID_QUERY_PARAMETER", () => {
  for (const query of ["a=%", "a=%zz", "a=%FF", "%C3=1", "a=é", "a= ", "a=\u0000", "a=\u007f"]) {
    assert.throws(() => parseQuery(query), { reason: "INVALID_QUERY_PARAMETER" }, query);
  }
});

const good: readonly [string, JsonObject][] = [
  ["text=a+b%2Fc", { text: "a b/c" }],
  ["flag=true", { flag: true }],
  ["int32Value=-5&uint32_value=7", { int32Value: -5, uint32Value: 7 }],
  ["int64Value=9007199254740993", { int64Value: "9007199254740993" }],
  [
    "uint64Value=18446744073709551615&sint64Value=-1&fixed32Value=1",
    { uint64Value: "18446744073709551615", sint64Value: "-1", fixed32Value: 1 },
  ],
  ["floatValue=0.5&doubleValue=NaN", { floatValue: 0.5, doubleValue: "NaN" }],
  ["bytesValue=-_8", { bytesValue: "+/8=" }],
  ["color=RED", { color: "RED" }],
  ["color=2", { color: "DARK_BLUE" }],
  ["numbers=1&numbers=2&words=a&words=&words=a", { numbers: [1, 2], words: ["a", "", "a"] }],
  ["colors=RED&colors=2", { colors: ["RED", "DARK_BLUE"] }],
  ["inner.name=a&inner.pageCount=3", { inner: { name: "a", pageCount: 3 } }],
  [
    "inner.inner.inner.name=deep&inner.color=RED",
    { inner: { inner: { inner: { name: "deep" } }, color: "RED" } },
  ],
  ["time=2026-01-31T12:00:00%2B01:00", { time: "2026-01-31T11:00:00Z" }],
  ["duration=1.5s&inner.length=-2s", { duration: "1.500s", inner: { length: "-2s" } }],
  ["mask=inner.pageCount,text", { mask: "inner.pageCount,text" }],
  ["mask=inner.page_count", { mask: "inner.pageCount" }],
  [
    "boxedInt=0&boxedFlag=false&boxedText=&boxedLong=5&boxedBytes=AQ&boxed=1.5",
    { boxedInt: 0, boxedFlag: false, boxedText: "", boxedLong: "5", boxedBytes: "AQ==", boxed: 1.5 },
  ],
  ["left=x", { left: "x" }],
  ["right=0", { right: 0 }],
  ["maybe=0", { maybe: 0 }],
  ["fields=x", { fields: "x" }],
];
for (const [query, json] of good) {
  test(`${query} -> ${JSON.stringify(json)}`, () => assert.deepEqual(bound(query), json));
}

const bad: readonly [string, string, string][] = [
  ["nope=1", "nope", "is unknown"],
  ["__proto__=1", "__proto__", "is unknown"],
  ["constructor.name=1", "constructor.name", "is unknown"],
  ["inner.nope=1", "inner.nope", "is unknown"],
  ["inner.=1", "inner.", "is unknown"],
  ["text.x=1", "text.x", "is unknown"],
  ["inners.name=1", "inners.name", "is unknown"],
  ["things.a.name=1", "things.a.name", "is unknown"],
  ["time.seconds=1", "time.seconds", "is unknown"],
  ["Text=1", "Text", "is unknown"],
  [`${"x".repeat(500)}=1`, `${"x".repeat(63)}…`, "is unknown"],
  ["flag=1", "flag", "is neither true nor false"],
  ["int32Value=2147483648", "int32Value", "is out of the range of int32"],
  ["numbers=1&numbers=x", "numbers", "is no int32"],
  ["numbers=1,2", "numbers", "is no int32"],
  ["color=GREEN", "color", "is none of COLOR_UNSPECIFIED, RED, DARK_BLUE"],
  ["bytesValue=a", "bytesValue", "is no base64"],
  ["text=a&text=b", "text", "is given more than once"],
  ["int32Value=1&int32_value=2", "int32_value", "is given more than once"],
  ["left=a&right=1", "right", "is one of choice, of which another is given"],
  ["inner=1", "inner", "is a message of type library.v1.Inner; name one of its fields"],
  ["inners=1", "inners", "is a list of messages, which has no form in a query"],
  ["durations=1s", "durations", "is a list of messages, which has no form in a query"],
  ["labels=a", "labels", "is a map, which has no form in a query"],
  ["struct=%7B%7D", "struct", "is a google.protobuf.Struct, which has no form in a query"],
  ["any=x", "any", "is a google.protobuf.Any, which has no form in a query"],
  ["time=now", "time", "is no RFC 3339 time, such as 2026-01-31T12:00:00Z"],
  ["duration=5", "duration", "is no duration, such as 1.5s"],
  ["mask=a..b", "mask", "is no field mask, such as name,cancelPolicy.grace"],
  ["boxedInt=x", "boxedInt", "is no int32"],
];
for (const [query, parameter, problem] of bad) {
  test(`${query.slice(0, 60)} is INVALID_QUERY_PARAMETER: ${problem}`, () => {
    assert.throws(() => bound(query), {
      reason: "INVALID_QUERY_PARAMETER",
      parameters: { parameter, problem },
      fieldViolations: [{ field: parameter, description: problem }],
    });
  });
}

test("fields that the path or the body binds are refused, those beside them are not", () => {
  const variables = [resolveFieldPath(AllKinds, "inner.name")!, resolveFieldPath(AllKinds, "text")!];
  const elsewhere: BoundElsewhere = {
    variables,
    body: { kind: "field", field: findField(AllKinds, "words")! },
  };
  assert.deepEqual(bound("inner.pageCount=1&numbers=2", elsewhere), {
    inner: { pageCount: 1 },
    numbers: [2],
  });
  for (const [query, problem] of [
    ["text=a", "is bound by the path"],
    ["inner.name=a", "is bound by the path"],
    ["words=a", "is bound by the body"],
  ] as const) {
    assert.throws(() => bound(query, elsewhere), {
      reason: "INVALID_QUERY_PARAMETER",
      message: new RegExp(problem),
    });
  }
});

test("a body of * leaves nothing to the query", () => {
  assert.throws(() => bound("text=a", { variables: [], body: { kind: "all" } }), {
    reason: "INVALID_QUERY_PARAMETER",
    message: "query parameter text: is unknown: this method takes its fields in the body",
  });
});

test("nothing in a query pollutes a prototype", () => {
  for (const name of [
    "__proto__.polluted",
    "constructor.prototype.polluted",
    "labels.__proto__",
    "inner.__proto__.x",
  ]) {
    assert.throws(() => bound(`${name}=1`), { reason: "INVALID_QUERY_PARAMETER" });
  }
  assert.equal(({} as { polluted?: unknown }).polluted, undefined);
});
