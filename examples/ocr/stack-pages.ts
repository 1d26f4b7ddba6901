// Puts page images below each other into one PNG. Only what documents/render.py writes is understood: a palette, at most
// eight bits a pixel, no interlacing, the same width everywhere.
import { crc32, deflateSync, inflateSync } from "node:zlib";

const SIGNATURE = Buffer.from("89504e470d0a1a0a", "hex");

/** Offsets within IHDR, and what they must hold (PNG specification, 11.2.2). */
const DEPTH_AT = 8;
const INDEXED_COLOUR = [3, 0, 0, 0];

interface Page {
  header: Buffer;
  palette: Buffer;
  /** One filter byte and the packed pixels for each row. */
  rows: Buffer;
  rowBytes: number;
}

/**
 * Stacks the pages in order. Their palettes are equal to within two of 256 shades, from paper to ink: the first page's
 * goes for all. Throws a TypeError for other images, and for none.
 */
export function stackPages(images: readonly Buffer[]): Buffer {
  const pages = images.map(readPage);
  const [first] = pages;
  if (!first) throw new TypeError("there is no page to stack");
  for (const { rowBytes, palette } of pages) {
    const isAlike = rowBytes === first.rowBytes && palette.length === first.palette.length;
    if (!isAlike) throw new TypeError("the pages differ in width or in number of colours");
  }
  const rows = Buffer.concat(pages.map(rowsOnTheirOwn));
  const header = Buffer.from(first.header);
  header.writeUInt32BE(rows.length / (first.rowBytes + 1), 4);
  return Buffer.concat([
    SIGNATURE,
    chunk("IHDR", header),
    chunk("PLTE", first.palette),
    chunk("IDAT", deflateSync(rows, { level: 9 })),
    chunk("IEND", Buffer.alloc(0)),
  ]);
}

function readPage(image: Buffer): Page {
  const chunks = readChunks(image);
  const [header, palette] = [chunks.get("IHDR"), chunks.get("PLTE")];
  if (!header || !palette || !header.subarray(DEPTH_AT + 1).equals(Buffer.from(INDEXED_COLOUR))) {
    throw new TypeError("the image is no PNG with a palette and without interlacing");
  }
  const rowBytes = Math.ceil((header.readUInt32BE(0) * header.readUInt8(DEPTH_AT)) / 8);
  return { header, palette, rowBytes, rows: inflateSync(chunks.get("IDAT") ?? Buffer.alloc(0)) };
}

/** Chunks by type; those of one type are joined. */
function readChunks(image: Buffer): Map<string, Buffer> {
  const chunks = new Map<string, Buffer>();
  for (let at = SIGNATURE.length; at + 12 <= image.length; at += 12 + image.readUInt32BE(at)) {
    const type = image.toString("latin1", at + 4, at + 8);
    const body = image.subarray(at + 8, at + 8 + image.readUInt32BE(at));
    chunks.set(type, Buffer.concat([chunks.get(type) ?? Buffer.alloc(0), body]));
  }
  return chunks;
}

/**
 * A row's filter may lean on the row above. All above the first row counts as 0, which is no longer so below another
 * page: so the first row is stored plainly. The others lean on rows of their own page, and stay as they are.
 */
function rowsOnTheirOwn({ rows, rowBytes }: Page): Buffer {
  const own = Buffer.from(rows);
  const filter = own.readUInt8(0);
  own.writeUInt8(0, 0);
  for (let at = 2; at <= rowBytes; at++) {
    const left = own.readUInt8(at - 1);
    // None and Up add nothing here; Sub and Paeth add the pixel to the left, Average half of it.
    const added = filter === 1 || filter === 4 ? left : filter === 3 ? left >> 1 : 0;
    own.writeUInt8((own.readUInt8(at) + added) % 256, at);
  }
  return own;
}

function chunk(type: string, body: Buffer): Buffer {
  const named = Buffer.concat([Buffer.from(type, "latin1"), body]);
  const [length, checksum] = [Buffer.alloc(4), Buffer.alloc(4)];
  length.writeUInt32BE(body.length);
  checksum.writeUInt32BE(crc32(named));
  return Buffer.concat([length, named, checksum]);
}
