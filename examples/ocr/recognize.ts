// The handler of ocr.recognize: reads a document page by page in its own thread. What is done is kept in the
// checkpoint, so that another attempt goes on with the next page and a cancelled operation leaves its pages behind.
import { readFile } from "node:fs/promises";
import type { JsonObject, OperationContext } from "belayd/worker";
import { documentsFolder, listPages } from "./documents.ts";
import { openPageReader, type PageText } from "./page-reader.ts";

/** One recognised page; pages count from 1. */
type Page = { page: number } & PageText;

/**
 * Takes `{"document": "letter"}`, a folder of `documents/`. Answers, and checkpoints after every page,
 * `{"document": "letter", "pages": [{"page": 1, "text": "...", "confidence": 95}]}`.
 */
export async function handler(context: OperationContext, input: JsonObject): Promise<JsonObject> {
  const { document = null } = input;
  const paths = await listPages(documentsFolder, document);
  const pages = pagesDone(context.checkpointed);
  if (pages.length > 0) context.log("going on after a checkpoint", { pages: pages.length });
  const reader = await openPageReader(context.signal);
  try {
    for (const [index, path] of paths.entries()) {
      if (index < pages.length) continue;
      context.progress((100 * index) / paths.length, `page ${index + 1} of ${paths.length}`);
      const read = await reader.read(await readFile(path));
      pages.push({ page: index + 1, ...read });
      await context.checkpoint({ document, pages });
    }
  } finally {
    await reader.close();
  }
  context.progress(100, `${paths.length} of ${paths.length} pages`);
  return { document, pages };
}

/** The pages of an earlier attempt: they were written by this handler, one after the other from page 1. */
function pagesDone(checkpoint: JsonObject | null): Page[] {
  const { pages = [] } = checkpoint ?? {};
  return [...(pages as Page[])];
}
