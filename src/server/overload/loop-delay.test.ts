import assert from "node:assert/strict";
import { test } from "node:test";
import { eventually } from "../../testing/eventually.ts";
import { LoopDelay } from "./loop-delay.ts";

test("only a delay that every one of the last turns had counts", () => {
  const delay = new LoopDelay();
  const seen = [400, 3, 300, 280, 260, 0].map((lateMs) => {
    delay.sample(lateMs);
    return delay.delayMs;
  });
  assert.deepEqual(seen, [0, 0, 3, 3, 260, 0]);
});

test("a busy loop is measured while calls come, and forgotten when they do not", async () => {
  const delay = new LoopDelay();
  const until = performance.now() + 1500;
  await eventually("a standing delay", () => {
    delay.touch();
    const turnEnd = performance.now() + 60;
    while (performance.now() < turnEnd) Math.sqrt(turnEnd);
    return delay.delayMs > 20 || performance.now() > until;
  });
  assert.ok(delay.delayMs > 20, `${delay.delayMs} ms`);
  await eventually("it is forgotten", () => delay.delayMs === 0);
});
