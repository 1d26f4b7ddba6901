// The page and the charts say what results.json says.
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { performancePage } from "./performance-page.ts";
import type { Results } from "./results-page.ts";

const rounds = [90, 100, 110];
const row = (suite: string, name: string) => ({
  ...{ suite, name, rounds, value: 100, unit: "1/s", target: "-", met: true },
  ...{ commit: "abc1234", date: "2026-11-22" },
});
const results: Results = {
  machine: "2 cores",
  versions: { node: "24.0.0", postgres: "18.4" },
  results: [
    row("peer-live-500", "live-500 belay"),
    row("peer-live-500", "live-500 pg-boss-tuned"),
    { ...row("peer-live-500", "live-500 belay / bare"), value: 0.7, unit: "x", target: ">= 0.6" },
  ],
};

test("a chart has a bar for each subject, and none for a ratio", () => {
  const { page, images } = performancePage(results);
  assert.deepEqual([...images.keys()], ["live-500.svg"]);
  assert.equal(images.get("live-500.svg")?.match(/<rect class="(own|peer)"/g)?.length, 2);
  assert.match(page, /live-500 belay \/ bare \| 0\.700 x .* >= 0\.6: met/);
});

test("chapters that were not measured are left out", () => {
  const { page } = performancePage(results);
  assert.ok(!page.includes("## On SQLite"));
  assert.ok(page.includes("PostgreSQL"));
});

test("the page that is there is the one of results.json", () => {
  const page = new URL("../docs/guide/performance.md", import.meta.url);
  if (!existsSync(page)) return;
  const text = readFileSync(new URL("results.json", import.meta.url), "utf8");
  assert.equal(readFileSync(page, "utf8"), performancePage(JSON.parse(text) as Results).page);
});
