import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { TokenCache } from "./token-cache.ts";
import type { VerifiedToken } from "./verified-token.ts";

const tokenUntil = (expiresAt: number): VerifiedToken => ({
  principal: { id: "user:ada", tenant: "default", scopes: null, grants: null },
  expiresAt,
  revocableId: null,
});

test("no entry is answered at or after its token's end, or five minutes after it was kept", () => {
  const times = fc.integer({ min: 0, max: 1_000_000_000 });
  fc.assert(
    fc.property(times, times, times, (kept, life, later) => {
      const cache = new TokenCache();
      const token = tokenUntil(kept + life);
      cache.set("x", token, kept);
      const isGood = life > 0 && later < Math.min(life, 300_000_000);
      assert.equal(cache.get("x", kept + later), isGood ? token : undefined);
    }),
  );
});

test("a full cache lets the one go that came first", () => {
  const cache = new TokenCache(2);
  for (const hash of ["a", "b", "c"]) cache.set(hash, tokenUntil(100), 0);
  assert.deepEqual(
    ["a", "b", "c"].map((hash) => cache.get(hash, 1) !== undefined),
    [false, true, true],
  );
});
