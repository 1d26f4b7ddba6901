import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { type BarContent, ProgressBar, renderBar } from "./progress-bar.ts";

const content: BarContent = {
  name: "operations/opr1",
  state: "RUNNING",
  percent: 42.9,
  message: "page 3 of 7",
  elapsedMs: 12_300,
};

test("the bar is filled by the percent, rounded down", () => {
  assert.equal(
    renderBar(content, 100),
    `operations/opr1 RUNNING [${"#".repeat(12)}${"-".repeat(18)}] 42% 12.3s page 3 of 7`,
  );
});

test("without progress the bar is empty and no percent is shown", () => {
  const line = renderBar({ ...content, percent: undefined, message: "" }, 80);
  assert.equal(line, `operations/opr1 RUNNING [${"-".repeat(30)}] 12.3s`);
});

test("a narrow terminal gets no bar", () => {
  assert.equal(renderBar(content, 40), "operations/opr1 RUNNING 42% 12.3s page 3");
});

test("the line is never wider than the terminal and holds no control character", () => {
  const contents = fc.record({
    name: fc.string(),
    state: fc.constantFrom("PENDING", "RUNNING"),
    percent: fc.option(fc.double({ min: -10, max: 200, noNaN: true }), { nil: undefined }),
    message: fc.string({ unit: "binary" }),
    elapsedMs: fc.integer({ min: 0, max: 1e10 }),
  });
  fc.assert(
    fc.property(contents, fc.integer({ min: 0, max: 300 }), (value, columns) => {
      const line = renderBar(value, columns);
      assert.ok(line.length <= columns);
      // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
      assert.doesNotMatch(line, /[\u0000-\u001f\u007f-\u009f]/);
    }),
  );
});

test("the bar draws over itself, only when it changed, and clears its line", () => {
  const written: string[] = [];
  const bar = new ProgressBar({ columns: 40, write: (text) => written.push(text) });
  bar.clear();
  bar.draw(content);
  bar.draw(content);
  bar.draw({ ...content, percent: 50 });
  bar.clear();
  bar.clear();
  assert.equal(written.length, 3);
  assert.ok(written.every((text) => text.startsWith("\r") && text.endsWith("\u001b[K")));
  assert.equal(written[2], "\r\u001b[K");
});
