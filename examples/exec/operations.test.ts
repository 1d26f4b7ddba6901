// The commands as the worker runs them.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { test } from "node:test";
import { ExampleRun } from "../example-worker.fixture.ts";
import { countdownCommand, operations } from "./operations.ts";

test("exec.countdown tells how far it is and answers what it printed", async () => {
  await using run = new ExampleRun();
  await run.start(operations, { type: "exec.countdown", input: { from: 1 } });
  const { response } = await run.reported("complete");
  const { exitCode, stdout } = response ?? {};
  assert.deepEqual({ exitCode, stdout }, { exitCode: 0, stdout: "counted down from 1\n" });
  const { percent, message } = await run.reported("progress");
  assert.deepEqual({ percent, message }, { percent: 0, message: "1 left" });
  assert.deepEqual(run.checkpoint, { from: 1, left: 1 });
});

test("a cancel ends exec.countdown by SIGTERM, and where it stopped is in the checkpoint", async () => {
  await using run = new ExampleRun();
  await run.start(operations, { type: "exec.countdown", input: { from: 60 } });
  await run.reported("checkpoint");
  run.cancel(10_000);
  const { evidence, mechanism } = await run.reported("stopped");
  assert.deepEqual({ evidence, mechanism }, { evidence: "PROCESS_EXITED", mechanism: "SIGTERM" });
  assert.deepEqual(run.checkpoint, { from: 60, left: 60 });
});

test("a stubborn countdown is killed when its grace is over", async () => {
  await using run = new ExampleRun();
  await run.start(operations, { type: "exec.countdown", input: { from: 60, stubborn: true } });
  await run.reported("checkpoint");
  run.cancel(200);
  const { evidence, mechanism } = await run.reported("stopped");
  assert.deepEqual({ evidence, mechanism }, { evidence: "PROCESS_EXITED", mechanism: "SIGKILL" });
});

test("a payload that exec.countdown cannot take fails with INVALID_ARGUMENT", async () => {
  for (const from of [0, 1.5, -1, 3_601, "60; rm", null]) {
    assert.throws(() => countdownCommand({ from }), {
      code: 3,
      message: /is not a whole number from 1 to 3600$/,
    });
  }
  assert.throws(() => countdownCommand({ stubborn: "yes" }), { code: 3 });
  await using run = new ExampleRun();
  await run.start(operations, { type: "exec.countdown", input: { from: 0 } });
  const { error } = await run.reported("fail");
  assert.deepEqual(error, { code: 3, message: "from 0 is not a whole number from 1 to 3600" });
});

test("exec.checksum answers the SHA-256 of every file", async () => {
  await using run = new ExampleRun();
  await run.start(operations, { type: "exec.checksum", input: { folder: "examples/ocr/documents/letter" } });
  const { response } = await run.reported("complete");
  const folder = new URL("../ocr/documents/letter/", import.meta.url);
  const lines: string[] = [];
  for (const name of (await readdir(folder)).sort()) {
    const content = await readFile(new URL(name, folder));
    lines.push(`${createHash("sha256").update(content).digest("hex")}  ${name}\n`);
  }
  assert.equal(lines.length, 11);
  const { stdout } = response ?? {};
  assert.equal(stdout, lines.join(""));
});

test("exec.checksum fails for a folder outside its root, and says why", async () => {
  await using run = new ExampleRun();
  await run.start(operations, { type: "exec.checksum", input: { folder: ".." } });
  const { error } = await run.reported("fail");
  assert.deepEqual(error, {
    code: 2,
    message: 'the command exited with code 2: checksum: there is no folder ".." here',
  });
});
