import assert from "node:assert/strict";
import { test } from "node:test";
import { ScalarType } from "@bufbuild/protobuf";
import fc from "fast-check";
import { StateSchema } from "../protocol/gen/belay/v1/operations_pb.ts";
import { parseEnum, parseScalar } from "./scalar-text.ts";

const {
  INT32,
  SINT32,
  UINT32,
  FIXED32,
  INT64,
  SFIXED64,
  UINT64,
  FIXED64,
  FLOAT,
  DOUBLE,
  BOOL,
  STRING,
  BYTES,
} = ScalarType;

const good: readonly [ScalarType, string, unknown][] = [
  [STRING, "", ""],
  [STRING, "true", "true"],
  [BOOL, "true", true],
  [BOOL, "false", false],
  [INT32, "-2147483648", -2147483648],
  [SINT32, "2147483647", 2147483647],
  [INT32, "007", 7],
  [INT32, "-0", 0],
  [UINT32, "4294967295", 4294967295],
  [FIXED32, "0", 0],
  [INT64, "-9223372036854775808", -9223372036854775808n],
  [SFIXED64, "9223372036854775807", 9223372036854775807n],
  [UINT64, "18446744073709551615", 18446744073709551615n],
  [FIXED64, "1", 1n],
  [DOUBLE, "1.5", 1.5],
  [DOUBLE, "-1E-3", -0.001],
  [DOUBLE, "1.7976931348623157e308", Number.MAX_VALUE],
  [DOUBLE, "Infinity", Number.POSITIVE_INFINITY],
  [FLOAT, "-Infinity", Number.NEGATIVE_INFINITY],
  [FLOAT, "NaN", Number.NaN],
  [FLOAT, "3.4028234663852886e38", 3.4028234663852886e38],
  [BYTES, "AQI", Uint8Array.of(1, 2)],
];
for (const [type, text, value] of good) {
  test(`${ScalarType[type]} takes ${JSON.stringify(text)}`, () =>
    assert.deepEqual(parseScalar(type, text), { value }));
}

const bad: readonly [ScalarType, string, string][] = [
  [BOOL, "1", "is neither true nor false"],
  [BOOL, "True", "is neither true nor false"],
  [BOOL, "", "is neither true nor false"],
  [INT32, "", "is no int32"],
  [INT32, "1.0", "is no int32"],
  [INT32, "1e3", "is no int32"],
  [INT32, "0x10", "is no int32"],
  [INT32, " 1", "is no int32"],
  [INT32, "+1", "is no int32"],
  [INT32, "2147483648", "is out of the range of int32"],
  [INT32, "9".repeat(1_000_000), "is no int32"],
  [UINT32, "-1", "is out of the range of uint32"],
  [UINT32, "4294967296", "is out of the range of uint32"],
  [INT64, "9223372036854775808", "is out of the range of int64"],
  [UINT64, "18446744073709551616", "is out of the range of uint64"],
  [UINT64, "-1", "is out of the range of uint64"],
  [DOUBLE, "", "is no number"],
  [DOUBLE, "1.", "is no number"],
  [DOUBLE, ".5", "is no number"],
  [DOUBLE, "inf", "is no number"],
  [DOUBLE, "1e400", "is too large a number"],
  [FLOAT, "3.5e38", "is too large a number"],
  [BYTES, "!", "is no base64"],
];
for (const [type, text, problem] of bad) {
  test(`${ScalarType[type]} refuses ${JSON.stringify(text.slice(0, 30))}`, () => {
    assert.deepEqual(parseScalar(type, text), { problem });
  });
}

test("doubles and 64-bit integers are read back from their text", () => {
  fc.assert(
    fc.property(fc.double(), fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n), (double, long) => {
      assert.deepEqual(parseScalar(DOUBLE, Object.is(double, -0) ? "-0" : String(double)), { value: double });
      assert.deepEqual(parseScalar(INT64, String(long)), { value: long });
    }),
  );
});

test("an enum takes names and numbers; an open one also numbers without a name", () => {
  assert.deepEqual(parseEnum(StateSchema, "RUNNING"), { value: 2 });
  assert.deepEqual(parseEnum(StateSchema, "2"), { value: 2 });
  assert.deepEqual(parseEnum(StateSchema, "77"), { value: 77 });
  for (const text of ["", "running", "RUN", "__proto__", "2.0", "99999999999"]) {
    assert.match(
      (parseEnum(StateSchema, text) as { problem: string }).problem,
      /^is none of STATE_UNSPECIFIED, PENDING/,
    );
  }
});
