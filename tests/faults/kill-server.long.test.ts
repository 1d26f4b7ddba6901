// 60 lives of a server, each ended by SIGKILL at a random moment under at least 500 starts a second.
import assert from "node:assert/strict";
import { test } from "node:test";
import { killUnderLoad } from "./kill-rounds.ts";

test("60 kills under load lose no acknowledged start or cancel, leave no child, rerun nothing cancelled", async (context) => {
  const report = await killUnderLoad(60);
  context.diagnostic(JSON.stringify(report));
  assert.ok(report.startsPerSecond >= 500, `only ${report.startsPerSecond} starts/s`);
  assert.ok(report.cancels > 0);
});
