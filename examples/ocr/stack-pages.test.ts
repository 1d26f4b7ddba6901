// The tall image, pixel by pixel, against its pages: read back by a second, plain reader of PNG rows.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { crc32, deflateSync, inflateSync } from "node:zlib";
import { stackPages } from "./stack-pages.ts";

const letter = new URL("./documents/letter/", import.meta.url);

/** The packed rows of a PNG of two bits a pixel, without their filters (PNG specification, 9.2). */
function rowsOf(image: Buffer): string[] {
  const parts: Buffer[] = [];
  for (let at = 8; at < image.length; at += 12 + image.readUInt32BE(at)) {
    if (image.toString("latin1", at + 4, at + 8) === "IDAT")
      parts.push(image.subarray(at + 8, at + 8 + image.readUInt32BE(at)));
  }
  const packed = inflateSync(Buffer.concat(parts));
  const width = Math.ceil((image.readUInt32BE(16) * 2) / 8);
  let above = Buffer.alloc(width);
  return Array.from({ length: packed.length / (width + 1) }, (_, index) => {
    const start = index * (width + 1);
    const row = Buffer.from(packed.subarray(start + 1, start + 1 + width));
    for (let at = 0; at < width; at++) {
      const [a, b, c] = [at > 0 ? row[at - 1]! : 0, above[at]!, at > 0 ? above[at - 1]! : 0];
      row[at] = (row[at]! + predicted(packed[start]!, a, b, c)) & 255;
    }
    above = row;
    return row.toString("base64");
  });
}

function predicted(filter: number, a: number, b: number, c: number): number {
  const nearness = [a, b, c].map((each) => Math.abs(a + b - c - each));
  const paeth = [a, b, c][nearness.indexOf(Math.min(...nearness))]!;
  return [0, a, b, (a + b) >> 1, paeth][filter]!;
}

test("the rows of the tall image are the rows of its pages", async () => {
  const pages = await Promise.all(
    ["01", "02", "03"].map((page) => readFile(new URL(`page-${page}.png`, letter))),
  );
  const tall = stackPages(pages);
  assert.equal(tall.readUInt32BE(20), 3 * 1754);
  assert.deepEqual(rowsOf(tall), pages.flatMap(rowsOf));
});

test("the first row of a page keeps its pixels, whatever its filter", async () => {
  const page = await readFile(new URL("page-01.png", letter));
  const plain = stackPages([page]);
  const body = plain.indexOf("IDAT") + 4;
  const rows = inflateSync(plain.subarray(body));
  const above = rowsOf(page);
  for (const filter of [0, 1, 2, 3, 4]) {
    const filtered = Buffer.from(rows);
    filtered[0] = filter;
    // Any bytes will do for a first row.
    for (let at = 1; at <= 310; at++) filtered[at] = (at * 37) & 255;
    const idat = Buffer.concat([Buffer.from("IDAT"), deflateSync(filtered)]);
    const [length, checksum] = [Buffer.alloc(4), Buffer.alloc(4)];
    length.writeUInt32BE(idat.length - 4);
    checksum.writeUInt32BE(crc32(idat));
    const image = Buffer.concat([plain.subarray(0, body - 8), length, idat, checksum]);
    assert.deepEqual(rowsOf(stackPages([page, image])), [...above, ...rowsOf(image)], `filter ${filter}`);
  }
});

test("images of another kind are refused", async () => {
  const jpeg = await readFile(new URL("../notice/cutting.jpg", letter));
  assert.throws(() => stackPages([]), { message: "there is no page to stack" });
  assert.throws(() => stackPages([jpeg]), {
    name: "TypeError",
    message: /^the image is no PNG with a palette/,
  });
});
