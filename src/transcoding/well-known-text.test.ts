import assert from "node:assert/strict";
import { test } from "node:test";
import { create, fromJson, toJson } from "@bufbuild/protobuf";
import { BytesValueSchema, DurationSchema, FieldMaskSchema, TimestampSchema } from "@bufbuild/protobuf/wkt";
import fc from "fast-check";
import { parseBase64, parseDuration, parseFieldMask, parseTimestamp } from "./well-known-text.ts";

const nanos = fc.oneof(fc.constant(0), fc.nat(999_999_999));

test("parseTimestamp reads what protobuf-es writes", () => {
  fc.assert(
    fc.property(fc.integer({ min: -62_135_596_800, max: 253_402_300_799 }), nanos, (seconds, nanos) => {
      const value = { seconds: BigInt(seconds), nanos };
      const text = toJson(TimestampSchema, create(TimestampSchema, value));
      assert.deepEqual(parseTimestamp(text), { value });
    }),
  );
});

const times: readonly [string, bigint, number][] = [
  ["1970-01-01T00:00:00Z", 0n, 0],
  ["1970-01-01T00:00:00.000000001Z", 0n, 1],
  ["1970-01-01T01:30:00.5+01:30", 0n, 500_000_000],
  ["1969-12-31T23:00:00-01:00", 0n, 0],
  ["2024-02-29T00:00:00Z", 1_709_164_800n, 0],
  ["0001-01-01T00:00:00Z", -62_135_596_800n, 0],
  ["9999-12-31T23:59:59.999999999Z", 253_402_300_799n, 999_999_999],
];
for (const [text, seconds, nanos] of times) {
  test(`${text} is a time`, () => {
    assert.deepEqual(parseTimestamp(text), { value: { seconds, nanos } });
    assert.deepEqual(fromJson(TimestampSchema, text), create(TimestampSchema, { seconds, nanos }));
  });
}

const noTimes = [
  "",
  "2026-01-01",
  "2026-01-01T00:00:00",
  "2026-01-01 00:00:00Z",
  "2026-01-01t00:00:00z",
  "2026-1-1T00:00:00Z",
  "2026-02-30T00:00:00Z",
  "2025-02-29T00:00:00Z",
  "2026-13-01T00:00:00Z",
  "2026-00-01T00:00:00Z",
  "2026-01-00T00:00:00Z",
  "2026-01-01T24:00:00Z",
  "2026-01-01T00:60:00Z",
  "2026-01-01T00:00:60Z",
  "2026-01-01T00:00:00.Z",
  "2026-01-01T00:00:00.1234567890Z",
  "2026-01-01T00:00:00+24:00",
  "2026-01-01T00:00:00+01:60",
  "0000-12-31T00:00:00Z",
  "0001-01-01T00:00:00+00:01",
  "9999-12-31T23:59:59-00:01",
  "2026-01-01T00:00:00Z ",
  "now",
];
for (const text of noTimes) {
  test(`${JSON.stringify(text)} is no time`, () => assert.ok("problem" in parseTimestamp(text)));
}

test("parseDuration reads what protobuf-es writes", () => {
  const seconds = fc.integer({ min: -315_576_000_000, max: 315_576_000_000 });
  fc.assert(
    fc.property(seconds, nanos, (seconds, nanos) => {
      if (Math.abs(seconds) === 315_576_000_000) return;
      const value = { seconds: BigInt(seconds), nanos: seconds < 0 && nanos > 0 ? -nanos : nanos };
      const text = toJson(DurationSchema, create(DurationSchema, value));
      assert.deepEqual(parseDuration(text), { value });
    }),
  );
});

test("durations: fractions, signs, limits", () => {
  assert.deepEqual(parseDuration("1.5s"), { value: { seconds: 1n, nanos: 500_000_000 } });
  assert.deepEqual(parseDuration("-0.000000001s"), { value: { seconds: 0n, nanos: -1 } });
  assert.deepEqual(parseDuration("0s"), { value: { seconds: 0n, nanos: 0 } });
  assert.deepEqual(parseDuration("315576000000s"), { value: { seconds: 315_576_000_000n, nanos: 0 } });
  for (const text of [
    "",
    "5",
    "s",
    "5m",
    "5sx",
    " 5s",
    "+5s",
    "1.s",
    ".5s",
    "1.1234567890s",
    "1e3s",
    "315576000001s",
    "315576000000.1s",
    `${"9".repeat(400)}s`,
  ]) {
    assert.ok("problem" in parseDuration(text), text);
  }
});

test("parseFieldMask takes camelCase and snake_case, and reads what protobuf-es writes", () => {
  assert.deepEqual(parseFieldMask("cancelPolicy.grace,request_id"), {
    value: ["cancel_policy.grace", "request_id"],
  });
  assert.deepEqual(parseFieldMask(""), { value: [] });
  const mask = create(FieldMaskSchema, { paths: ["a_b.c_d", "e"] });
  assert.deepEqual(parseFieldMask(toJson(FieldMaskSchema, mask)), { value: mask.paths });
  for (const text of [",", "a,", "a..b", "a.", "a b", "*", "1a", "é"])
    assert.ok("problem" in parseFieldMask(text), text);
});

test("parseBase64 takes both alphabets, padded or not, and reads what protobuf-es writes", () => {
  fc.assert(
    fc.property(fc.uint8Array(), (value) => {
      const text = toJson(BytesValueSchema, create(BytesValueSchema, { value }));
      const url = text.replaceAll("+", "-").replaceAll("/", "_");
      for (const one of [text, url, text.replaceAll("=", ""), url.replaceAll("=", "")]) {
        assert.deepEqual(parseBase64(one), { value: Uint8Array.from(value) });
      }
    }),
  );
  for (const text of ["a", "ab=", "abcde", "ab===", "a b=", "ab!=", "====", "é", "ab==cd=="]) {
    assert.ok("problem" in parseBase64(text), text);
  }
});
