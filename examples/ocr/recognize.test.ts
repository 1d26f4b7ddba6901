// The real engine on the real pages; only the context is made by hand. One test runs the handler in a thread, as a
// worker does, to see that nothing of it is left after an abort.
import assert from "node:assert/strict";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";
import type { JsonObject } from "belayd/worker";
import type { ThreadNews } from "../handler-thread.fixture.ts";
import { RecordedContext } from "../recorded-context.fixture.ts";
import { listPages } from "./documents.ts";
import { handler } from "./recognize.ts";

const folder = fileURLToPath(new URL("./documents", import.meta.url));

async function pageTexts(document: string): Promise<string[]> {
  return (await readFile(`${folder}/${document}/text.txt`, "utf8")).split("\n---\n");
}

const words = (text: string): string[] => text.split(/\s+/).filter((word) => word !== "");
function pagesOf({ pages }: JsonObject): { page: number; text: string; confidence: number }[] {
  return pages as ReturnType<typeof pagesOf>;
}

test("a page is recognised word for word", async () => {
  const { context, progress, checkpoints } = new RecordedContext();
  const response = await handler(context, { document: "notice" });
  const [page] = pagesOf(response);
  const [expected] = await pageTexts("notice");
  assert.deepEqual(words(page!.text), words(expected!));
  assert.ok(page!.confidence > 80, `confidence ${page!.confidence}`);
  assert.deepEqual(progress, [
    [0, "page 1 of 1"],
    [100, "1 of 1 pages"],
  ]);
  assert.deepEqual(checkpoints, [response]);
});

test("another attempt goes on after the pages of the checkpoint", async () => {
  const done = Array.from({ length: 8 }, (_, index) => ({
    page: index + 1,
    text: `kept ${index + 1}`,
    confidence: 1,
  }));
  const { context, progress, checkpoints } = new RecordedContext({
    checkpointed: { document: "letter", pages: done },
  });
  const response = await handler(context, { document: "letter" });
  const pages = pagesOf(response);
  assert.deepEqual(pages.slice(0, 8), done);
  assert.deepEqual(progress, [
    [80, "page 9 of 10"],
    [90, "page 10 of 10"],
    [100, "10 of 10 pages"],
  ]);
  assert.deepEqual(
    checkpoints.map((state) => pagesOf(state).length),
    [9, 10],
  );
  // The number at the foot of the page is read as well.
  const expected = await pageTexts("letter");
  assert.deepEqual(words(pages[8]!.text), [...words(expected[8]!), "9"]);
  assert.deepEqual(words(pages[9]!.text), [...words(expected[9]!), "10"]);
});

test("a handler whose signal has aborted already reads nothing", async () => {
  const reason = new Error("too late");
  const { context, checkpoints } = new RecordedContext({ signal: AbortSignal.abort(reason) });
  await assert.rejects(handler(context, { document: "notice" }), (error) => error === reason);
  assert.deepEqual(checkpoints, []);
});

test("a name that is no folder of documents is refused, and those there are are listed", async () => {
  const wrong = [
    "letters",
    "",
    ".",
    "..",
    "../documents/letter",
    "letter/",
    "LETTER",
    "render.py",
    "\0",
    1,
    null,
    ["letter"],
    undefined,
  ];
  for (const document of wrong) {
    await assert.rejects(listPages(folder, document), {
      name: "UnknownDocument",
      code: 5,
      message: /; there are: letter, notice$/,
    });
  }
  assert.equal((await listPages(folder, "letter")).length, 10);
});

test("an abort in the middle of a page ends the thread within 2 s", async () => {
  const thread = new Worker(new URL("../handler-thread.fixture.ts", import.meta.url), {
    workerData: {
      module: new URL("./recognize.ts", import.meta.url).href,
      input: { document: "letter" },
    },
  });
  const news: ThreadNews[] = [];
  const first = Promise.withResolvers<JsonObject>();
  thread.on("message", (message: ThreadNews) => {
    news.push(message);
    if ("checkpoint" in message) first.resolve(message.checkpoint);
  });
  assert.equal(pagesOf(await first.promise).length, 1);
  const exited = once(thread, "exit");
  const abortedAt = performance.now();
  thread.postMessage("abort");
  // Nobody terminates it: it ends by itself once the engine below it is gone.
  assert.deepEqual(await exited, [0]);
  const tookMs = performance.now() - abortedAt;
  assert.deepEqual(news.at(-1), { isReason: true });
  assert.ok(tookMs < 2_000, `took ${tookMs} ms`);
});
