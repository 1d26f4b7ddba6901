// A chart is in proportion, readable on both themes, and safe from what its labels say.
import assert from "node:assert/strict";
import { test } from "node:test";
import { drawBarChart } from "./bar-chart.ts";

const bar = (label: string, value: number) =>
  ({ label, value, low: value * 0.9, high: value * 1.1, kind: "peer" }) as const;

test("the longest bar leaves room for its value, and the others are in proportion", () => {
  const svg = drawBarChart({ title: "t", subtitle: "s", bars: [bar("a", 100), bar("b", 50)] });
  const widths = [...svg.matchAll(/class="peer"[^>]* width="([\d.]+)"/g)].map(([, width]) => Number(width));
  const [first = 0, second = 0] = widths;
  assert.ok(Math.abs(first - 2 * second) < 0.2, `${widths}`);
  assert.ok(first * 1.1 <= 760 - 190 - 90 + 0.1);
});

test("a bar without a value is left out, and text is escaped", () => {
  const svg = drawBarChart({
    title: "a < b",
    subtitle: "s",
    bars: [bar("x & y", 1), bar("none", Number.NaN)],
  });
  assert.ok(!svg.includes("none"));
  assert.ok(svg.includes("a &#60; b") && svg.includes("x &#38; y"));
});

test("colours are set for light and for dark pages", () => {
  const svg = drawBarChart({ title: "t", subtitle: "s", bars: [bar("a", 1)] });
  assert.match(svg, /prefers-color-scheme: dark/);
  assert.match(svg, /class="page"/);
});
