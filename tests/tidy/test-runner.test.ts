// The test runner itself: what fails must be counted as failed. Each row is a small test file run for real.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { type FileResult, runTestFile } from "../../scripts/testing/run-test-file.ts";
import { testSteps } from "../../scripts/testing/test-steps.ts";
import { repositoryFiles } from "./source-tree.ts";

const folder = mkdtempSync(join(tmpdir(), "belay-runner-"));
after(() => rmSync(folder, { recursive: true, force: true }));

let count = 0;

async function runText(text: string, timeoutMs = 20_000): Promise<FileResult> {
  const file = `case-${count++}.test.mjs`;
  writeFileSync(join(folder, file), `import { describe, test } from "node:test";\n${text}`);
  return await runTestFile(file, { cwd: folder, timeoutMs });
}

function titles({ failures }: FileResult): string[] {
  return failures.map(({ title }) => title);
}

test("passed tests, subtests and skipped tests are counted apart; suites are not counted", async () => {
  const result = await runText(`
    test("a", () => {});
    describe("b", () => { test("c", () => {}); });
    test("d", async (t) => { await t.test("e", () => {}); t.diagnostic("a note"); });
    test("f", { skip: "no tool" }, () => {});
    test("g", { todo: true }, () => {});`);
  assert.equal(result.passed, 4);
  assert.deepEqual(result.skipped, ["f", "g"]);
  assert.deepEqual(result.failures, []);
  assert.deepEqual(result.notes, ["a note"]);
  assert.equal(result.output, "");
});

test("a failed subtest is one failure, with its path, its error and what the file printed", async () => {
  const result = await runText(`
    console.log("before");
    describe("outer", () => { test("middle", async (t) => { await t.test("inner", () => { throw new Error("it broke"); }); }); });
    test("fine", () => {});`);
  assert.deepEqual(titles(result), ["outer > middle > inner"]);
  assert.match(result.failures[0]?.detail ?? "", /it broke/);
  assert.equal(result.passed, 1);
  assert.equal(result.output, "before");
});

const wholeFiles: readonly [what: string, text: string, title: RegExp][] = [
  ["a file without a test", "", /has no test/],
  ["a file that throws while it loads", 'throw new Error("at load");', /exit code 1/],
  ["a file that exits early", 'test("a", () => { process.exit(0); });', /ended before/],
  [
    "a file that exits early after a passed test",
    'test("a", () => {}); test("b", () => { process.exit(0); });',
    /ended before/,
  ],
  ["a rejection that nobody handles", 'test("a", () => {}); Promise.reject(new Error("late"));', /./],
  [
    "a hook that fails",
    'import { after } from "node:test"; test("a", () => {}); after(() => { throw new Error("hook"); });',
    /./,
  ],
];
for (const [what, text, title] of wholeFiles) {
  test(`${what} has failed`, async () => {
    const result = await runText(text);
    assert.match(titles(result).join("\n"), title);
  });
}

test("a file that does not end is killed, and says which test was running", async () => {
  const hanging = await runText(
    'test("quick", () => {}); test("stuck", () => new Promise(() => { setInterval(() => {}, 1000); }));',
    2000,
  );
  assert.match(titles(hanging).join(), /killed after 2 s/);
  assert.match(hanging.failures[0]?.detail ?? "", /stuck/);
  const open = await runText('test("quick", () => {}); setInterval(() => {}, 1000);', 2000);
  assert.match(open.failures[0]?.detail ?? "", /keeps the process alive/);
});

test("a file that leaves a process behind has failed", async () => {
  const result = await runText(`
    import { spawn } from "node:child_process";
    test("a", () => { spawn("sleep", ["60"], { stdio: "ignore" }).unref(); });`);
  assert.deepEqual(titles(result), ["the file left processes behind"]);
});

test("every test file of the repository belongs to one step, and every step of the long run has a long file", () => {
  const folders = testSteps.flatMap((step) => (step.kind === "folder" ? [step.folder] : []));
  const files = repositoryFiles().filter((path) => path.endsWith(".test.ts"));
  const homeless = files.filter((path) => folders.filter((name) => path.startsWith(`${name}/`)).length !== 1);
  assert.deepEqual(homeless, []);
  const long = files.filter((path) => path.endsWith(".long.test.ts"));
  const forgotten = long.filter((path) => {
    return !testSteps.some(
      (step) => step.kind === "folder" && step.long && path.startsWith(`${step.folder}/`),
    );
  });
  assert.deepEqual(forgotten, []);
});
