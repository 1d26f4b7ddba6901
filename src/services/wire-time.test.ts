import assert from "node:assert/strict";
import { test } from "node:test";
import { create } from "@bufbuild/protobuf";
import { DurationSchema, TimestampSchema } from "@bufbuild/protobuf/wkt";
import fc from "fast-check";
import { durationBetween, instantOf, millisecondsOf, timestampOf } from "./wire-time.ts";

/** Instants are exact in a double until the year 2255. */
const INSTANT_MAX = 9_000_000_000_000_000;

test("an instant survives the way through a Timestamp, to the microsecond", () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: INSTANT_MAX }), (instant) => {
      const timestamp = timestampOf(instant);
      assert.ok(timestamp.nanos >= 0 && timestamp.nanos < 1_000_000_000);
      assert.equal(instantOf(timestamp), instant);
    }),
  );
});

test("nanoseconds below a microsecond are cut off, before 1970 too", () => {
  assert.equal(instantOf(create(TimestampSchema, { seconds: 1n, nanos: 1999 })), 1_000_001);
  assert.equal(instantOf(create(TimestampSchema, { seconds: -1n, nanos: 500_000_000 })), -500_000);
});

test("a span between two instants is exact and never negative", () => {
  const { seconds, nanos } = durationBetween(1_000_000, 3_000_001);
  assert.deepEqual([seconds, nanos], [2n, 1000]);
  assert.deepEqual(durationBetween(5, 3).seconds, 0n);
});

const durations: readonly [bigint, number, number | RegExp][] = [
  [0n, 0, 0],
  [1n, 500_000_000, 1500],
  [0n, 1, 0.000001],
  [600n, 0, 600_000],
  [-1n, 0, /negative/],
  [0n, -1, /negative/],
  [1n, -1, /no valid/],
  [0n, 1_000_000_000, /no valid/],
];

for (const [seconds, nanos, wanted] of durations) {
  test(`Duration ${seconds} s ${nanos} ns is ${wanted}`, () => {
    const duration = create(DurationSchema, { seconds, nanos });
    if (typeof wanted === "number") assert.equal(millisecondsOf(duration, "timeout"), wanted);
    else assert.throws(() => millisecondsOf(duration, "timeout"), wanted);
  });
}
