// A server killed with SIGKILL under load: a few kills with every change. kill-server.long.test.ts has many.
import assert from "node:assert/strict";
import { test } from "node:test";
import { killUnderLoad } from "./kill-rounds.ts";

test("5 kills under load lose no acknowledged start or cancel, leave no child, rerun nothing cancelled", async (context) => {
  const report = await killUnderLoad(5);
  context.diagnostic(JSON.stringify(report));
  assert.ok(report.starts > 0 && report.cancels > 0);
});
