import assert from "node:assert/strict";
import { test } from "node:test";
import { BinaryWriter } from "@bufbuild/protobuf/wire";
import fc from "fast-check";
import { ReverseWriter } from "./reverse-writer.ts";

type Field =
  | { type: "string"; value: string }
  | { type: "bytes"; value: Uint8Array }
  | { type: "double"; value: number }
  | { type: "int32"; value: number }
  | { type: "int64"; value: number };

const field: fc.Arbitrary<Field> = fc.oneof(
  fc.record({ type: fc.constant("string" as const), value: fc.string({ unit: "binary", maxLength: 400 }) }),
  fc.record({ type: fc.constant("bytes" as const), value: fc.uint8Array({ maxLength: 3000 }) }),
  fc.record({ type: fc.constant("double" as const), value: fc.double() }),
  fc.record({ type: fc.constant("int32" as const), value: fc.integer() }),
  fc.record({ type: fc.constant("int64" as const), value: fc.maxSafeInteger() }),
);

/** The same fields by protobuf-es, front to back, in a message of their own. */
function forward(fields: readonly Field[]): Uint8Array {
  const writer = new BinaryWriter();
  for (const { type, value } of fields) {
    if (type === "string") writer.tag(1, 2).string(value);
    else if (type === "bytes") writer.tag(2, 2).bytes(value);
    else if (type === "double") writer.tag(3, 1).double(value);
    else if (type === "int32") writer.tag(4, 0).int32(value);
    else writer.tag(6, 0).int64(value);
  }
  const content = writer.finish();
  return new BinaryWriter().tag(5, 2).bytes(content).finish();
}

function backward(fields: readonly Field[]): ReverseWriter {
  const writer = new ReverseWriter();
  const end = writer.position;
  for (const { type, value } of fields.toReversed()) {
    if (type === "string") writer.string(value, 0x0a);
    else if (type === "bytes") writer.bytes(value, 0x12);
    else if (type === "double") writer.double(value, 0x19);
    else if (type === "int32") writer.int32(value, 0x20);
    else writer.int64(value, 0x30);
  }
  writer.lengthAndTag(end, 0x2a);
  return writer;
}

test("what is written back to front is what protobuf-es writes front to back", () => {
  fc.assert(
    fc.property(fc.array(field, { maxLength: 8 }), (fields) => {
      const expected = Buffer.from(forward(fields));
      assert.deepEqual(Buffer.from(backward(fields).finish()), expected);
      assert.deepEqual(backward(fields).finishPooled(), expected);
    }),
    { numRuns: 300 },
  );
});

test("lengths of 1 to 4 bytes are written", () => {
  for (const size of [0, 127, 128, 16_383, 16_384, 2_097_151, 2_097_152]) {
    const fields: Field[] = [{ type: "bytes", value: new Uint8Array(size).fill(7) }];
    assert.ok(Buffer.from(backward(fields).finish()).equals(forward(fields)), String(size));
  }
});

test("a writer that was given up half-way does not disturb the next", () => {
  new ReverseWriter().string("lost", 0x0a);
  const fields: Field[] = [{ type: "string", value: "kept" }];
  assert.deepEqual(Buffer.from(backward(fields).finish()), Buffer.from(forward(fields)));
});
