// What is swept, and what is left alone, with real processes.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { test } from "node:test";
import { createPartialFolder, sweepPartialFolders } from "./partial-folders.ts";

const module = new URL("./partial-folders.ts", import.meta.url).href;

test("the folder of a process that is gone is swept, that of a living one is not", async (t) => {
  const output = await mkdtemp(join(tmpdir(), "belay-partial-"));
  t.after(() => rm(output, { recursive: true }));
  const own = await createPartialFolder(output, "opr1");
  const script = `import { createPartialFolder } from ${JSON.stringify(module)};
    await createPartialFolder(${JSON.stringify(output)}, "opr2");
    console.log("made"); setInterval(() => {}, 1000);`;
  const other = spawn(process.execPath, ["--input-type=module", "-e", script], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  t.after(() => other.kill("SIGKILL"));
  await once(other.stdout, "data");
  const [others] = (await readdir(join(output, ".partial"))).filter((name) => name.startsWith("opr2."));
  await writeFile(join(output, ".partial", others!, "00000.ts"), "segment");
  assert.deepEqual(await sweepPartialFolders(output), []);

  other.kill("SIGKILL");
  await once(other, "exit");
  assert.deepEqual(await sweepPartialFolders(output), [others]);
  assert.deepEqual(await readdir(join(output, ".partial")), [basename(own)]);
});

test("a folder whose number is another process's by now is swept, and what has no number is not", async (t) => {
  const output = await mkdtemp(join(tmpdir(), "belay-partial-"));
  t.after(() => rm(output, { recursive: true }));
  await mkdir(join(output, `.partial/opr1.${process.pid}.1`), { recursive: true });
  await mkdir(join(output, ".partial/by-somebody"));
  await mkdir(join(output, "opr0.1.1"));
  assert.deepEqual(await sweepPartialFolders(output), [`opr1.${process.pid}.1`]);
  assert.deepEqual(await readdir(join(output, ".partial")), ["by-somebody"]);
  assert.deepEqual(await readdir(output), [".partial", "opr0.1.1"]);
});

test("an output folder that is not there yet has nothing to sweep", async () => {
  assert.deepEqual(await sweepPartialFolders(join(tmpdir(), "belay-no-such-folder")), []);
});
