// The invented mail is the same everywhere, and appears whole.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdtemp, readdir, readFile, rm, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { makeCorpus, people } from "./make-corpus.ts";

const { signal } = new AbortController();

async function temporaryFolder(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "belay-corpus-"));
  t.after(() => rm(folder, { recursive: true }));
  return folder;
}

async function hashOf(folder: string): Promise<string> {
  const hash = createHash("sha256");
  for (const name of (await readdir(folder)).sort()) hash.update(await readFile(join(folder, name)));
  return hash.digest("hex");
}

test("the same size gives the same bytes, in one run or in two at the same time", async (t) => {
  const folder = await temporaryFolder(t);
  const written: number[] = [];
  await makeCorpus(folder, { bytes: 800_000, signal, progress: (bytes) => written.push(bytes) });
  const names = await readdir(folder);
  assert.deepEqual(
    names.sort(),
    people.map((owner) => `${owner}@example.com.mbox`),
  );
  assert.equal(await hashOf(folder), "3aebe377e5b1eb6bd5e6820a75bc4033ff6fefe3475119baae17477aa3e01a6b");
  assert.deepEqual(
    written,
    [...written].sort((a, b) => a - b),
  );
});

test("mailboxes that are there are kept, and one that is missing is made", async (t) => {
  const folder = await temporaryFolder(t);
  for (const owner of people.slice(1)) await writeFile(join(folder, `${owner}@example.com.mbox`), "kept");
  await makeCorpus(folder, { bytes: 8_000, signal });
  const sizes = await Promise.all(
    people.map(async (owner) => (await readFile(join(folder, `${owner}@example.com.mbox`))).length),
  );
  assert.ok(sizes[0]! >= 1_000, `${sizes[0]} bytes`);
  assert.deepEqual(
    sizes.slice(1),
    people.slice(1).map(() => 4),
  );
});

test("an abort leaves no unfinished mailbox, and what a killed run left is removed", async (t) => {
  const folder = await temporaryFolder(t);
  const stale = join(folder, ".ada.1-0.partial");
  await writeFile(stale, "half");
  await utimes(stale, 0, 0);
  await writeFile(join(folder, ".ben.2-0.partial"), "another run writes here");
  const controller = new AbortController();
  const made = makeCorpus(folder, {
    bytes: 80_000_000,
    signal: controller.signal,
    progress: () => controller.abort(new Error("stop")),
  });
  await assert.rejects(made, { name: "AbortError" });
  assert.deepEqual(await readdir(folder), [".ben.2-0.partial"]);
});
