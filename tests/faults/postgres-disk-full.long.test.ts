// A database whose disk is full, as a real file system: a tablespace on a small one, mounted in a mount namespace of its own.
// Needs root, unshare and mount; where one is missing the test fails.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const program = fileURLToPath(new URL("./full-database-program.ts", import.meta.url));

test("a full disk of the database: RESOURCE_EXHAUSTED, reads work on, and writes again once there is room", (context) => {
  const result = spawnSync("unshare", ["-m", process.execPath, program], { encoding: "utf8" });
  assert.equal(result.error, undefined, "unshare runs");
  assert.equal(result.status, 0, result.stdout + result.stderr);
  context.diagnostic(result.stdout.trim());
  assert.match(result.stdout, /whole\n$/);
});
