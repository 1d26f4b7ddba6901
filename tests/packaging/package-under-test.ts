// What the packaging tests share: npm as a child process, and the manifest's list of entry points.
import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const run = promisify(execFile);

/** The repository's folder. */
export const root: string = fileURLToPath(new URL("../..", import.meta.url));

interface Manifest {
  name: string;
  version: string;
  bin: Record<string, string>;
  exports: Record<string, { "belay-source": string; types: string; default: string }>;
}

export const manifest: Manifest = JSON.parse(
  readFileSync(new URL("../../package.json", import.meta.url), "utf8"),
) as Manifest;

/** The names that programs import: `belayd`, `belayd/client` and so on. */
export const entryPoints: readonly string[] = Object.keys(manifest.exports).map(
  (path) => manifest.name + path.slice(1),
);

/** This process's environment without what npm and Node told it about the project that it runs for. */
export function outsideEnvironment(): Record<string, string | undefined> {
  const ours = /^npm_|^INIT_CWD$|^NODE_(OPTIONS|PATH|ENV|COMPILE_CACHE|TEST_CONTEXT)$|^BELAY_/;
  return Object.fromEntries(Object.entries(process.env).filter(([key]) => !ours.test(key)));
}

/** Runs a program to its end and answers its standard output; rejects with both outputs if it fails. */
export async function runIn(cwd: string, command: string, ...args: string[]): Promise<string> {
  const running = run(command, args, { cwd, env: outsideEnvironment(), maxBuffer: 64 * 1024 * 1024 });
  // npm waits for the end of an open standard input before it ends itself.
  running.child.stdin?.end();
  return (await running).stdout;
}

interface PackedFile {
  path: string;
  size: number;
}

/** What `npm pack --json` says of the package. */
export interface Packed {
  filename: string;
  files: PackedFile[];
  size: number;
  unpackedSize: number;
}

/** Packs as a release does, with its `prepack`. */
export async function pack(...args: string[]): Promise<Packed> {
  const stdout = await runIn(root, "npm", "pack", "--json", "--foreground-scripts=false", ...args);
  const answer = JSON.parse(stdout) as Packed[] | Record<string, Packed>;
  const [packed] = Array.isArray(answer) ? answer : Object.values(answer);
  if (!packed) throw new Error(`npm pack said: ${stdout}`);
  return packed;
}
