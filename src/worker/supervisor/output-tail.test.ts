import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { OUTPUT_TAIL_BYTES, OutputTail } from "./output-tail.ts";

test("the tail is the end of what was written, however it came, in whole characters", () => {
  const chunk = fc.string({ unit: "grapheme", minLength: 0, maxLength: 60 }).map((text) => text.repeat(500));
  fc.assert(
    fc.property(fc.array(chunk, { maxLength: 12 }), (chunks) => {
      const tail = new OutputTail();
      for (const text of chunks) tail.push(Buffer.from(text));
      const all = Buffer.from(chunks.join(""));
      const { tail: text, bytes } = tail.capture();
      assert.equal(bytes, all.length);
      assert.ok(all.toString("utf8").endsWith(text));
      const kept = Buffer.byteLength(text);
      assert.ok(kept <= OUTPUT_TAIL_BYTES && kept >= Math.min(all.length, OUTPUT_TAIL_BYTES - 3));
    }),
    { numRuns: 50 },
  );
});

test("bytes that are no UTF-8 are shown as replacement characters", () => {
  const tail = new OutputTail();
  tail.push(Buffer.from([0x80, 0x61, 0xff]));
  assert.deepEqual(tail.capture(), { tail: "\uFFFDa\uFFFD", bytes: 3 });
});
