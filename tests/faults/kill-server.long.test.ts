// 60 lives of a server, each ended by SIGKILL at a random moment under as many starts as it takes. How many a second it
// took is told, not asserted: a slow machine is no fault (a quiet one with two cores takes more than 500).
import assert from "node:assert/strict";
import { test } from "node:test";
import { killUnderLoad } from "./kill-rounds.ts";

test("60 kills under load lose no acknowledged start or cancel, leave no child, rerun nothing cancelled", async (context) => {
  const report = await killUnderLoad(60);
  context.diagnostic(JSON.stringify(report));
  assert.ok(report.starts > 60 * 50, `there was no load to speak of: ${report.starts} starts`);
  assert.ok(report.cancels > 60, `${report.cancels} cancels`);
});
