// Goal: the direct Struct codec answers what protobuf-es answers, on its own bytes and on strange ones.
import assert from "node:assert/strict";
import { test } from "node:test";
import { create, fromBinary, fromJson, toBinary, toJson } from "@bufbuild/protobuf";
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { StructSchema } from "@bufbuild/protobuf/wkt";
import fc from "fast-check";
import { StartOperationRequestSchema } from "./gen/belay/v1/operations_pb.ts";
import { decodeStruct, encodeStruct, STRUCT_TYPE_URL, structPayload, structValue } from "./struct.ts";
import type { JsonObject, JsonValue } from "./worker-connection.ts";

const key = fc.oneof(
  fc.constantFrom("__proto__", "constructor", "toString", "", "a", "1", "длинный ключ 🚢", "x".repeat(200)),
  fc.string({ unit: "grapheme", maxLength: 80 }),
);
const text = fc.oneof(fc.string({ maxLength: 100 }), fc.string({ unit: "grapheme", maxLength: 100 }));
const { object } = fc.letrec<{ object: JsonObject; value: JsonValue }>((tie) => ({
  value: fc.oneof(
    { depthSize: "small" },
    fc.constant(null),
    fc.boolean(),
    fc.double({ noNaN: true, noDefaultInfinity: true }),
    fc.integer(),
    text,
    fc.array(tie("value"), { maxLength: 6 }),
    tie("object"),
  ),
  object: fc
    .array(fc.tuple(key, tie("value")), { maxLength: 6 })
    .map((entries) => Object.fromEntries(entries) as JsonObject),
}));

test("encodeStruct writes the bytes of protobuf-es", () => {
  fc.assert(
    fc.property(object, (value) => {
      const expected = toBinary(StructSchema, fromJson(StructSchema, value));
      assert.deepEqual(Buffer.from(encodeStruct(value)), Buffer.from(expected));
    }),
    { numRuns: 500 },
  );
});

test("decodeStruct reads back what was encoded, in the same key order", () => {
  fc.assert(
    fc.property(object, (value) => {
      const decoded = decodeStruct(encodeStruct(value));
      assert.equal(JSON.stringify(decoded), JSON.stringify(value));
      assert.deepEqual(decoded, toJson(StructSchema, fromBinary(StructSchema, encodeStruct(value))));
    }),
    { numRuns: 500 },
  );
});

test("decodeStruct answers damaged bytes as protobuf-es does, and never crashes", () => {
  const damage = fc.array(fc.tuple(fc.nat(400), fc.nat(255)), { minLength: 1, maxLength: 4 });
  fc.assert(
    fc.property(object, damage, (value, edits) => {
      const bytes = Uint8Array.from(encodeStruct(value));
      for (const [at, byte] of edits) if (bytes.length > 0) bytes[at % bytes.length] = byte;
      let ours: JsonObject | undefined;
      try {
        ours = decodeStruct(bytes);
      } catch (error) {
        assert.ok(error instanceof TypeError);
      }
      // Read through a field of type Struct, which takes a Value without a kind for null, as we do.
      let theirs: unknown;
      try {
        const field = new BinaryWriter().tag(2, WireType.LengthDelimited).bytes(bytes).finish();
        theirs = fromBinary(StartOperationRequestSchema, field, { recursionLimit: 1000 }).payload;
      } catch {
        theirs = undefined;
      }
      if (ours !== undefined) assert.deepEqual(ours, theirs);
      // We refuse NaN and Infinity, which a field of type Struct carries.
      else if (theirs !== undefined) assert.throws(() => checkFinite(theirs as JsonValue));
    }),
    { numRuns: 2000 },
  );
});

function checkFinite(value: JsonValue): void {
  if (typeof value === "number") assert.ok(Number.isFinite(value));
  else if (typeof value === "object" && value !== null) Object.values(value).forEach(checkFinite);
}

test("an own __proto__ key survives both ways and pollutes nothing", () => {
  const value = JSON.parse('{"__proto__": {"polluted": true}, "b": {"__proto__": 1}}') as JsonObject;
  const decoded = decodeStruct(encodeStruct(value));
  assert.equal(JSON.stringify(decoded), JSON.stringify(value));
  assert.deepEqual(Object.keys(decoded), ["__proto__", "b"]);
  assert.equal(Object.getPrototypeOf(decoded), Object.prototype);
  assert.equal(({} as { polluted?: boolean }).polluted, undefined);
});

