// docs/internals/state-machine.md says what the code does: its tables are made by `transition`, its invariants are those
// that the tests evaluate.
import assert from "node:assert/strict";
import { test } from "node:test";
import { currentPage, generatedPage, pagePath } from "../../scripts/generate-state-machine.ts";
import { invariants } from "../../src/engine/invariants.ts";

test(`the tables of ${pagePath} are what scripts/generate-state-machine.ts writes`, () => {
  assert.equal(currentPage(), generatedPage(currentPage()), "run: node scripts/generate-state-machine.ts");
});

test("the page names every invariant that the tests evaluate", () => {
  const page = currentPage();
  assert.deepEqual(
    invariants.filter(({ id }) => !page.includes(`| ${id} |`)).map(({ id }) => id),
    [],
  );
});

test("a page without a marker is refused", () => {
  assert.throws(() => generatedPage("# nothing"), /has no <!-- generated: edges -->/);
});
