// `npm run demo` as a process, in a folder for temporary files of its own: what is in there afterwards was left behind.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import { cleanEnvironment } from "./belay-process.ts";

const script: string = fileURLToPath(new URL("../../scripts/demo.ts", import.meta.url));

export interface TourRun {
  code: number | null;
  stdout: string;
  stderr: string;
  /** What is in its folder for temporary files. */
  left: string[];
}

export interface TourOptions {
  env?: Record<string, string>;
  /** Runs it on a terminal (script(1)) of this width. */
  columns?: number;
  /** Sends the signal once the output so far matches. */
  signalAt?: { pattern: RegExp; signal: NodeJS.Signals };
}

/** Runs the tour to its end. */
export async function runTour(
  t: Pick<TestContext, "after">,
  args: readonly string[],
  { env = {}, columns, signalAt }: TourOptions = {},
): Promise<TourRun> {
  const temporary = mkdtempSync(join(tmpdir(), "belay-tour-"));
  t.after(() => rmSync(temporary, { recursive: true, force: true }));
  const words = [process.execPath, script, ...args];
  const line = words.map((word) => `'${word}'`).join(" ");
  const [program = "", ...rest] =
    columns === undefined ? words : ["script", "-qec", `stty cols ${columns}; exec ${line}`, "/dev/null"];
  const child = spawn(program, rest, {
    env: { ...cleanEnvironment(env), TMPDIR: temporary },
    stdio: ["ignore", "pipe", "pipe"],
  });
  t.after(() => child.kill("SIGTERM"));
  let [stdout, stderr, isSignalled] = ["", "", false];
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    stdout += text;
    if (!signalAt || isSignalled || !signalAt.pattern.test(stdout)) return;
    isSignalled = true;
    child.kill(signalAt.signal);
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    stderr += text;
  });
  const [code] = (await once(child, "close")) as [number | null];
  return { code, stdout, stderr, left: readdirSync(temporary) };
}

/** The processes that the tour named. */
export function namedProcesses(stdout: string): number[] {
  return [...stdout.matchAll(/\bprocess (\d+)/g)].map(([, pid]) => Number(pid));
}

/** True if there is such a process. */
export function isThere(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
