import assert from "node:assert/strict";
import { test } from "node:test";
import { recordedCall } from "../../testing/recorded-call.ts";
import { idempotencyKeyOf } from "./idempotency-key.ts";

const KEY = "5f0c1a52-8a1e-4d0e-9d62-0d1f4c7f3b1a";
const keyOf = (key: string): string =>
  idempotencyKeyOf(recordedCall({ requestHeaders: { "idempotency-key": key } }));

test("a call without the header has no key", () => {
  assert.equal(idempotencyKeyOf(recordedCall()), "");
});

test("a UUID of any version is taken, and its case makes no difference", () => {
  assert.equal(keyOf(KEY), KEY);
  assert.equal(keyOf(KEY.toUpperCase()), KEY);
  assert.equal(keyOf("01890a5d-ac96-774b-bcce-b302099a8057"), "01890a5d-ac96-774b-bcce-b302099a8057");
});

for (const key of [
  "",
  "1",
  `{${KEY}}`,
  `${KEY} `,
  KEY.replaceAll("-", ""),
  `${KEY}, ${KEY}`,
  "x".repeat(36),
]) {
  test(`the key ${JSON.stringify(key)} is refused`, () => {
    assert.throws(() => keyOf(key), {
      reason: "INVALID_FIELD",
      message: "idempotency-key: must be a UUID such as 5f0c1a52-8a1e-4d0e-9d62-0d1f4c7f3b1a",
    });
  });
}
