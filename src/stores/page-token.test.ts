// Page tokens: sealed, bound to their request, short-lived (AIP-158).
import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { randomKey } from "../base/random.ts";
import { openPageToken, PAGE_TOKEN_LIFETIME, type PageScope, sealPageToken } from "./page-token.ts";

const key = { id: 7, bytes: randomKey(32) };
const keyBytes = (id: number): Uint8Array | undefined => (id === key.id ? key.bytes : undefined);
const scope: PageScope = { service: "default", tenant: "a", parent: "projects/p", filter: "done=true" };
const position = { createTime: 1_795_000_000_123_456, id: "opr0mh1k2j3c4v5b6n7q8" };
const NOW = 1_795_000_500_000_000;

const refused = { reason: "INVALID_PAGE_TOKEN" };

test("a token opens to the position it was sealed with", () => {
  fc.assert(
    fc.property(fc.nat(), fc.string({ maxLength: 60 }), fc.string(), (createTime, id, filter) => {
      const of = { ...scope, filter };
      const token = sealPageToken(key, of, { createTime, id: id.toWellFormed() }, NOW);
      assert.deepEqual(openPageToken(token, keyBytes, of, NOW), { createTime, id: id.toWellFormed() });
    }),
  );
});

test("a token is URL-safe and shows nothing of its position", () => {
  const token = sealPageToken(key, scope, position, NOW);
  assert.match(token, /^[A-Za-z0-9_-]+$/);
  assert(!Buffer.from(token, "base64url").includes(position.id));
});

test("every changed character of a token is refused", () => {
  const token = sealPageToken(key, scope, position, NOW);
  const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  for (let at = 0; at < token.length; at++) {
    for (const char of alphabet) {
      if (char === token[at]) continue;
      const changed = token.slice(0, at) + char + token.slice(at + 1);
      assert.throws(
        () => openPageToken(changed, keyBytes, scope, NOW),
        refused,
        `character ${at} as ${char}`,
      );
    }
  }
});

// The same bytes in other spellings: only the token that was given out is one.
for (const change of ["=", "==", " ", "A", "\n"]) {
  test(`a token with ${JSON.stringify(change)} behind it is refused`, () => {
    const token = sealPageToken(key, scope, position, NOW);
    assert.throws(() => openPageToken(token + change, keyBytes, scope, NOW), refused);
  });
}

for (const text of ["", "x", "AAAA", "A".repeat(100), "é", "A".repeat(5000)]) {
  test(`the text ${JSON.stringify(text.slice(0, 12))} of ${text.length} characters is no token`, () => {
    assert.throws(() => openPageToken(text, keyBytes, scope, NOW), refused);
  });
}

const others: Partial<PageScope>[] = [{ service: "vault" }, { tenant: "b" }, { parent: "" }, { filter: "" }];
for (const other of others) {
  test(`a token of another request is refused: ${JSON.stringify(other)}`, () => {
    const token = sealPageToken(key, scope, position, NOW);
    assert.throws(() => openPageToken(token, keyBytes, { ...scope, ...other }, NOW), refused);
  });
}

test("the parts of the scope cannot be shifted against each other", () => {
  const token = sealPageToken(key, { ...scope, service: "ab", tenant: "c" }, position, NOW);
  assert.throws(() => openPageToken(token, keyBytes, { ...scope, service: "a", tenant: "bc" }, NOW), refused);
});

test("a token lives for three days and not longer", () => {
  const token = sealPageToken(key, scope, position, NOW);
  assert.deepEqual(openPageToken(token, keyBytes, scope, NOW + PAGE_TOKEN_LIFETIME), position);
  assert.throws(() => openPageToken(token, keyBytes, scope, NOW + PAGE_TOKEN_LIFETIME + 1), refused);
});

test("a token of a key that is gone is refused", () => {
  const token = sealPageToken({ id: 6, bytes: randomKey(32) }, scope, position, NOW);
  assert.throws(() => openPageToken(token, keyBytes, scope, NOW), refused);
});

test("the same position is sealed differently each time", () => {
  assert.notEqual(sealPageToken(key, scope, position, NOW), sealPageToken(key, scope, position, NOW));
});
