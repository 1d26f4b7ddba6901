// Resume tokens: sealed, bound to a service and a tenant.
import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { randomKey } from "../base/random.ts";
import { sealPageToken } from "./page-token.ts";
import { openResumeToken, sealResumeToken } from "./resume-token.ts";

const key = { id: 7, bytes: randomKey(32) };
const keyBytes = (id: number): Uint8Array | undefined => (id === key.id ? key.bytes : undefined);
const scope = { service: "default", tenant: "a" };
const refused = { reason: "INVALID_RESUME_TOKEN" };

test("a token opens to the position it was sealed with", () => {
  fc.assert(
    fc.property(fc.nat({ max: Number.MAX_SAFE_INTEGER }), fc.nat(), (position, sealTime) => {
      const told = { position, sealTime };
      assert.deepEqual(openResumeToken(sealResumeToken(key, scope, told), keyBytes, scope), told);
    }),
  );
});

test("every changed character of a token is refused", () => {
  const token = sealResumeToken(key, scope, { position: 123, sealTime: 1 });
  for (let at = 0; at < token.length; at++) {
    const changed = token.slice(0, at) + (token[at] === "A" ? "B" : "A") + token.slice(at + 1);
    assert.throws(() => openResumeToken(changed, keyBytes, scope), refused, `character ${at}`);
  }
});

for (const token of ["", "x", "not a token", "A".repeat(60), "A".repeat(5000)]) {
  test(`${JSON.stringify(token.slice(0, 12))} of ${token.length} characters is no token`, () => {
    assert.throws(() => openResumeToken(token, keyBytes, scope), refused);
  });
}

test("a token is no other tenant's, no other service's, and no page token", () => {
  const token = sealResumeToken(key, scope, { position: 1, sealTime: 1 });
  assert.throws(() => openResumeToken(token, keyBytes, { ...scope, tenant: "b" }), refused);
  assert.throws(() => openResumeToken(token, keyBytes, { ...scope, service: "vault" }), refused);
  assert.throws(() => openResumeToken(token, () => undefined, scope), refused);
  const page = sealPageToken(key, { ...scope, parent: "", filter: "" }, { createTime: 1, id: "" }, 1);
  assert.throws(() => openResumeToken(page, keyBytes, scope), refused);
});
