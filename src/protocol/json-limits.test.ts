import assert from "node:assert/strict";
import { test } from "node:test";
import vm from "node:vm";
import { checkJsonLimits, payloadLimits } from "./json-limits.ts";

const check = (value: unknown): void => checkJsonLimits(value, "payload", payloadLimits);

function nested(depth: number, wrap: (inner: unknown) => unknown): unknown {
  let value: unknown = wrap(1);
  for (let i = 1; i < depth; i++) value = wrap(value);
  return value;
}

for (const [kind, wrap] of [
  ["objects", (inner: unknown) => ({ a: inner })],
  ["arrays", (inner: unknown) => [inner]],
] as const) {
  test(`${kind}: 99 and 100 levels pass, 101 and 500,000 are PAYLOAD_TOO_DEEP`, () => {
    check(nested(99, wrap));
    check(nested(100, wrap));
    for (const depth of [101, 500_000]) {
      assert.throws(() => check(nested(depth, wrap)), {
        reason: "PAYLOAD_TOO_DEEP",
        message: "payload is nested deeper than 100 levels",
      });
    }
  });
}

test("a cycle is PAYLOAD_TOO_DEEP", () => {
  const cycle: { self?: unknown } = {};
  cycle.self = cycle;
  assert.throws(() => check(cycle), { reason: "PAYLOAD_TOO_DEEP" });
});

test("10,000 keys and elements pass, 10,001 are PAYLOAD_TOO_MANY_KEYS, wherever they are", () => {
  const elements = (count: number): number[] => Array.from({ length: count }, () => 0);
  const keys = (count: number): object => Object.fromEntries(elements(count).map((_, i) => [`k${i}`, 0]));
  check(elements(10_000));
  check(keys(10_000));
  check({ a: elements(4999), b: elements(4999) });
  for (const value of [
    elements(10_001),
    keys(10_001),
    { a: elements(5000), b: elements(4999) },
    new Array(1e9),
  ]) {
    assert.throws(() => check(value), { reason: "PAYLOAD_TOO_MANY_KEYS" });
  }
});

test("the size is that of the JSON text in UTF-8", () => {
  check({ a: "x".repeat(262_144 - 8) });
  assert.throws(() => check({ a: "x".repeat(262_144 - 7) }), {
    reason: "PAYLOAD_TOO_LARGE",
    message: "payload is 262145 bytes; at most 262144 are taken",
  });
  assert.throws(() => check({ a: "é".repeat(131_072) }), { reason: "PAYLOAD_TOO_LARGE" });
});

test("what JSON cannot carry is INVALID_FIELD", () => {
  const values: unknown[] = [
    Number.NaN,
    Number.POSITIVE_INFINITY,
    1n,
    () => 0,
    Symbol("x"),
    undefined,
    [undefined],
    new Date(0),
    new Map(),
    Buffer.alloc(1),
    { a: { toJSON: () => 1 } },
    "\ud800",
    { "\udc00": 1 },
  ];
  for (const value of values) {
    assert.throws(() => check(value), { reason: "INVALID_FIELD" }, String(value));
  }
});

test("plain values pass: null prototypes, other realms, __proto__ as an own key, undefined members", () => {
  check(Object.assign(Object.create(null), { a: 1 }));
  check(vm.runInNewContext("({ a: [1, { b: null }] })"));
  check(JSON.parse('{"__proto__": {"x": 1}}'));
  check({ a: undefined, b: "🚢", c: true, d: -0.5 });
});
