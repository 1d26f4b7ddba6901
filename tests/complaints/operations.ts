// The work of the complaints: each handler writes what it does into a file that its payload names, so that a test sees it
// from outside.
import { appendFileSync } from "node:fs";
import { delay } from "../../src/base/timers.ts";
import { defineOperation, type OperationContext, type OperationDefinition } from "../../src/worker/worker.ts";

interface Payload {
  file?: string;
  ms?: number;
  children?: number;
}

function noteIn({ file }: Payload, line: string): void {
  if (file) appendFileSync(file, `${line}\n`);
}

/** Works in small steps until its time is over, or it is told to stop. */
async function work(context: OperationContext, payload: Payload): Promise<undefined> {
  const { ms = 0 } = payload;
  noteIn(payload, `begin ${context.name}`);
  context.signal.addEventListener("abort", () => noteIn(payload, `abort ${Date.now()}`));
  const endMs = performance.now() + ms;
  while (performance.now() < endMs) {
    noteIn(payload, "beat");
    await delay(20, context.signal);
  }
  noteIn(payload, "end");
  return undefined;
}

/** Counts, shows how far it is, and keeps what it has. */
async function count(context: OperationContext, payload: Payload): Promise<{ pages: number }> {
  for (let pages = 1; pages <= 100; pages++) {
    context.progress(pages, `page ${pages} of 100`);
    await context.checkpoint({ pages });
    noteIn(payload, `page ${pages}`);
    await delay(payload.ms ?? 0, context.signal);
  }
  return { pages: 100 };
}

async function readBook(context: OperationContext, payload: Payload): Promise<undefined> {
  const { children = 2, ms = 0, file = "" } = payload;
  const starts = Array.from({ length: children }, () =>
    context.start("page.read", { payload: { ms, file } }),
  );
  const pages = await Promise.all(starts);
  await Promise.all(pages.map((page) => page.wait()));
  return undefined;
}

export const operations: readonly OperationDefinition[] = [
  defineOperation({ type: "page.read", graceMs: 2000, killMs: 1000 }, work),
  defineOperation({ type: "page.count", graceMs: 2000, killMs: 1000 }, count),
  defineOperation({ type: "page.deaf", graceMs: 200, killMs: 300 }, async (_context, payload: Payload) => {
    noteIn(payload, "begin");
    await delay(payload.ms ?? 0);
    noteIn(payload, "end");
    return undefined;
  }),
  defineOperation(
    { type: "page.transfer", graceMs: 2000, killMs: 1000, criticalMs: 5000 },
    async (context, payload: Payload) => {
      await context.critical("moves the second half", async () => {
        noteIn(payload, "first half");
        await delay(payload.ms ?? 0);
        noteIn(payload, "second half");
      });
      return await work(context, { ...payload, ms: 60_000 });
    },
  ),
  defineOperation({ type: "page.book", graceMs: 2000, killMs: 1000 }, readBook),
  defineOperation({ type: "page.shelf", graceMs: 2000, killMs: 1000 }, async (context, payload: Payload) => {
    const book = await context.start("page.book", { payload: { ...payload } });
    await book.wait();
    return undefined;
  }),
  defineOperation({
    type: "page.spin",
    kind: "thread",
    graceMs: 60_000,
    killMs: 2000,
    module: new URL("./spin.ts", import.meta.url),
  }),
  defineOperation({
    type: "page.print",
    kind: "process",
    graceMs: 300,
    killMs: 2000,
    command: ({ file }) => [
      ...(["sh", "-c"] as const),
      `trap "" TERM
       sh -c 'trap "" TERM; echo $$ >> "$1"; while :; do sleep 0.05; done' child "$1" &
       echo $$ >> "$1"; while :; do echo beat >> "$1.beats"; sleep 0.05; done`,
      ...["sh", String(file)],
    ],
  }),
];
