import assert from "node:assert/strict";
import { test } from "node:test";
import { HashedTokens, tokenHash } from "./token-hash.ts";

test("an entry is found by the hash of its token, and by no hash that only begins alike", () => {
  const hash = tokenHash("a").toString("hex");
  const twin = `${hash.slice(0, 8)}${"0".repeat(56)}`;
  const tokens = new HashedTokens([{ sha256: twin }, { sha256: hash }, { sha256: "f".repeat(64) }]);
  assert.equal(tokens.find(tokenHash("a"))?.sha256, hash);
  assert.equal(tokens.find(tokenHash("b")), undefined);
  assert.equal(tokens.find(Buffer.from(`${hash.slice(0, 62)}00`, "hex")), undefined);
  assert.equal(tokens.find(Buffer.from(twin, "hex"))?.sha256, twin);
});
