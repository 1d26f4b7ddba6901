// From what was read to the ProtoJSON of yandex.cloud.ai.ocr.v1.TextAnnotation: 64-bit integers as strings, the corners
// of each box from the upper left down and around, and for each piece its place in the whole text.
import type { JsonObject } from "belayd/worker";
import type { ImageSize } from "./page-image.ts";
import type { Box, PlacedLine, PlacedParagraph, PlacedWord } from "./page-reader.ts";

/** The limits of a response: object keys and array elements over all levels, and bytes as JSON. */
const KEYS_MAX = 10_000;
const BYTES_MAX = 262_144;

/** What the whole response has around the annotation is far below these. */
const KEYS_AROUND = 100;
const BYTES_AROUND = 1_000;

/** An annotation, and whether the words had to be left out of it. */
export interface Annotation {
  annotation: JsonObject;
  words: number;
  hasWords: boolean;
}

/**
 * Describes a page. A word takes 21 keys, so that a page of more than about 400 words is above the limit of a response:
 * then the lines come without their words.
 */
export function annotate(paragraphs: readonly PlacedParagraph[], size: ImageSize): Annotation {
  const whole = describe(paragraphs, size, true);
  const { keys, bytes } = sizeOf(whole);
  const hasWords = keys + KEYS_AROUND <= KEYS_MAX && bytes + BYTES_AROUND <= BYTES_MAX;
  const words = paragraphs.flatMap(({ lines }) => lines).reduce((sum, line) => sum + line.words.length, 0);
  return { annotation: hasWords ? whole : describe(paragraphs, size, false), words, hasWords };
}

function describe(
  paragraphs: readonly PlacedParagraph[],
  { width, height }: ImageSize,
  hasWords: boolean,
): JsonObject {
  const text = new WholeText();
  const blocks = paragraphs.map(({ bbox, lines }) => {
    const [described, textSegments] = text.segment(() =>
      lines.map((line) => describeLine(line, text, hasWords)),
    );
    // Only English can be read; what the language of a paragraph is, the engine does not say.
    return {
      boundingBox: polygon(bbox),
      lines: described,
      languages: [{ languageCode: "en" }],
      textSegments,
    };
  });
  return { width: String(width), height: String(height), blocks, entities: [], fullText: text.text };
}

function describeLine({ bbox, words }: PlacedLine, text: WholeText, hasWords: boolean): JsonObject {
  const [described, textSegments] = text.segment(() => words.map((word) => describeWord(word, text)));
  text.endLine();
  const line = { boundingBox: polygon(bbox), text: words.map((word) => word.text).join(" "), textSegments };
  return hasWords ? { ...line, words: described } : line;
}

function describeWord({ text: word, bbox }: PlacedWord, text: WholeText): JsonObject {
  const [, textSegments] = text.segment(() => text.addWord(word));
  // No entities are looked for, and -1 is none of them.
  return { boundingBox: polygon(bbox), text: word, entityIndex: "-1", textSegments };
}

/** Upper left, lower left, lower right, upper right. */
function polygon({ x0, y0, x1, y1 }: Box): JsonObject {
  const corners: [number, number][] = [
    [x0, y0],
    [x0, y1],
    [x1, y1],
    [x1, y0],
  ];
  return { vertices: corners.map(([x, y]) => ({ x: String(x), y: String(y) })) };
}

/** The text of the page as it grows: words with a space between them, each line with its end. */
class WholeText {
  text = "";
  #isInLine = false;

  addWord(word: string): void {
    this.text += word;
    this.#isInLine = true;
  }

  endLine(): void {
    this.text += "\n";
    this.#isInLine = false;
  }

  /** Does `add`, and says what stretch of the text came by it, without a line end behind it. */
  segment<T>(add: () => T): [T, JsonObject[]] {
    if (this.#isInLine) this.text += " ";
    this.#isInLine = false;
    const start = this.text.length;
    const added = add();
    const length = this.text.slice(start).trimEnd().length;
    return [added, [{ startIndex: String(start), length: String(length) }]];
  }
}

/** As the limits count: `{"a": [1, 2]}` has three keys. */
function sizeOf(value: JsonObject): { keys: number; bytes: number } {
  return { keys: countKeys(value), bytes: Buffer.byteLength(JSON.stringify(value)) };
}

function countKeys(value: unknown): number {
  if (typeof value !== "object" || value === null) return 0;
  const children = Object.values(value);
  return children.reduce<number>((sum, child) => sum + countKeys(child), children.length);
}
