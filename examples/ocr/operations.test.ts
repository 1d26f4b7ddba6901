// ocr.recognize and yandex.recognize as the worker runs them.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { ExampleRun } from "../example-worker.fixture.ts";
import { checkDocument } from "./documents.ts";
import { operations } from "./operations.ts";
import { stackPages } from "./stack-pages.ts";

test("a cancel in the middle of a page stops ocr.recognize within 2 s, and the pages done are kept", async () => {
  await using run = new ExampleRun();
  await run.start(operations, { type: "ocr.recognize", input: { document: "letter" } });
  await run.reported("checkpoint");
  const cancelledAt = performance.now();
  run.cancel(5_000);
  const { abortCaused, evidence, mechanism } = await run.reported("fail");
  const tookMs = performance.now() - cancelledAt;
  assert.deepEqual(
    { abortCaused, evidence, mechanism },
    { abortCaused: true, evidence: "HANDLER_STOPPED", mechanism: "SIGNAL" },
  );
  assert.ok(tookMs < 2_000, `took ${tookMs} ms`);
  const { pages } = run.checkpoint as { pages: { page: number; text: string }[] };
  assert.equal(pages[0]?.page, 1);
  assert.match(pages[0].text, /^Dear Nora,\n/);
  assert.ok(pages.length < 10);
});

test("before a start, a document that is not there is told, and one that is there is not", () => {
  assert.deepEqual(checkDocument({ document: "letter" }), []);
  for (const document of ["diary", "../ocr", 1, null]) {
    const [violation] = checkDocument({ document });
    assert.equal(violation?.field, "document");
    assert.match(violation.description, /^there is no document .*; there are: letter, notice$/);
  }
  assert.deepEqual(checkDocument({}).length, 1);
});

test("ocr.recognize of a document that is not there fails with NOT_FOUND", async () => {
  await using run = new ExampleRun();
  await run.start(operations, { type: "ocr.recognize", input: { document: "diary" } });
  const { error, retryable } = await run.reported("fail");
  assert.deepEqual(error, { code: 5, message: 'there is no document "diary"; there are: letter, notice' });
  assert.equal(retryable, false);
});

test("a cancel in the middle of the page stops yandex.recognize within 2 s", async () => {
  const pages = Array.from({ length: 4 }, (_, index) =>
    readFile(new URL(`./documents/letter/page-0${index + 1}.png`, import.meta.url)),
  );
  const content = stackPages(await Promise.all(pages)).toString("base64");
  await using run = new ExampleRun();
  await run.start(operations, { type: "yandex.recognize", input: { content, mimeType: "image/png" } });
  await run.reported("progress", ({ percent }) => percent > 5);
  const cancelledAt = performance.now();
  run.cancel(5_000);
  const { abortCaused, evidence, mechanism } = await run.reported("fail");
  const tookMs = performance.now() - cancelledAt;
  assert.deepEqual(
    { abortCaused, evidence, mechanism },
    { abortCaused: true, evidence: "HANDLER_STOPPED", mechanism: "SIGNAL" },
  );
  assert.ok(tookMs < 2_000, `took ${tookMs} ms`);
});

test("yandex.recognize of a PDF fails with INVALID_ARGUMENT", async () => {
  await using run = new ExampleRun();
  const input = { content: "JVBERi0xLjc=", mimeType: "application/pdf" };
  await run.start(operations, { type: "yandex.recognize", input });
  const { error } = await run.reported("fail");
  const message = 'mime_type "application/pdf" is not read here; image/png and image/jpeg are';
  assert.deepEqual(error, { code: 3, message });
});
