// The handler of yandex.recognize: yandex.cloud.ai.ocr.v1.TextRecognitionAsyncService.Recognize, request and response as
// ProtoJSON. One image, one response; a stop in the middle of it leaves nothing behind.
import type { JsonObject, OperationContext } from "belayd/worker";
import { InvalidRequest, pageImageSize } from "./page-image.ts";
import { openPageReader } from "./page-reader.ts";
import { annotate } from "./text-annotation.ts";

/** What `language_codes` may name: English is installed, and `*` leaves the choice to the service. */
const LANGUAGES = ["en", "*"];

/** The one model: text in lines, as on a printed page. It is the default, too. */
const MODEL = "page";

interface ImageRequest {
  image: Buffer;
  mimeType: string;
}

/**
 * Takes RecognizeTextRequest, answers RecognizeTextResponse. The progress is the engine's own, in some ten steps a page.
 */
export async function handler(context: OperationContext, input: JsonObject): Promise<JsonObject> {
  const { image, mimeType } = readRequest(input);
  const size = pageImageSize(image, mimeType);
  context.progress(0, "starting the engine");
  // The last hundredth is for what comes after the reading.
  const reader = await openPageReader(context.signal, (share) =>
    context.progress(99 * share, "reading the page"),
  );
  try {
    const { annotation, words, hasWords } = annotate(await reader.readPlaced(image), size);
    const note = hasWords ? "" : "; too many for a response: only their lines are in it";
    context.progress(100, `${words} words${note}`);
    return { textAnnotation: annotation, page: "0" };
  } finally {
    await reader.close();
  }
}

function readRequest({
  content = "",
  mimeType = "",
  languageCodes = [],
  model = "",
}: JsonObject): ImageRequest {
  if (typeof content !== "string" || content === "") {
    throw new InvalidRequest("content is missing: send the bytes of an image");
  }
  if (typeof mimeType !== "string") throw new InvalidRequest("mime_type is not a text");
  if (model !== "" && model !== MODEL) {
    throw new InvalidRequest(`there is no model ${JSON.stringify(model)}; there is: ${MODEL}`);
  }
  const codes = Array.isArray(languageCodes) ? languageCodes : [languageCodes];
  if (codes.length > 0 && !codes.some((code) => LANGUAGES.includes(String(code)))) {
    throw new InvalidRequest(
      `language_codes ${JSON.stringify(codes)} has none that can be read here: en, or * for any`,
    );
  }
  return { image: Buffer.from(content, "base64"), mimeType };
}
