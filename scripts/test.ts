// `npm test` and `npm run test:full` (--full): runs the steps of testing/test-steps.ts, shows each with its time, and ends with
// the plain line `N passed, N failed`. For developers: `npm test -- --only units,tidy`, or `npm test -- <test files>`.
import { spawn, spawnSync } from "node:child_process";
import { existsSync, globSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { POSTGRES_FOLDER, startRunPostgres } from "./testing/run-postgres.ts";
import { type FileResult, killRunningFiles, runTestFile, type TestFailure } from "./testing/run-test-file.ts";
import { type CommandStep, type FolderStep, LANES, testSteps } from "./testing/test-steps.ts";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const isCi = process.env["CI"] === "true";

interface StepResult {
  name: string;
  passed: number;
  skipped: number;
  failed: number;
  durationMs: number;
}

function seconds(durationMs: number): string {
  return `${(durationMs / 1000).toFixed(1)} s`;
}

function indent(text: string): string {
  return text === "" ? "" : `${text.replace(/^/gm, "      ")}\n`;
}

function printFailure(where: string, failure: TestFailure): void {
  process.stdout.write(`\n    FAILED ${where}: ${failure.title}\n${indent(failure.detail)}`);
}

/** Runs the command; its output is shown only if it fails. */
async function runCommand(step: CommandStep): Promise<Omit<StepResult, "durationMs">> {
  const problem = installFor(step);
  if (problem !== null) {
    printFailure(step.name, { title: "its dependencies could not be installed", detail: problem });
    return { name: step.name, passed: 0, skipped: 0, failed: 1 };
  }
  const [command, ...args] = step.command;
  const path = `${join(root, "node_modules/.bin")}:${process.env["PATH"]}`;
  const env = { ...process.env, PATH: path };
  const child = spawn(command, args, { cwd: root, env, stdio: ["ignore", "pipe", "pipe"] });
  let output = "";
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding("utf8").on("data", (text: string) => (output += text));
  const code = await new Promise<number | string | null>((resolve) => {
    child.once("error", (error) => resolve(error.message));
    child.once("close", resolve);
  });
  const failed = code === 0 ? 0 : 1;
  if (failed) printFailure(step.command.join(" "), { title: `exit code ${code}`, detail: output.trim() });
  return { name: step.name, passed: 1 - failed, skipped: 0, failed };
}

function printFile(result: FileResult): void {
  const mark = result.failures.length > 0 ? "FAIL" : "ok  ";
  const tests = String(result.passed).padStart(4);
  console.log(`  ${mark} ${tests}  ${seconds(result.durationMs).padStart(7)}  ${result.file}`);
  for (const note of result.notes) console.log(note.replace(/^/gm, " ".repeat(21)));
  for (const failure of result.failures) printFailure(result.file, failure);
  for (const title of result.skipped) console.log(`    skipped: ${title}`);
  if (result.output !== "") console.log(`\n    what ${result.file} printed:\n${indent(result.output)}`);
}

/** A test file of a step, and where its result is added to. */
interface PlannedFile {
  file: string;
  timeoutMs: number;
  total: StepResult;
}

/** Runs the files, so many at a time, and prints each as it ends. A step's time is that of its files, added up. */
async function runFiles(files: readonly PlannedFile[], lanes: number): Promise<void> {
  const queue = [...files];
  const lane = async (): Promise<void> => {
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
      const { file, timeoutMs, total } = next;
      const result = await runTestFile(file, { cwd: root, timeoutMs });
      printFile(result);
      total.passed += result.passed;
      total.skipped += result.skipped.length;
      total.failed += result.failures.length;
      total.durationMs += result.durationMs;
    }
  };
  await Promise.all(Array.from({ length: lanes }, lane));
}

function nothingYet(name: string): StepResult {
  return { name, passed: 0, skipped: 0, failed: 0, durationMs: 0 };
}

function testFiles(folder: string): string[] {
  return globSync(`${folder}/**/*.test.ts`, { cwd: root, exclude: ["**/node_modules/**"] }).sort();
}

/** Installs the lock file that a step needs; answers what went wrong, or null. */
function installFor({ installs }: { installs?: string }): string | null {
  if (installs === undefined) return null;
  const args = [join(root, "scripts/setup.js"), installs];
  const install = spawnSync(process.execPath, args, {
    encoding: "utf8",
    stdio: ["ignore", "inherit", "pipe"],
  });
  return install.status === 0 ? null : install.stderr.trim();
}

/** Gets what the step's files need; answers what went wrong, or null. */
async function prepareFolder(step: FolderStep): Promise<string | null> {
  const problem = installFor(step) ?? (step.postgres ? installFor({ installs: POSTGRES_FOLDER }) : null);
  if (problem !== null) return problem;
  try {
    if (step.postgres) await startRunPostgres();
    return null;
  } catch (error) {
    return String(error);
  }
}

