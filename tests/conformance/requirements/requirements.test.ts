// The suite of requirements R1-R58: every row on its service and transport, and then the page that tells of them, which is
// made of this very run. BELAY_CONFORMANCE_URL points it at a server that is running (target.ts); with
// BELAY_CONFORMANCE_PAGE=write the page is written instead of compared (scripts/write-conformance.ts).
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { after, before, describe, test } from "node:test";
import { gunzipSync } from "node:zlib";
import { conformancePage, type Outcome } from "./conformance-page.ts";
import { requirements } from "./requirement-list.ts";
import { titleOf } from "./row.ts";
import { suiteRows } from "./suite-rows.ts";
import { openTarget, type Target } from "./target.ts";
import { apisFile, apisImage } from "./write-apis.ts";

const { BELAY_CONFORMANCE_URL: named, BELAY_CONFORMANCE_PAGE: page } = process.env;
const pageFile = new URL("../../../docs/reference/conformance.md", import.meta.url);

let target: Target;
before(async () => {
  target = await openTarget(named);
});
after(() => target[Symbol.asyncDispose]());

const outcomes = new Map<string, Outcome>();

describe("rows", { concurrency: 8 }, () => {
  for (const row of suiteRows) {
    const title = titleOf(row);
    test(title, async (t) => {
      if (!target.own && row.ownServer !== undefined) {
        t.skip(`it takes a server of our own: ${row.ownServer}`);
        return;
      }
      outcomes.set(title, "it did not end");
      try {
        await row.check(target.surface(...row.place));
        outcomes.set(title, null);
      } catch (error) {
        outcomes.set(title, String(error instanceof Error ? error.message : error).split("\n", 1)[0] ?? "");
        throw error;
      }
    });
  }
});

test("every requirement has rows, or a reason to be left out: R19 and R56 alone have one", () => {
  const checked = new Set(suiteRows.map(({ rule }) => rule));
  assert.deepEqual(
    requirements.map(({ rule }) => rule),
    Array.from({ length: 58 }, (_, index) => index + 1),
  );
  const leftOut = requirements.filter((one) => one.leftOut !== undefined).map(({ rule }) => rule);
  assert.deepEqual(leftOut, [19, 56]);
  for (const { rule } of requirements) assert.notEqual(checked.has(rule), leftOut.includes(rule), `R${rule}`);
});

test("no two rows have the same title", () => {
  const titles = suiteRows.map(titleOf);
  assert.deepEqual(
    titles.filter((title, index) => titles.indexOf(title) !== index),
    [],
  );
});

test("the descriptors that belay.yaml names are those of the fixture", () => {
  const written = gunzipSync(readFileSync(apisFile));
  const hint = "run: node tests/conformance/requirements/write-apis.ts";
  assert.ok(written.equals(Buffer.from(apisImage())), hint);
});

test("docs/reference/conformance.md is what this run came to", { skip: named !== undefined }, () => {
  const text = conformancePage(suiteRows, outcomes);
  if (page === "write") writeFileSync(pageFile, text);
  assert.equal(readFileSync(pageFile, "utf8"), text, "run: node scripts/write-conformance.ts");
});
