// The command by itself: what it may read and what it tells.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Readable, Writable } from "node:stream";
import { text } from "node:stream/consumers";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";

const command = fileURLToPath(new URL("./checksum.ts", import.meta.url));
let top = "";
let root = "";

before(async () => {
  top = await mkdtemp(join(tmpdir(), "belay-checksum-"));
  root = join(top, "root");
  await mkdir(join(root, "a/b"), { recursive: true });
  await mkdir(join(root, "empty"));
  await mkdir(join(top, "root-outside"));
  await writeFile(join(top, "root-outside/secret"), "secret");
  await writeFile(join(root, "a/b/one"), "abc");
  await writeFile(join(root, "a/two"), "");
  await symlink(join(top, "root-outside"), join(root, "link"));
  await symlink(join(top, "root-outside/secret"), join(root, "a/link"));
});

after(() => rm(top, { recursive: true }));

async function run(
  input: string,
): Promise<{ code: unknown; stdout: string; stderr: string; notes: unknown[] }> {
  const child = spawn(process.execPath, [command, root], { stdio: ["pipe", "pipe", "pipe", "pipe"] });
  const [stdin, ...outputs] = child.stdio as unknown as [Writable, Readable, Readable, Readable];
  stdin.end(input);
  const [[code], stdout, stderr, notes] = await Promise.all([
    once(child, "close"),
    ...outputs.map((each) => text(each)),
  ]);
  const lines = (notes ?? "").split("\n").filter((line) => line !== "");
  return { code, stdout: stdout ?? "", stderr: stderr ?? "", notes: lines.map((line) => JSON.parse(line)) };
}

test("every file below the folder has its line, and links are not followed", async () => {
  const { code, stdout, notes } = await run('{"folder": "."}');
  assert.equal(code, 0);
  // FIPS 180-2 gives the first as its example; the second is that of nothing.
  assert.equal(
    stdout,
    "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad  a/b/one\n" +
      "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855  a/two\n",
  );
  assert.deepEqual(notes.at(0), { percent: 0, message: "file 1 of 2", checkpoint: { files: 0, bytes: 0 } });
  assert.deepEqual(notes.at(-1), { percent: 100, message: "2 files", checkpoint: { files: 2, bytes: 3 } });
});

test("an empty folder has no lines", async () => {
  const { code, stdout, notes } = await run('{"folder": "empty"}');
  assert.deepEqual({ code, stdout }, { code: 0, stdout: "" });
  assert.deepEqual(notes, [{ percent: 100, message: "0 files", checkpoint: { files: 0, bytes: 0 } }]);
});

test("a folder that is not in the root is refused with exit code 2", async () => {
  for (const folder of ["..", "../root-outside", "link", "/", "absent", "a/b/one"]) {
    const { code, stdout, stderr } = await run(JSON.stringify({ folder }));
    assert.deepEqual({ folder, code, stdout }, { folder, code: 2, stdout: "" });
    assert.equal(stderr, `checksum: there is no folder ${JSON.stringify(folder)} here\n`);
  }
  for (const input of ["{}", "no json"]) {
    const { code, stdout } = await run(input);
    assert.deepEqual({ input, code, stdout }, { input, code: 2, stdout: "" });
  }
  assert.match((await run("{}")).stderr, /folder is missing; it must be a text/);
});