/** Runs the files of folders, of one after the other. */
async function runFolders(
  steps: readonly FolderStep[],
  { isFull, lanes }: { isFull: boolean; lanes: number },
): Promise<StepResult[]> {
  console.log(`\n== ${steps.map(({ name }) => name).join(", ")}`);
  const results: StepResult[] = [];
  const planned: PlannedFile[] = [];
  for (const step of steps) {
    const total = nothingYet(step.name);
    results.push(total);
    const files = testFiles(step.folder).filter((file) => file.endsWith(".long.test.ts") === isFull);
    const problem =
      files.length === 0
        ? `no ${isFull ? "*.long.test.ts" : "*.test.ts"} file is there`
        : await prepareFolder(step);
    if (problem !== null) {
      printFailure(step.folder, { title: "its tests could not be run", detail: problem });
      total.failed++;
    } else {
      const minutes = isFull ? (step.longFileMinutes ?? 15) : (step.fileMinutes ?? 2);
      planned.push(...files.map((file) => ({ file, timeoutMs: minutes * 60_000, total })));
    }
  }
  await runFiles(planned, lanes);
  return results;
}

async function timed(
  run: () => Omit<StepResult, "durationMs"> | Promise<Omit<StepResult, "durationMs">>,
): Promise<StepResult> {
  const begin = performance.now();
  return { ...(await run()), durationMs: performance.now() - begin };
}

/** The steps of this run: all, or those that `--only` names; the full run takes those with long tests. */
function selectSteps(only: string | undefined, isFull: boolean): typeof testSteps {
  const names = only?.split(",").map((name) => name.trim());
  const known = testSteps.map((step) => step.name);
  for (const name of names ?? []) {
    if (!known.includes(name))
      throw new TypeError(`there is no step ${name}; the steps are: ${known.join(", ")}`);
  }
  const chosen = testSteps.filter((step) => names?.includes(step.name) ?? true);
  return chosen.filter((step) =>
    step.kind === "folder" ? !isFull || step.long : (step.full ?? false) === isFull,
  );
}

async function runSteps(only: string | undefined, isFull: boolean): Promise<StepResult[]> {
  const steps = selectSteps(only, isFull);
  const commands = steps.filter((step) => step.kind === "command");
  if (commands.length > 0) console.log(`\n== ${commands.map(({ name }) => name).join(", ")}`);
  // Each of them uses one core.
  const results = await Promise.all(commands.map((step) => timed(() => runCommand(step))));
  const folders = steps.filter((step) => step.kind === "folder");
  // A long test has the machine for itself.
  const together = folders.filter((step) => !isFull && step.alone !== true);
  if (together.length > 0) results.push(...(await runFolders(together, { isFull, lanes: LANES })));
  for (const step of folders) {
    if (!together.includes(step)) results.push(...(await runFolders([step], { isFull, lanes: 1 })));
  }
  return results;
}

/** Runs the named files, long or not. */
async function runNamed(files: readonly string[]): Promise<StepResult[]> {
  const paths = files.map((file) => relative(root, resolve(process.env["INIT_CWD"] ?? process.cwd(), file)));
  const missing = paths.find((path) => !existsSync(join(root, path)));
  if (missing !== undefined) throw new TypeError(`there is no test file ${missing}`);
  // Such a file starts a server of its own, where it is given none.
  const needsPostgres = paths.some((path) => /postgres/i.test(readFileSync(join(root, path), "utf8")));
  const problem = needsPostgres ? installFor({ installs: POSTGRES_FOLDER }) : null;
  if (problem !== null) throw new TypeError(problem);
  const total = nothingYet("named files");
  await runFiles(
    paths.map((file) => ({ file, timeoutMs: 30 * 60_000, total })),
    1,
  );
  return [total];
}

function printSummary(results: readonly StepResult[], durationMs: number): void {
  const sum = (pick: (result: StepResult) => number): number =>
    results.reduce((total, result) => total + pick(result), 0);
  console.log("");
  for (const { name, passed, skipped, failed, durationMs: ownMs } of results) {
    const notes = `${skipped > 0 ? `, ${skipped} skipped` : ""}${failed > 0 ? `, ${failed} FAILED` : ""}`;
    console.log(`${seconds(ownMs).padStart(9)}  ${name}: ${passed} passed${notes}`);
  }
  console.log(`${seconds(durationMs).padStart(9)}  in all`);
  const skipped = sum((result) => result.skipped);
  if (skipped > 0 && isCi)
    console.log(`${skipped} skipped tests count as failed: CI has what they need, or must get it`);
  const failed = sum((result) => result.failed) + (isCi ? skipped : 0);
  const passed = sum((result) => result.passed);
  if (failed > 0 || passed === 0) process.exitCode = 1;
  console.log(`\n${passed} passed, ${failed} failed`);
}

async function main(): Promise<void> {
  const options = { full: { type: "boolean", default: false }, only: { type: "string" } } as const;
  const { values, positionals } = parseArgs({ options, allowPositionals: true });
  const begin = performance.now();
  const results =
    positionals.length > 0 ? await runNamed(positionals) : await runSteps(values.only, values.full);
  printSummary(results, performance.now() - begin);
}

for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.once(signal, () => {
    killRunningFiles();
    process.exit(1);
  });
}

try {
  await main();
} catch (error) {
  if (!(error instanceof TypeError)) throw error;
  console.error(error.message);
  process.exitCode = 1;
}
