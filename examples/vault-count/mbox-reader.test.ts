// The odd mailbox (odd-cases.mbox, written by hand) and files that are made here: where messages begin and end.
import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { MESSAGE_MAX, type RawMessage, readMailbox } from "./mbox-reader.ts";

const odd = fileURLToPath(new URL("./odd-cases.mbox", import.meta.url));
const { signal } = new AbortController();
let folder = "";

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "belay-mbox-"));
});

after(() => rm(folder, { recursive: true }));

async function readAll(
  path: string,
  options: { start?: number; chunkBytes?: number } = {},
): Promise<RawMessage[]> {
  const messages: RawMessage[] = [];
  for await (const batch of readMailbox(path, { start: 0, signal, ...options })) messages.push(...batch);
  return messages;
}

async function readText(text: string): Promise<string[]> {
  const path = join(folder, "text.mbox");
  await writeFile(path, text);
  return (await readAll(path)).map(({ content }) => content.toString());
}

test("every message of the odd mailbox is found, and nothing else", async () => {
  const messages = await readAll(odd);
  assert.deepEqual(
    messages.map(({ separator }) => separator),
    [
      "From ada@example.com Mon Mar  2 09:15:00 2026",
      "From ben@example.com Mon Mar  2 10:00:00 2026",
      "From chloe@example.com Mon Mar  2 11:00:00 2026",
      "From dmitri@example.com Tue Mar  3 08:00:00 2026",
      "From elena@example.com Wed Mar  4 12:30:00 2026",
      "From nobody at 10:00 in 2026",
      "From grace@example.com Thu Mar 05 07:00:00 +0300 2026",
      "From hugo@example.com Fri Mar  6 00:00:00 2026",
    ],
  );
});

test("where the file is cut into chunks makes no difference", async () => {
  const whole = await readAll(odd);
  for (const chunkBytes of [1, 2, 3, 7, 64, 511, 513, 2_707, 2_708, 2_709]) {
    assert.deepEqual(await readAll(odd, { chunkBytes }), whole, `chunks of ${chunkBytes}`);
  }
});

test("reading goes on behind any message, and in the middle of one with the next", async () => {
  const whole = await readAll(odd);
  for (const [index, { end }] of whole.entries()) {
    assert.deepEqual(await readAll(odd, { start: end }), whole.slice(index + 1));
    assert.deepEqual(await readAll(odd, { start: end - 20 }), whole.slice(index + 1));
  }
});

test("only a From line with an hour and a year, behind a blank line, begins a message", async () => {
  const from = "From a Mon Mar  2 09:15:00 2026\n";
  const rows: readonly [text: string, contents: string[]][] = [
    ["", []],
    ["\n", []],
    ["no mbox at all\n", []],
    [`before\n\n${from}one\n`, ["one\n"]],
    [from, [""]],
    [from.trimEnd(), [""]],
    [`${from}one\n\n${from}two`, ["one\n\n", "two"]],
    [`${from}one\n${from}two`, [`one\n${from}two`]],
    [`${from}one\n\n>${from}two`, [`one\n\n>${from}two`]],
    [`${from}one\n\nFrom here to 2026\n`, ["one\n\nFrom here to 2026\n"]],
    [`${from}one\n\nFrom ${"x".repeat(600)} 09:15 2026\n`, [`one\n\nFrom ${"x".repeat(600)} 09:15 2026\n`]],
    [`${from}\n\n\n${from}two`, ["\n\n\n", "two"]],
  ];
  for (const [text, contents] of rows) assert.deepEqual(await readText(text), contents, JSON.stringify(text));
});

test("a message beyond the limit is cut, and the next one is whole", async () => {
  const from = "From a Mon Mar  2 09:15:00 2026\n";
  const large = `${from}Subject: large\n\n${"0123456789abcde\n".repeat(1_000_000)}\n`;
  const path = join(folder, "large.mbox");
  await writeFile(path, `${from}first\n\n${large}${from}last\n`);
  const messages = await readAll(path);
  assert.deepEqual(
    messages.map(({ isCut, content }) => [isCut, content.length]),
    [
      [false, 7],
      [true, MESSAGE_MAX - from.length],
      [false, 5],
    ],
  );
  assert.equal(messages[1]?.end, from.length + 7 + large.length);
  assert.equal(messages[1]?.content.toString("latin1", 0, 32), "Subject: large\n\n0123456789abcde\n");
});

test("between two chunks an abort ends the reading with its reason", async () => {
  const controller = new AbortController();
  const reason = new Error("stop");
  const batches = readMailbox(odd, { start: 0, signal: controller.signal, chunkBytes: 1_000 });
  await batches.next();
  controller.abort(reason);
  await assert.rejects(batches.next(), (error) => error === reason);
});
