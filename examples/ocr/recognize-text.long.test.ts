// yandex.recognize: the real engine on the real pages, as a client sends them; only the context is made by hand. One test
// runs the handler in a thread, as a worker does, to see that nothing of it is left after an abort.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { Worker } from "node:worker_threads";
import type { JsonObject } from "belayd/worker";
import type { ThreadNews } from "../handler-thread.fixture.ts";
import { RecordedContext } from "../recorded-context.fixture.ts";
import { checkRecognizeRequest } from "./recognize-request.ts";
import { handler } from "./recognize-text.ts";

const folder = fileURLToPath(new URL("./documents", import.meta.url));

/** The limits of a payload: bytes as JSON, object keys and array elements. */
const BYTES_MAX = 262_144;
const KEYS_MAX = 10_000;

interface Segmented {
  textSegments: { startIndex: string; length: string }[];
}
interface Word extends Segmented {
  text: string;
  entityIndex: string;
  boundingBox: { vertices: { x: string; y: string }[] };
}
interface Line extends Segmented {
  text: string;
  words?: Word[];
}
interface Annotation {
  width: string;
  height: string;
  fullText: string;
  blocks: (Segmented & { lines: Line[]; languages: JsonObject[] })[];
}

/** What examples/ocr/page-request.ts prints. */
async function requestBody(...args: string[]): Promise<JsonObject> {
  const script = fileURLToPath(new URL("./page-request.ts", import.meta.url));
  const { stdout } = await promisify(execFile)(process.execPath, [script, ...args]);
  assert.ok(stdout.length < BYTES_MAX, `${args.join(" ")}: ${stdout.length} bytes`);
  return JSON.parse(stdout) as JsonObject;
}

async function pageTexts(document: string): Promise<string[]> {
  return (await readFile(`${folder}/${document}/text.txt`, "utf8")).split("\n---\n");
}

const words = (text: string): string[] => text.split(/\s+/).filter((word) => word !== "");

/** Holds each text against its stretch of the whole text, and answers the annotation. */
function checked(response: JsonObject): Annotation {
  const annotation = response["textAnnotation"] as unknown as Annotation;
  const stretch = ({ textSegments: [segment] }: Segmented): string => {
    const start = Number(segment?.startIndex);
    return annotation.fullText.slice(start, start + Number(segment?.length));
  };
  for (const block of annotation.blocks) {
    assert.equal(stretch(block), block.lines.map(({ text }) => text).join("\n"));
    assert.deepEqual(block.languages, [{ languageCode: "en" }]);
    for (const line of block.lines) {
      assert.equal(stretch(line), line.text);
      for (const word of line.words ?? []) assert.equal(stretch(word), word.text);
    }
  }
  return annotation;
}

function countKeys(value: unknown): number {
  if (typeof value !== "object" || value === null) return 0;
  return Object.values(value).reduce<number>((sum, child) => sum + 1 + countKeys(child), 0);
}

test("a page is answered word for word, each with its place", async () => {
  const recorded = new RecordedContext();
  const response = await handler(recorded.context, await requestBody("notice"));
  const [expected] = await pageTexts("notice");
  const annotation = checked(response);
  assert.deepEqual(words(annotation.fullText), words(expected!));
  const { page } = response;
  assert.deepEqual([annotation.width, annotation.height, page], ["1240", "1754", "0"]);
  const [first] = annotation.blocks[0]!.lines[0]!.words!;
  assert.deepEqual([first!.text, first!.entityIndex], ["Notice", "-1"]);
  const [upperLeft, lowerLeft, lowerRight, upperRight] = first!.boundingBox.vertices.map(({ x, y }) => [
    Number(x),
    Number(y),
  ]);
  // The margin is 120 pixels, and a line 52; documents/render.py drew the word there.
  assert.ok(Math.abs(upperLeft![0]! - 120) < 10 && Math.abs(upperLeft![1]! - 125) < 10, `${upperLeft}`);
  assert.deepEqual([lowerLeft![0], lowerRight![0]], [upperLeft![0], upperRight![0]]);
  assert.deepEqual([upperRight![1], lowerRight![1]], [upperLeft![1], lowerLeft![1]]);
  assert.ok(lowerRight![0]! - upperLeft![0]! > 80 && lowerRight![1]! - upperLeft![1]! > 15);
  assert.deepEqual(recorded.progress.at(-1), [100, `${words(expected!).length} words`]);
  const percents = recorded.progress.map(([percent]) => percent);
  assert.ok(percents.length > 5, "progress within the page");
  assert.deepEqual(
    percents,
    percents.toSorted((a, b) => a - b),
  );
});

test("a JPEG is read as well, however its type is written", async () => {
  const content = (await readFile(`${folder}/notice/cutting.jpg`)).toString("base64");
  const request = { content, mimeType: "JPEG", languageCodes: ["*"], model: "" };
  const annotation = checked(await handler(new RecordedContext().context, request));
  const [expected] = await pageTexts("notice");
  assert.deepEqual(words(annotation.fullText), words(expected!));
  assert.deepEqual([annotation.width, annotation.height], ["1100", "640"]);
});

