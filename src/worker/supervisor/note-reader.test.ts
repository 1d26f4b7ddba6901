import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { NoteReader } from "./note-reader.ts";

function read(...chunks: readonly string[]): ReturnType<NoteReader["take"]> {
  const reader = new NoteReader();
  for (const chunk of chunks) reader.push(Buffer.from(chunk));
  reader.end();
  return reader.take();
}

const rows: readonly [name: string, text: string, notes: Partial<ReturnType<NoteReader["take"]>>][] = [
  ["progress", '{"percent": 40, "message": "m"}\n', { progress: { percent: 40, message: "m" } }],
  ["progress without a message", '{"percent": 40}', { progress: { percent: 40, message: "" } }],
  ["a message that is no text", '{"percent": 40, "message": 7}', { progress: { percent: 40, message: "" } }],
  [
    "both in one line",
    '{"percent":1,"checkpoint":{"a":1}}',
    { progress: { percent: 1, message: "" }, checkpoint: { a: 1 } },
  ],
  ["the last of several", '{"percent":1}\n\n{"percent":2}\n', { progress: { percent: 2, message: "" } }],
  ["no JSON", "hello\n", { unknown: "hello" }],
  ["the first unknown line only", "one\ntwo\n", { unknown: "one" }],
  ["a percent that is no number", '{"percent":"4"}', { unknown: '{"percent":"4"}' }],
  ["a checkpoint that is no object", '{"checkpoint":[1]}', { unknown: '{"checkpoint":[1]}' }],
  ["a critical section", '{"critical": "commit"}', { critical: { section: "commit" } }],
  ["the end of a critical section", '{"critical":"a"}\n{"critical":null}', { critical: { section: null } }],
  ["a critical section without a reason", '{"critical":""}', { unknown: '{"critical":""}' }],
  ["null", "null", { unknown: "null" }],
];

const none = { progress: null, checkpoint: null, critical: null, unknown: null };

for (const [name, text, notes] of rows) {
  test(`a line with ${name} is read`, () => {
    assert.deepEqual(read(text), { ...none, ...notes });
  });
}

test("where the stream is cut makes no difference", () => {
  const text = '{"percent":1,"message":"\u20ac"}\nnot json\n{"checkpoint":{"page":3}}\n{"percent":9}';
  const bytes = Buffer.from(text);
  const whole = read(text);
  fc.assert(
    fc.property(fc.array(fc.nat(bytes.length)), (cuts) => {
      const reader = new NoteReader();
      const ends = [...cuts.sort((a, b) => a - b), bytes.length];
      let start = 0;
      for (const end of ends) {
        reader.push(bytes.subarray(start, end));
        start = end;
      }
      reader.end();
      assert.deepEqual(reader.take(), whole);
    }),
  );
});

test("a line above 1 MiB is skipped, and the next one read", () => {
  const reader = new NoteReader();
  for (let i = 0; i < 20; i++) reader.push(Buffer.alloc(100_000, "x"));
  reader.push(Buffer.from('\n{"percent":5}\n'));
  assert.deepEqual(reader.take(), {
    progress: { percent: 5, message: "" },
    checkpoint: null,
    critical: null,
    unknown: "a line of more than 1048576 bytes",
  });
});
