import assert from "node:assert/strict";
import { test } from "node:test";
import { create, toJson } from "@bufbuild/protobuf";
import { TimestampSchema } from "@bufbuild/protobuf/wkt";
import fc from "fast-check";
import {
  instantText,
  splitInstant,
  TIMESTAMP_SECONDS_MAX,
  TIMESTAMP_SECONDS_MIN,
  timestampText,
} from "./timestamp-text.ts";

const rows: readonly [number, number, string][] = [
  [TIMESTAMP_SECONDS_MIN, 0, "0001-01-01T00:00:00Z"],
  [TIMESTAMP_SECONDS_MIN, 1, "0001-01-01T00:00:00.000000001Z"],
  [-1, 999_999_999, "1969-12-31T23:59:59.999999999Z"],
  [0, 0, "1970-01-01T00:00:00Z"],
  [0, 120_000_000, "1970-01-01T00:00:00.120Z"],
  [0, 120_000, "1970-01-01T00:00:00.000120Z"],
  [1_709_164_800, 0, "2024-02-29T00:00:00Z"],
  [TIMESTAMP_SECONDS_MAX, 999_999_999, "9999-12-31T23:59:59.999999999Z"],
];
for (const [seconds, nanos, text] of rows) {
  test(`${seconds} s and ${nanos} ns are ${text}`, () => {
    assert.equal(timestampText(seconds, nanos), text);
  });
}

test("the text is that of protobuf-es over the whole range", () => {
  const seconds = fc.integer({ min: TIMESTAMP_SECONDS_MIN, max: TIMESTAMP_SECONDS_MAX });
  const nanos = fc.oneof(
    fc.nat(999_999_999),
    fc.nat(999_999).map((micros) => micros * 1000),
    fc.nat(999).map((ms) => ms * 1_000_000),
  );
  fc.assert(
    fc.property(seconds, nanos, (s, n) => {
      const message = create(TimestampSchema, { seconds: BigInt(s), nanos: n });
      assert.equal(timestampText(s, n), toJson(TimestampSchema, message));
    }),
    { numRuns: 1000 },
  );
});

test("what is no Timestamp has no text", () => {
  for (const [seconds, nanos] of [
    [TIMESTAMP_SECONDS_MIN - 1, 0],
    [TIMESTAMP_SECONDS_MAX + 1, 0],
    [0, -1],
    [0, 1_000_000_000],
    [Number.NaN, 0],
  ] as const) {
    assert.throws(() => timestampText(seconds, nanos), RangeError);
  }
});

test("an instant keeps its microseconds, before 1970 too", () => {
  assert.equal(instantText(1_800_000_000_000_001), "2027-01-15T08:00:00.000001Z");
  assert.equal(instantText(1_800_000_000_000_000), "2027-01-15T08:00:00Z");
  assert.deepEqual(splitInstant(-1), { seconds: -1, nanos: 999_999_000 });
});
