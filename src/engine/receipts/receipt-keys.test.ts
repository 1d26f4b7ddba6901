import assert from "node:assert/strict";
import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { openReceiptKeys, principalHash } from "./receipt-keys.ts";

function newFolder(t: TestContext): string {
  const around = mkdtempSync(join(tmpdir(), "belay-receipts-"));
  t.after(() => rmSync(around, { recursive: true, force: true }));
  return join(around, "receipts");
}

test("nothing is written before a key is needed, and what is written is private", (t) => {
  const folder = newFolder(t);
  const keys = openReceiptKeys(folder);
  assert.deepEqual(keys.publicKeys(), {});
  assert.equal(existsSync(folder), false);
  keys.signing();
  keys.principalHash("user:ada");
  assert.equal(statSync(folder).mode & 0o777, 0o700);
  for (const name of ["signing-key.pem", "salt"])
    assert.equal(statSync(join(folder, name)).mode & 0o777, 0o600);
});

test("the key and the salt are the same after a start, and in a second process", (t) => {
  const folder = newFolder(t);
  const [one, two] = [openReceiptKeys(folder), openReceiptKeys(folder)];
  assert.equal(one.signing().keyId, two.signing().keyId);
  assert.equal(one.principalHash("user:ada"), two.principalHash("user:ada"));
  const later = openReceiptKeys(folder);
  assert.equal(later.signing().keyId, one.signing().keyId);
  assert.equal(later.principalHash("user:ada"), one.principalHash("user:ada"));
  assert.deepEqual(later.publicKeys(), one.publicKeys());
});

test("a new key signs after a rotation, and the old public keys stay", (t) => {
  const folder = newFolder(t);
  const keys = openReceiptKeys(folder);
  const before = keys.signing().keyId;
  const after = keys.rotate().keyId;
  assert.notEqual(after, before);
  assert.deepEqual(Object.keys(keys.publicKeys()).sort(), [after, before].sort());
  // By hand: the file goes, the next start makes another one.
  rmSync(join(folder, "signing-key.pem"));
  const reopened = openReceiptKeys(folder);
  reopened.signing();
  assert.equal(Object.keys(reopened.publicKeys()).length, 3);
});

test("the public key is on disk before the key signs, also where only its folder was lost", (t) => {
  const folder = newFolder(t);
  const { keyId } = openReceiptKeys(folder).signing();
  rmSync(join(folder, "public-keys"), { recursive: true });
  openReceiptKeys(folder).signing();
  assert.deepEqual(readdirSync(join(folder, "public-keys")), [keyId]);
});

test("a public key that does not have the id of its file name is not given out", (t) => {
  const folder = newFolder(t);
  const keys = openReceiptKeys(folder);
  const { keyId } = keys.signing();
  const path = join(folder, "public-keys", keyId);
  writeFileSync(
    path,
    readFileSync(path, "utf8").replace(/^./, (letter) => (letter === "A" ? "B" : "A")),
  );
  assert.deepEqual(keys.publicKeys(), {});
});

test("a key or salt that others may read, or that is something else, stops the start", (t) => {
  const folder = newFolder(t);
  const keys = openReceiptKeys(folder);
  keys.signing();
  keys.principalHash("");
  const [keyPath, saltPath] = [join(folder, "signing-key.pem"), join(folder, "salt")];
  const pem = readFileSync(keyPath, "utf8");
  chmodSync(keyPath, 0o644);
  assert.throws(() => openReceiptKeys(folder), /can be read by others/);
  chmodSync(keyPath, 0o600);
  writeFileSync(keyPath, "no key");
  assert.throws(() => openReceiptKeys(folder), /holds no private key/);
  writeFileSync(keyPath, pem);
  writeFileSync(saltPath, "c2hvcnQ");
  assert.throws(() => openReceiptKeys(folder), /holds no salt of 32 bytes/);
});

test("equal principals have equal hashes under one salt, and others under another", () => {
  const [salt, other] = [new Uint8Array(32).fill(1), new Uint8Array(32).fill(2)];
  assert.equal(principalHash(salt, "user:ada"), principalHash(salt, "user:ada"));
  assert.notEqual(principalHash(salt, "user:ada"), principalHash(salt, "user:adb"));
  assert.notEqual(principalHash(salt, "user:ada"), principalHash(other, "user:ada"));
  assert.match(principalHash(salt, ""), /^[\w-]{43}$/);
});
