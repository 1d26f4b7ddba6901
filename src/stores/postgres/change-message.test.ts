import assert from "node:assert/strict";
import test from "node:test";
import { decodeChangeMessage, encodeChangeMessage } from "./change-message.ts";

test("a message comes back as it was", () => {
  const message = { node: "n1", position: 42, types: ["vault.count", "ocr.größe"] };
  assert.deepEqual(decodeChangeMessage(encodeChangeMessage(message)), message);
});

test("types that do not fit are not named: any may be ready", () => {
  const types = Array.from({ length: 1000 }, (_, index) => `type.${index}`);
  const payload = encodeChangeMessage({ node: "n1", position: 7, types });
  assert.ok(Buffer.byteLength(payload) < 8000);
  assert.deepEqual(decodeChangeMessage(payload), { node: "n1", position: 7, types: null });
});

for (const payload of [
  "",
  "{",
  "null",
  "[]",
  '{"node":1,"position":2,"types":[]}',
  '{"node":"a","position":"2","types":[]}',
  '{"node":"a","position":2,"types":[3]}',
]) {
  test(`${JSON.stringify(payload)} is no message`, () => assert.equal(decodeChangeMessage(payload), null));
}
