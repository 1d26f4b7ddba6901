// Sizes from headers alone: the images here have nothing behind them.
import assert from "node:assert/strict";
import { test } from "node:test";
import { pageImageSize } from "./page-image.ts";

const hex = (text: string): Buffer => Buffer.from(text.replaceAll(" ", ""), "hex");

const png = "89504e470d0a1a0a 0000000d 49484452";
/** A frame of 100 rows and 300 columns, one component. */
const frame = (marker: string): string => `ff${marker} 000b 08 0064 012c 01 011100`;
const exif = (orientation: string): string =>
  `ffe1 0022 457869660000 4d4d002a00000008 0001 0112 0003 00000001 00${orientation}0000 00000000`;

test("the size of a PNG or JPEG is found, however its type is written", () => {
  const rows: readonly [content: string, mimeType: string, width: number, height: number][] = [
    [`${png} 00000140 000000c8`, "image/png", 320, 200],
    [`${png} 00000140 000000c8`, "PNG", 320, 200],
    [`${png} 00000140 000000c8`, "", 320, 200],
    [`ffd8 ${frame("c0")}`, "image/jpeg", 300, 100],
    [`ffd8 ${frame("c2")}`, "JPEG", 300, 100],
    [`ffd8 ffe0 0004 0000 ${frame("c1")}`, "image/jpg", 300, 100],
    // A Huffman table has a number among the frames'.
    [`ffd8 ffc4 0009 00000000000000 ${frame("c0")}`, "jpg", 300, 100],
    [`ffd8 ${exif("01")} ${frame("c0")}`, "", 300, 100],
    // Orientation 6, a quarter turn: the engine reads the picture upright, 100 columns wide.
    [`ffd8 ${exif("06")} ${frame("c0")}`, "", 100, 300],
  ];
  for (const [content, mimeType, width, height] of rows) {
    assert.deepEqual(pageImageSize(hex(content), mimeType), { width, height }, content);
  }
});

test("what has no size, none of its kind, or too large a one is refused", () => {
  const rows: readonly [content: string, mimeType: string, message: RegExp][] = [
    ["", "", /^content \(0 bytes\) is no PNG or JPEG image$/],
    [png, "", /is no PNG or JPEG image$/],
    ["ffd8ff", "JPEG", /^content \(3 bytes\) is no JPEG image$/],
    [`ffd8 ffda 0008 0101 0000 3f00`, "", /is no PNG or JPEG image$/],
    [`${png} 00000140 000000c8`, "JPEG", /is no JPEG image$/],
    [`${png} 00000140 000000c8`, "image/tiff", /^mime_type "image\/tiff" is not read here/],
    [`${png} 00000000 000000c8`, "", /^content is an image of 0 x 200 pixels; the limit/],
    [`${png} 00001389 00000fa0`, "", /^content is an image of 5001 x 4000 pixels; the limit is 20000000/],
  ];
  for (const [content, mimeType, message] of rows) {
    assert.throws(() => pageImageSize(hex(content), mimeType), { name: "InvalidRequest", code: 3, message });
  }
  assert.deepEqual(pageImageSize(hex(`${png} 00001388 00000fa0`), ""), { width: 5_000, height: 4_000 });
});