test("pages below each other in one image are read to their end, within the limits of a response", async () => {
  const recorded = new RecordedContext();
  const response = await handler(recorded.context, await requestBody("letter", "--pages", "5"));
  const annotation = checked(response);
  const expected = (await pageTexts("letter")).slice(0, 5);
  const numbered = expected.flatMap((text, index) => [...words(text), String(index + 1)]);
  assert.deepEqual(words(annotation.fullText), numbered);
  assert.equal(annotation.height, String(5 * 1754));
  assert.ok(countKeys(response) < KEYS_MAX, `${countKeys(response)} keys`);
  // 428 words and their corners would be too many.
  assert.ok(annotation.blocks.every(({ lines }) => lines.every((line) => line.words === undefined)));
  const [percent, message] = recorded.progress.at(-1)!;
  assert.equal(percent, 100);
  assert.equal(message, `${numbered.length} words; too many for a response: only their lines are in it`);
});

test("what cannot be read is refused with the field and what may be in it", async () => {
  const png = await readFile(`${folder}/notice/page-01.png`);
  const jpeg = await readFile(`${folder}/notice/cutting.jpg`);
  const content = png.toString("base64");
  const base64 = (...parts: (Buffer | string)[]): string =>
    Buffer.concat(parts.map((part) => (typeof part === "string" ? Buffer.from(part, "hex") : part))).toString(
      "base64",
    );
  const huge = base64(png.subarray(0, 16), "0000c350", "0000c350", png.subarray(24));
  const rows: readonly [JsonObject, RegExp][] = [
    [{}, /^content is missing: send the bytes of an image$/],
    [{ content: 1 }, /^content is missing/],
    [{ content, model: "handwritten" }, /^there is no model "handwritten"; there is: page$/],
    [
      { content, languageCodes: ["ru"] },
      /^language_codes \["ru"\] has none that can be read here: en, or \* for any$/,
    ],
    [
      { content, mimeType: "application/pdf" },
      /^mime_type "application\/pdf" is not read here; image\/png and image\/jpeg are$/,
    ],
    [{ content, mimeType: "image/jpeg" }, new RegExp(`^content \\(${png.length} bytes\\) is no JPEG image$`)],
    [{ content: "bm90IGFuIGltYWdl" }, /^content \(12 bytes\) is no PNG or JPEG image$/],
    [{ content: base64(png.subarray(0, 20)), mimeType: "PNG" }, /^content \(20 bytes\) is no PNG image$/],
    [{ content: base64(jpeg.subarray(0, 20)) }, /^content \(20 bytes\) is no PNG or JPEG image$/],
    // A few bytes that would unpack to gigabytes.
    [{ content: huge }, /^content is an image of 50000 x 50000 pixels; the limit is 20000000 in all$/],
  ];
  assert.deepEqual(
    checkRecognizeRequest({ content, mimeType: "PNG", languageCodes: ["en"], model: "page" }),
    [],
  );
  assert.deepEqual(
    checkRecognizeRequest({ mimeType: "a/b", languageCodes: ["ru"], model: "x" }).map(({ field }) => field),
    ["content", "mime_type", "language_codes", "model"],
  );
  for (const [input, message] of rows) {
    const recorded = new RecordedContext();
    await assert.rejects(handler(recorded.context, input), { name: "InvalidRequest", code: 3, message });
    assert.deepEqual(recorded.progress, [], "no engine was started");
    const told = checkRecognizeRequest(input).filter(({ description }) => message.test(description));
    assert.equal(told.length, 1, String(message));
  }
});

test("an image that is cut off is refused once the engine has seen it", async () => {
  const png = await readFile(`${folder}/notice/page-01.png`);
  const content = png.subarray(0, 4_000).toString("base64");
  await assert.rejects(handler(new RecordedContext().context, { content, mimeType: "PNG" }), {
    name: "UnreadableImage",
    code: 3,
    message: "the image cannot be read: its bytes are damaged, or cut off",
  });
});

test("an abort in the middle of the page ends the thread within 2 s, and nothing more is heard of it", async () => {
  const thread = new Worker(new URL("../handler-thread.fixture.ts", import.meta.url), {
    workerData: {
      module: new URL("./recognize-text.ts", import.meta.url).href,
      input: await requestBody("letter", "--pages", "5"),
    },
  });
  const news: ThreadNews[] = [];
  const reading = Promise.withResolvers<void>();
  thread.on("message", (message: ThreadNews) => {
    news.push(message);
    if ("progress" in message && message.progress[0] > 5) reading.resolve();
  });
  await reading.promise;
  const exited = once(thread, "exit");
  const abortedAt = performance.now();
  thread.postMessage("abort");
  // Nobody terminates it: it ends by itself once the engine below it is gone.
  assert.deepEqual(await exited, [0]);
  const tookMs = performance.now() - abortedAt;
  assert.deepEqual(news.at(-1), { isReason: true });
  assert.ok(tookMs < 2_000, `took ${tookMs} ms`);
});