test("a repeated field of a Value, a field out of order and an unknown field are read as protobuf-es reads them", () => {
  const value = (write: (writer: BinaryWriter) => void): Uint8Array => {
    const writer = new BinaryWriter();
    write(writer);
    return writer.finish();
  };
  const twice = value((w) => w.tag(4, 0).bool(true).tag(3, 2).string("last"));
  const unknown = value((w) => w.tag(4, 0).bool(true).tag(9, 2).string("?"));
  const entries: [Uint8Array, JsonValue][] = [
    [value((w) => w.tag(1, 2).string("k").tag(2, 2).bytes(twice)), "last"],
    [value((w) => w.tag(1, 2).string("k").tag(2, 2).bytes(unknown)), true],
    [value((w) => w.tag(2, 2).bytes(unknown).tag(1, 2).string("k")), true],
    [value((w) => w.tag(1, 2).string("k")), null],
    [value((w) => w.tag(1, 2).string("k").tag(2, 2).bytes(new Uint8Array(0))), null],
  ];
  for (const [entry, expected] of entries) {
    assert.deepEqual(decodeStruct(value((w) => w.tag(1, 2).bytes(entry))), { k: expected });
  }
});

test("broken UTF-8, NaN and truncated bytes are a TypeError", () => {
  const ok = encodeStruct({ key: "value" });
  const badText = Uint8Array.from(ok);
  badText[badText.length - 1] = 0xff;
  assert.throws(() => decodeStruct(badText), TypeError);
  assert.throws(() => decodeStruct(ok.subarray(0, ok.length - 1)), TypeError);
  assert.throws(() => decodeStruct(encodeStruct({ n: Number.NaN })), TypeError);
});

function nested(depth: number): JsonObject {
  let value: JsonObject = {};
  for (let i = 1; i < depth; i++) value = { a: value };
  return value;
}

test("depth: 500 levels pass both ways, 501 and 500,000 are refused without a stack overflow", () => {
  assert.equal(JSON.stringify(decodeStruct(encodeStruct(nested(500)))), JSON.stringify(nested(500)));
  for (const depth of [501, 500_000]) {
    assert.throws(() => encodeStruct(nested(depth)), { reason: "PAYLOAD_TOO_DEEP" });
  }
  let deep = new Uint8Array(0);
  for (let i = 0; i < 501; i++) {
    const inner = new BinaryWriter().tag(5, 2).bytes(deep).finish();
    const entry = new BinaryWriter().tag(1, 2).string("a").tag(2, 2).bytes(inner).finish();
    deep = Uint8Array.from(new BinaryWriter().tag(1, 2).bytes(entry).finish());
  }
  assert.throws(() => decodeStruct(deep), TypeError);
});

test("depth: lists count too; a double or a length that the bytes end in is a TypeError", () => {
  const list = (depth: number): JsonValue => (depth === 0 ? 1 : [list(depth - 1)]);
  assert.equal(
    JSON.stringify(decodeStruct(encodeStruct({ a: list(499) }))),
    JSON.stringify({ a: list(499) }),
  );
  assert.throws(() => encodeStruct({ a: list(500) }), { reason: "PAYLOAD_TOO_DEEP" });
  let deep = Uint8Array.from(new BinaryWriter().tag(4, 0).bool(true).finish());
  for (let i = 0; i < 500; i++) {
    const inner = new BinaryWriter().tag(1, 2).bytes(deep).finish();
    deep = Uint8Array.from(new BinaryWriter().tag(6, 2).bytes(inner).finish());
  }
  const entry = new BinaryWriter().tag(1, 2).string("a").tag(2, 2).bytes(deep).finish();
  assert.throws(() => decodeStruct(new BinaryWriter().tag(1, 2).bytes(entry).finish()), TypeError);
  for (const bytes of [
    [0x0a, 6, 0x0a, 0, 0x12, 2, 0x11, 0],
    [0x0a],
    [0x0a, 0x80],
    [0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f],
  ]) {
    assert.throws(() => decodeStruct(Uint8Array.from(bytes)), TypeError);
  }
});

test("a key whose value is undefined is left out", () => {
  const value = { a: 1, b: undefined } as unknown as JsonObject;
  assert.deepEqual(decodeStruct(encodeStruct(value)), { a: 1 });
});

test("bytes larger than the writer's first buffer are written whole", () => {
  const value = { text: "x".repeat(300_000), list: Array.from({ length: 500 }, (_, i) => i) };
  const expected = toBinary(StructSchema, create(StructSchema, fromJson(StructSchema, value)));
  assert.deepEqual(Buffer.from(encodeStruct(value)), Buffer.from(expected));
  assert.deepEqual(decodeStruct(encodeStruct(value)), value);
});

test("structPayload and structValue are inverse; another type is refused", () => {
  assert.equal(structPayload({ a: 1 }).typeUrl, STRUCT_TYPE_URL);
  assert.deepEqual(structValue(structPayload({ a: [1, "x", null] })), { a: [1, "x", null] });
  assert.throws(
    () => structValue({ typeUrl: "x/google.protobuf.Empty", bytes: new Uint8Array(0) }),
    TypeError,
  );
});

test("encoded bytes stand in memory of their own", () => {
  const bytes = encodeStruct({ a: 1 });
  assert.equal(bytes.buffer.byteLength, bytes.byteLength);
});
