import assert from "node:assert/strict";
import test from "node:test";
import { columnArray, decoderOf, toWire } from "./postgres-values.ts";

test("a whole number is written in eight bytes, a negative one too", () => {
  for (const value of [
    0,
    1,
    -1,
    4_294_967_296,
    -4_294_967_297,
    1_795_000_000_000_000,
    Number.MAX_SAFE_INTEGER,
  ]) {
    const array = columnArray("bigint", [value]);
    assert.equal(array.readBigInt64BE(24), BigInt(value));
  }
});

test("a number that no BIGINT column can hold exactly is refused", () => {
  for (const value of [0.5, Number.NaN, 2 ** 53])
    assert.throws(() => columnArray("bigint", [value]), /whole number/);
});

test("NULL is told apart from empty text", () => {
  const array = columnArray("text", [null, ""]);
  assert.equal(array.readInt32BE(4), 1, "the array says that it has a NULL");
  assert.equal(array.readInt32BE(20), -1);
  assert.equal(array.readInt32BE(24), 0);
});

test("an array as text is quoted", () => {
  assert.equal(toWire(['a"b', "c\\d", null, "NULL"]), '{"a\\"b","c\\\\d",NULL,"NULL"}');
  assert.equal(toWire([1, null]), "{1,NULL}");
  assert.equal(toWire([new Uint8Array([1, 255])]), '{"\\\\x01ff"}');
});

test("columns are read by their types", () => {
  assert.equal(decoderOf(20)("1795000000000000"), 1_795_000_000_000_000);
  assert.throws(() => decoderOf(20)("9007199254740993"), /no safe integer/);
  assert.equal(decoderOf(16)("t"), true);
  assert.deepEqual(decoderOf(17)("\\x01ff"), new Uint8Array([1, 255]));
  assert.deepEqual(decoderOf(1009)('{"a\\"b",NULL,c}'), ['a"b', null, "c"]);
  assert.deepEqual(decoderOf(1016)("{1,-2}"), [1, -2]);
  assert.deepEqual(decoderOf(1009)("{}"), []);
  assert.equal(decoderOf(114)('{"a":1}'), '{"a":1}', "JSON stays text");
});
