// What kind of image some bytes are, and how large, as far as their headers say. Whether the rest is whole, the engine
// finds out.

/** google.rpc.Code.INVALID_ARGUMENT: the operation fails with it. */
const INVALID_ARGUMENT = 3;

/** Yandex Vision's own limit, and about what an A4 page has at 450 dots per inch. */
const PIXELS_MAX = 20_000_000;

const pngSignature = Buffer.from("89504e470d0a1a0a", "hex");
const jpegSignature = Buffer.from("ffd8ff", "hex");

/** The request cannot be served; the message says which field is wrong, and what may be sent. */
export class InvalidRequest extends Error {
  override name = "InvalidRequest";
  readonly code = INVALID_ARGUMENT;
}

/** In pixels. */
export interface ImageSize {
  width: number;
  height: number;
}

/**
 * What a caller says that an image is: `png`, `jpeg`, or "" for nothing. `mimeType` is a MIME type, the short form that
 * Yandex's pages use (`PNG`), or "". Throws InvalidRequest for any other kind.
 */
export function imageKindOf(mimeType: string): string {
  const said = mimeType
    .toLowerCase()
    .replace(/^image\//, "")
    .replace(/^jpg$/, "jpeg");
  if (["png", "jpeg", ""].includes(said)) return said;
  throw new InvalidRequest(
    `mime_type ${JSON.stringify(mimeType)} is not read here; image/png and image/jpeg are`,
  );
}

/**
 * Finds the size of a PNG or JPEG image, of which `mimeType` is what the caller says. Throws InvalidRequest.
 */
export function pageImageSize(image: Buffer, mimeType: string): ImageSize {
  const said = imageKindOf(mimeType);
  const [kind, size] = image.subarray(0, 8).equals(pngSignature)
    ? ["png", pngSize(image)]
    : image.subarray(0, 3).equals(jpegSignature)
      ? ["jpeg", jpegSize(image)]
      : ["", null];
  if (size === null || (said !== "" && said !== kind)) {
    throw new InvalidRequest(
      `content (${image.length} bytes) is no ${said === "" ? "PNG or JPEG" : said.toUpperCase()} image`,
    );
  }
  const { width, height } = size;
  if (width * height > PIXELS_MAX || width * height === 0) {
    throw new InvalidRequest(
      `content is an image of ${width} x ${height} pixels; the limit is ${PIXELS_MAX} in all`,
    );
  }
  return size;
}

/** The first chunk of a PNG is its header, and begins with both sizes. */
function pngSize(image: Buffer): ImageSize | null {
  if (image.length < 24 || image.toString("latin1", 12, 16) !== "IHDR") return null;
  return { width: image.readUInt32BE(16), height: image.readUInt32BE(20) };
}

/** A JPEG is a list of segments; the one that begins a frame (SOF0 to SOF15) has both sizes. */
function jpegSize(image: Buffer): ImageSize | null {
  for (let at = 2; at + 9 <= image.length && image[at] === 0xff; at += 2 + image.readUInt16BE(at + 2)) {
    const marker = image[at + 1] ?? 0;
    // DHT, JPG and DAC lie among the frames' numbers.
    if (marker < 0xc0 || marker > 0xcf || [0xc4, 0xc8, 0xcc].includes(marker)) continue;
    const [height, width] = [image.readUInt16BE(at + 5), image.readUInt16BE(at + 7)];
    return isOnItsSide(image) ? { width: height, height: width } : { width, height };
  }
  return null;
}

/**
 * Whether the engine will turn the picture by a quarter, as its EXIF orientation (5 to 8) asks. It looks for the tag,
 * big-endian, in the first 500 bytes; so the sizes agree with the places of the words that it finds.
 */
function isOnItsSide(image: Buffer): boolean {
  const tag = Buffer.from("011200030000000100", "hex");
  const at = image.subarray(0, 500).indexOf(tag);
  const orientation = at < 0 ? 1 : image[at + tag.length];
  return orientation !== undefined && orientation >= 5 && orientation <= 8;
}
