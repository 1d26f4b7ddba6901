// The handler of yandex.recognize: yandex.cloud.ai.ocr.v1.TextRecognitionAsyncService.Recognize, request and response as
// ProtoJSON. One image, one response; a stop in the middle of it leaves nothing behind.
import type { JsonObject, OperationContext } from "belayd/worker";
import { openPageReader } from "./page-reader.ts";
import { readRecognizeRequest } from "./recognize-request.ts";
import { annotate } from "./text-annotation.ts";

/**
 * Takes RecognizeTextRequest, answers RecognizeTextResponse. The progress is the engine's own, in some ten steps a page.
 */
export async function handler(context: OperationContext, input: JsonObject): Promise<JsonObject> {
  const { image, size } = readRecognizeRequest(input);
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
