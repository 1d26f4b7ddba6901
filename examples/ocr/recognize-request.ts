// RecognizeTextRequest: read for the handler, and checked before an operation starts. It loads nothing of the engine.
import type { FieldViolation, JsonObject } from "belayd/worker";
import { type ImageSize, InvalidRequest, imageKindOf, pageImageSize } from "./page-image.ts";

/** What `language_codes` may name: English is installed, and `*` leaves the choice to the service. */
const LANGUAGES = ["en", "*"];

/** The one model: text in lines, as on a printed page. It is the default, too. */
const MODEL = "page";

/** An image that can be read, as far as its header says. */
export interface RecognizeRequest {
  image: Buffer;
  size: ImageSize;
}

/** Reads a request. Throws InvalidRequest. */
export function readRecognizeRequest(input: JsonObject): RecognizeRequest {
  const image = readContent(input);
  const mimeType = readMimeType(input);
  checkModel(input);
  checkLanguages(input);
  return { image, size: pageImageSize(image, mimeType) };
}

/** Everything that readRecognizeRequest would refuse, by the fields' proto names. */
export function checkRecognizeRequest(input: JsonObject): FieldViolation[] {
  const readings: readonly [string, () => unknown][] = [
    ["mime_type", () => imageKindOf(readMimeType(input))],
    ["language_codes", () => checkLanguages(input)],
    ["model", () => checkModel(input)],
  ];
  const violations = readings.flatMap(([field, read]) => violationsOf(field, read));
  // Of a type that is not read, nothing more can be said of the content.
  const { mimeType = "" } = violations.some(({ field }) => field === "mime_type") ? {} : input;
  const content = violationsOf("content", () => pageImageSize(readContent(input), String(mimeType)));
  return [...content, ...violations];
}

function violationsOf(field: string, read: () => unknown): FieldViolation[] {
  try {
    read();
    return [];
  } catch (error) {
    if (!(error instanceof InvalidRequest)) throw error;
    return [{ field, description: error.message }];
  }
}

function readContent({ content = "" }: JsonObject): Buffer {
  if (typeof content === "string" && content !== "") return Buffer.from(content, "base64");
  throw new InvalidRequest("content is missing: send the bytes of an image");
}

function readMimeType({ mimeType = "" }: JsonObject): string {
  if (typeof mimeType === "string") return mimeType;
  throw new InvalidRequest("mime_type is not a text");
}

function checkModel({ model = "" }: JsonObject): void {
  if (model === "" || model === MODEL) return;
  throw new InvalidRequest(`there is no model ${JSON.stringify(model)}; there is: ${MODEL}`);
}

function checkLanguages({ languageCodes = [] }: JsonObject): void {
  const codes = Array.isArray(languageCodes) ? languageCodes : [languageCodes];
  if (codes.length === 0 || codes.some((code) => LANGUAGES.includes(String(code)))) return;
  throw new InvalidRequest(
    `language_codes ${JSON.stringify(codes)} has none that can be read here: en, or * for any`,
  );
}
