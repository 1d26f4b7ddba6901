import assert from "node:assert/strict";
import { appendFileSync, chmodSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { RpcError } from "../../base/rpc-error.ts";
import { NOW_SECONDS, refusalOf, settableClock, temporaryFolder } from "./auth.fixture.ts";
import { RevokedTokens } from "./revoked-tokens.ts";

const IN_AN_HOUR = (NOW_SECONDS + 3600) * 1_000_000;

test("a list that was added to at once is read again, without what has ended and without half a line", async (t) => {
  const path = join(temporaryFolder(t), "identity", "revoked-tokens");
  const clock = settableClock();
  const list = new RevokedTokens(path, clock);
  await Promise.all(["a1", "b2", "c3"].map((id) => list.add(id, IN_AN_HOUR)));
  await list.add("d4", (NOW_SECONDS + 1) * 1_000_000);
  await list.close();
  appendFileSync(path, "e5 18000");
  clock.seconds += 10;
  const again = new RevokedTokens(path, clock);
  assert.deepEqual(
    ["a1", "b2", "c3", "d4", "e5"].map((id) => again.has(id)),
    [true, true, true, false, false],
  );
  assert.equal(readFileSync(path, "utf8").split("\n").length, 4);
});

test("a list that others can read is not trusted", (t) => {
  const path = join(temporaryFolder(t), "revoked-tokens");
  writeFileSync(path, "");
  chmodSync(path, 0o644);
  assert.throws(() => new RevokedTokens(path, settableClock()), /can be read by others; chmod 600 it/);
});

test("a revocation that cannot be written is not acknowledged, but holds; the next one writes both", async (t) => {
  const folder = join(temporaryFolder(t), "identity");
  const path = join(folder, "revoked-tokens");
  // The folder's place is taken by a file.
  writeFileSync(folder, "");
  const list = new RevokedTokens(path, settableClock());
  t.after(() => list.close());
  assert.equal(await refusalOf(() => list.add("a1", IN_AN_HOUR)), "STORAGE_UNAVAILABLE");
  assert.ok(list.has("a1"));
  rmSync(folder);
  mkdirSync(folder);
  await list.add("b2", IN_AN_HOUR);
  assert.equal(readFileSync(path, "utf8"), `a1 ${NOW_SECONDS + 3600}\nb2 ${NOW_SECONDS + 3600}\n`);
});

test("a full list drops what has ended, and refuses more after that", async () => {
  const clock = settableClock();
  const list = new RevokedTokens(null, clock, 2);
  await list.add("a1", (NOW_SECONDS + 1) * 1_000_000);
  await list.add("b2", IN_AN_HOUR);
  await assert.rejects(
    list.add("c3", IN_AN_HOUR),
    (error) =>
      error instanceof RpcError && error.message === "revoked tokens is at its limit of 2; retry later",
  );
  clock.seconds += 1;
  await list.add("c3", IN_AN_HOUR);
  assert.deepEqual([list.has("a1"), list.has("b2"), list.has("c3")], [false, true, true]);
});
