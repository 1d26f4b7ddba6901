// Reads the text of page images with tesseract.js. Its engine runs in a thread of its own below the caller's; the
// language data comes from an installed package, so that nothing is fetched at run time.
import { fileURLToPath } from "node:url";
import tesseract from "tesseract.js";

/**
 * The integer model: measured 0.6 s to start and 150 MB for the whole process, against 1.2 s and 250 MB of the larger
 * one in the same package, with the same confidence on these pages.
 */
const model = fileURLToPath(
  new URL("./4.0.0_best_int", import.meta.resolve("@tesseract.js-data/eng/package.json")),
);

/** google.rpc.Code.INVALID_ARGUMENT: the operation fails with it. */
const INVALID_ARGUMENT = 3;

/** The engine cannot make an image of the bytes. */
export class UnreadableImage extends Error {
  override name = "UnreadableImage";
  readonly code = INVALID_ARGUMENT;
}

/** What was read. Confidence is tesseract's own, 0-100. */
export type PageText = {
  text: string;
  confidence: number;
};

/** Corners of a box in pixels, from the upper left of the image. */
export interface Box {
  x0: number;
  y0: number;
  x1: number;
  y1: number;
}

/** Text with its place on the page, from paragraphs down to words. */
export interface PlacedWord {
  text: string;
  bbox: Box;
}
export interface PlacedLine {
  bbox: Box;
  words: PlacedWord[];
}
export interface PlacedParagraph {
  bbox: Box;
  lines: PlacedLine[];
}

/** Reads one image after the other until closed. Both ways to read throw UnreadableImage. */
export interface PageReader {
  read(image: Buffer): Promise<PageText>;
  /** The same text, with the place of each paragraph, line and word. */
  readPlaced(image: Buffer): Promise<PlacedParagraph[]>;
  close(): Promise<void>;
}

/**
 * Starts an engine. Once the signal aborts, this and every `read` reject with its reason at once, even in the middle
 * of a page: the engine's thread is terminated. Without the race they would stay pending for ever, for tesseract.js
 * forgets the calls of an engine that it terminates. `onRead` is told the share of the page that was read, 0-1.
 */
export async function openPageReader(
  signal: AbortSignal,
  onRead: (share: number) => void = () => {},
): Promise<PageReader> {
  signal.throwIfAborted();
  const interrupted = Promise.withResolvers<never>();
  interrupted.promise.catch(() => {});
  const opening = tesseract.createWorker("eng", tesseract.OEM.LSTM_ONLY, {
    langPath: model,
    cacheMethod: "none",
    gzip: true,
    logger: ({ status, progress }) => {
      if (status === "recognizing text") onRead(progress);
    },
    // Without a handler tesseract.js throws outside of any call; and a failed start would settle nothing at all.
    errorHandler: (problem: unknown) => interrupted.reject(engineError(problem)),
  });
  const stop = (): void => {
    interrupted.reject(signal.reason);
    // Also when the engine is still starting: it ends then as soon as it can be told.
    void opening.then((engine) => engine.terminate());
  };
  signal.addEventListener("abort", stop, { once: true });
  const engine = await Promise.race([opening, interrupted.promise]);
  const recognize = async (image: Buffer, isPlaced: boolean): Promise<tesseract.Page> => {
    // A call to a terminated engine would crash the whole thread with a rejection that nobody can catch.
    signal.throwIfAborted();
    const reading = engine.recognize(image, {}, { text: !isPlaced, blocks: isPlaced });
    return (await Promise.race([reading, interrupted.promise])).data;
  };
  return {
    async read(image: Buffer): Promise<PageText> {
      const { text, confidence } = await recognize(image, false);
      return { text: text.trim(), confidence };
    },
    async readPlaced(image: Buffer): Promise<PlacedParagraph[]> {
      const { blocks } = await recognize(image, true);
      return (blocks ?? []).flatMap(({ paragraphs }) => paragraphs);
    },
    async close(): Promise<void> {
      signal.removeEventListener("abort", stop);
      await engine.terminate();
    },
  };
}

function engineError(problem: unknown): Error {
  const text = String(problem);
  return text.includes("read image")
    ? new UnreadableImage("the image cannot be read: its bytes are damaged, or cut off")
    : new Error(`tesseract: ${text}`);
}
