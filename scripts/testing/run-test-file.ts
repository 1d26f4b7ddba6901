// Runs one test file in a process group of its own and reads its report. What the file prints is kept for the case
// that it fails; a file that hangs, leaves processes behind, or holds no test at all has failed.
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import type { ReportLine } from "./test-reporter.ts";

/** One failed test, or the file itself. */
export interface TestFailure {
  title: string;
  detail: string;
}

/** What a test file came to. */
export interface FileResult {
  file: string;
  passed: number;
  skipped: readonly string[];
  /** What the tests said by `t.diagnostic`. */
  notes: readonly string[];
  failures: readonly TestFailure[];
  /** What the file printed; "" when nothing failed. */
  output: string;
  durationMs: number;
}

export interface FileOptions {
  cwd: string;
  /** The file is killed, and has failed, after this time. */
  timeoutMs: number;
}

const reporter = fileURLToPath(new URL("./test-reporter.ts", import.meta.url));

/** How long the processes that a test file started may outlive it. */
const LEFTOVER_MS = 3000;

/** How much of a failed file's own output is shown. */
const OUTPUT_MAX_LINES = 120;

const running = new Set<ChildProcess>();

function killGroup(child: ChildProcess, signal: NodeJS.Signals | 0): boolean {
  try {
    return child.pid !== undefined && process.kill(-child.pid, signal);
  } catch {
    return false;
  }
}

/** Kills every test file that is running, with all it started. */
export function killRunningFiles(): void {
  for (const child of running) killGroup(child, "SIGKILL");
}

async function hasLeftovers(child: ChildProcess): Promise<boolean> {
  const end = performance.now() + LEFTOVER_MS;
  while (killGroup(child, 0)) {
    if (performance.now() > end) {
      killGroup(child, "SIGKILL");
      return true;
    }
    await delay(50);
  }
  return false;
}

function readReport(path: string): ReportLine[] {
  try {
    const lines = readFileSync(path, "utf8").split("\n");
    // The last piece is empty, or a line that a killed process did not finish.
    return lines.slice(0, -1).map((line) => JSON.parse(line) as ReportLine);
  } catch {
    return [];
  }
}

function unfinishedTests(lines: readonly ReportLine[]): string {
  const open = new Set<string>();
  for (const line of lines) {
    if (line.event === "begin") open.add(line.title);
    if (line.event === "end") open.delete(line.title);
  }
  if (open.size === 0) return "all its tests had ended; something keeps the process alive";
  return `running then: ${[...open].join(" > ")}`;
}

interface Exit {
  code: number | null;
  signal: NodeJS.Signals | null;
  timedOut: boolean;
  leftovers: boolean;
}

function waitForExit(child: ChildProcess, timeoutMs: number): Promise<Omit<Exit, "leftovers">> {
  return new Promise((resolve) => {
    let timedOut = false;
    const timer = setTimeout(() => {
      timedOut = true;
      killGroup(child, "SIGKILL");
    }, timeoutMs);
    child.once("exit", (code, signal) => {
      clearTimeout(timer);
      resolve({ code, signal, timedOut });
    });
  });
}

/** Failures of the file as a whole, beside those of its tests. */
function fileFailures(exit: Exit, lines: readonly ReportLine[], options: FileOptions): TestFailure[] {
  const failed = lines.some((line) => line.event === "failed");
  if (exit.timedOut) {
    const title = `the file was killed after ${Math.round(options.timeoutMs / 1000)} s`;
    return [{ title, detail: unfinishedTests(lines) }];
  }
  if (exit.leftovers) return [{ title: "the file left processes behind", detail: "they were killed" }];
  if (exit.code !== 0 && !failed) {
    return [{ title: `the file ended with ${exit.signal ?? `exit code ${exit.code}`}`, detail: "" }];
  }
  if (!lines.some((line) => line.event === "begin")) {
    return [{ title: "the file has no test, or ended before it could report one", detail: "" }];
  }
  if (!lines.some((line) => line.event === "complete")) {
    return [{ title: "the file ended before its tests did", detail: unfinishedTests(lines) }];
  }
  return [];
}

function summarise(
  file: string,
  exit: Exit,
  lines: ReportLine[],
  options: FileOptions,
): Omit<FileResult, "output" | "durationMs"> {
  const failures: TestFailure[] = [];
  const skipped: string[] = [];
  const notes: string[] = [];
  let passed = 0;
  for (const line of lines) {
    if (line.event === "passed") passed++;
    if (line.event === "skipped") skipped.push(line.title);
    if (line.event === "note") notes.push(line.text);
    if (line.event === "failed") failures.push({ title: line.title, detail: line.error });
  }
  return { file, passed, skipped, notes, failures: [...failures, ...fileFailures(exit, lines, options)] };
}

const compileCache = fileURLToPath(new URL("../../node_modules/.cache/belay-tests", import.meta.url));

/** Runs the test file (a path relative to `cwd`). Never rejects for what the file does. */
export async function runTestFile(file: string, options: FileOptions): Promise<FileResult> {
  const begin = performance.now();
  const folder = mkdtempSync(join(tmpdir(), "belay-test-"));
  const reportFile = join(folder, "report.jsonl");
  try {
    const flags = [`--test-reporter=${reporter}`, `--test-reporter-destination=${reportFile}`];
    const child = spawn(process.execPath, [...flags, file], {
      cwd: options.cwd,
      // What one test process has compiled the next one need not: 0.4 instead of 0.8 s of CPU for a small file.
      env: { NODE_COMPILE_CACHE: compileCache, ...process.env },
      detached: true,
      stdio: ["ignore", "pipe", "pipe"],
    });
    running.add(child);
    const chunks: Buffer[] = [];
    child.stdout.on("data", (chunk: Buffer) => chunks.push(chunk));
    child.stderr.on("data", (chunk: Buffer) => chunks.push(chunk));
    const closed = new Promise((resolve) => child.once("close", resolve));
    const ended = await waitForExit(child, options.timeoutMs);
    const exit = { ...ended, leftovers: await hasLeftovers(child) };
    running.delete(child);
    // The pipes close with the last process that holds them, which may be one in a session of its own.
    await Promise.race([closed, delay(500, undefined, { ref: false })]);
    const result = summarise(file, exit, readReport(reportFile), options);
    const lines = Buffer.concat(chunks).toString("utf8").trimEnd().split("\n");
    const output = result.failures.length > 0 ? lines.slice(-OUTPUT_MAX_LINES).join("\n") : "";
    return { ...result, output, durationMs: performance.now() - begin };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
