// Runs a documentation sample as its reader would: in a folder of its own with the SDK installed, configured by environment
// variables alone. Of its text only the placeholder of the operation's id is replaced.
import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const PLACEHOLDER = '"operationId"';
const RUN_MAX_MS = 60_000;

/** What a sample printed, and how it ended. */
export interface SampleRun {
  code: number | null;
  stdout: string;
  stderr: string;
}

export function sampleFile(name: string): string {
  return fileURLToPath(new URL(`./samples/${name}`, import.meta.url));
}

/** The sample's text with the operation's id in place of the placeholder. Throws unless there is exactly one. */
export function sampleFor(name: string, operationId: string): string {
  const parts = readFileSync(sampleFile(name), "utf8").split(PLACEHOLDER);
  if (parts.length !== 2) throw new Error(`${name} has ${parts.length - 1} placeholders`);
  return parts.join(JSON.stringify(operationId));
}

/** Runs a command with nothing but the given environment, PATH and HOME. It is killed after a minute. */
export async function runCommand(
  command: string,
  args: readonly string[],
  env: Record<string, string>,
): Promise<SampleRun> {
  const { PATH = "", HOME = "" } = process.env;
  const child = spawn(command, args, {
    env: { PATH, HOME, ...env },
    stdio: ["ignore", "pipe", "pipe"],
    timeout: RUN_MAX_MS,
    killSignal: "SIGKILL",
  });
  const output = { stdout: "", stderr: "" };
  for (const name of ["stdout", "stderr"] as const)
    child[name].on("data", (chunk: Buffer) => {
      output[name] += chunk.toString("utf8");
    });
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", resolve);
  });
  return { code, ...output };
}

export interface SampleOptions {
  operationId: string;
  /** The folder below node_modules that is installed as `@yandex-cloud/nodejs-sdk`. */
  sdk: string;
  env: Record<string, string>;
}

/** Runs a TypeScript sample with this Node, which strips its types. */
export async function runTypeScriptSample(name: string, options: SampleOptions): Promise<SampleRun> {
  const folder = mkdtempSync(join(tmpdir(), "belay-sample-"));
  try {
    const installed = join(folder, "node_modules/@yandex-cloud/nodejs-sdk");
    mkdirSync(dirname(installed), { recursive: true });
    symlinkSync(fileURLToPath(new URL(`./node_modules/${options.sdk}`, import.meta.url)), installed);
    writeFileSync(join(folder, "package.json"), '{ "type": "module" }\n');
    const file = join(folder, "sample.ts");
    writeFileSync(file, sampleFor(name, options.operationId));
    return await runCommand(process.execPath, [file], options.env);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
