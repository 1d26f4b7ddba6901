// Saving a model: both files, or none of them. Real files; the context is made by hand, or a worker's own.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import type { JsonObject } from "belayd/worker";
import { ExampleRun } from "../example-worker.fixture.ts";
import { RecordedContext } from "../recorded-context.fixture.ts";
import { operations } from "./operations.ts";
import { checkSettings, readSaveAs } from "./settings.ts";
import { handler } from "./train.ts";

const small = { epochs: 1, hidden: 8, imagesPerDigit: 20 };

async function models(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "belay-models-"));
  const before = process.env["AUTOML_MODELS"];
  process.env["AUTOML_MODELS"] = folder;
  t.after(async () => {
    if (before === undefined) delete process.env["AUTOML_MODELS"];
    else process.env["AUTOML_MODELS"] = before;
    await rm(folder, { recursive: true });
  });
  return folder;
}

test("saveAs leaves the weights and a card that knows them, and replaces those of before", async (t) => {
  const folder = await models(t);
  await writeFile(join(folder, "digits.f16"), "old");
  const answer = await handler(new RecordedContext().context, { ...small, saveAs: "digits" });
  assert.deepEqual((await readdir(folder)).sort(), ["digits.f16", "digits.json"]);
  const weights = await readFile(join(folder, "digits.f16"));
  const { weights: base64, ...shape } = answer["model"] as JsonObject;
  assert.equal(weights.toString("base64"), base64);
  const card = JSON.parse(await readFile(join(folder, "digits.json"), "utf8"));
  assert.deepEqual(card, {
    epoch: 1,
    validationAccuracy: answer["validationAccuracy"],
    testAccuracy: answer["accuracy"],
    trainingImages: answer["trainingImages"],
    testImages: answer["testImages"],
    ...shape,
    sha256: createHash("sha256").update(weights).digest("hex"),
  });
});

test("a cancel before the model is in place leaves the old one, and no draft", async (t) => {
  const folder = await models(t);
  await writeFile(join(folder, "digits.json"), "old");
  await using run = new ExampleRun();
  await run.start(operations, { type: "automl.train", input: { ...small, epochs: 1000, saveAs: "digits" } });
  await run.reported("checkpoint");
  run.cancel(5_000);
  const { abortCaused } = await run.reported("fail");
  assert.equal(abortCaused, true);
  assert.deepEqual(await readdir(folder), ["digits.json"]);
});

test("a model that cannot be put into place fails the operation, and leaves no draft", async (t) => {
  const folder = await models(t);
  await mkdir(join(folder, "digits.json"));
  await using run = new ExampleRun();
  await run.start(operations, { type: "automl.train", input: { ...small, saveAs: "digits" } });
  const { error } = await run.reported("fail");
  assert.match(error.message, /EISDIR|ENOTEMPTY|EEXIST/);
  const left = (await readdir(folder)).filter((name) => name.endsWith(".draft"));
  assert.deepEqual(left, []);
});

test("the name of a file is refused if it could be anything else", () => {
  for (const saveAs of ["", "../digits", "Digits", "a/b", ".hidden", "a".repeat(64), 1, {}]) {
    const [violation, ...more] = checkSettings({ saveAs });
    assert.deepEqual([violation?.field, more], ["saveAs", []]);
    assert.throws(() => readSaveAs({ saveAs }), { name: "InvalidPayload", code: 3, message: /^saveAs / });
  }
  assert.equal(readSaveAs({ saveAs: "digits-1" }), "digits-1");
  assert.equal(readSaveAs({}), null);
});
