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

/** What was read. Confidence is tesseract's own, 0-100. */
export type PageText = {
  text: string;
  confidence: number;
};

/** Reads one image after the other until closed. */
export interface PageReader {
  read(image: Buffer): Promise<PageText>;
  close(): Promise<void>;
}

/**
 * Starts an engine. Once the signal aborts, this and every `read` reject with its reason at once, even in the middle
 * of a page: the engine's thread is terminated. Without the race they would stay pending for ever, for tesseract.js
 * forgets the calls of an engine that it terminates.
 */
export async function openPageReader(signal: AbortSignal): Promise<PageReader> {
  signal.throwIfAborted();
  const interrupted = Promise.withResolvers<never>();
  interrupted.promise.catch(() => {});
  const opening = tesseract.createWorker("eng", tesseract.OEM.LSTM_ONLY, {
    langPath: model,
    cacheMethod: "none",
    gzip: true,
    // Without a handler tesseract.js throws outside of any call; and a failed start would settle nothing at all.
    errorHandler: (problem: unknown) => interrupted.reject(new Error(`tesseract: ${String(problem)}`)),
  });
  const stop = (): void => {
    interrupted.reject(signal.reason);
    // Also when the engine is still starting: it ends then as soon as it can be told.
    void opening.then((engine) => engine.terminate());
  };
  signal.addEventListener("abort", stop, { once: true });
  const engine = await Promise.race([opening, interrupted.promise]);
  return {
    async read(image: Buffer): Promise<PageText> {
      // A call to a terminated engine would crash the whole thread with a rejection that nobody can catch.
      signal.throwIfAborted();
      const { data } = await Promise.race([engine.recognize(image), interrupted.promise]);
      return { text: data.text.trim(), confidence: data.confidence };
    },
    async close(): Promise<void> {
      signal.removeEventListener("abort", stop);
      await engine.terminate();
    },
  };
}
