// The `belay` command as the tour runs it: against the tour's server, and ended with the tour.
import { execFile } from "node:child_process";
import { join } from "node:path";
import { tourEnvironment } from "./tour-server.ts";

const OUTPUT_MAX_BYTES = 64 * 1024 * 1024;

/** What a command printed, and its exit code. */
export interface CommandResult {
  code: number;
  stdout: string;
  stderr: string;
}

/** Runs `belay` with these arguments; rejects only if the tour ends. */
export type BelayCommand = (args: readonly string[]) => Promise<CommandResult>;

/** The command for a port of the server. */
export function belayCommand(options: { root: string; port: number; signal: AbortSignal }): BelayCommand {
  const { root, port, signal } = options;
  const env = tourEnvironment({ BELAY_SERVER: `127.0.0.1:${port}` });
  const program = join(root, "bin/belay.js");
  return (args) =>
    new Promise((resolve, reject) => {
      const settings = { env, signal, encoding: "utf8", maxBuffer: OUTPUT_MAX_BYTES } as const;
      const child = execFile(process.execPath, [program, ...args], settings, (error, stdout, stderr) => {
        if (error && child.exitCode === null) reject(error);
        else resolve({ code: child.exitCode ?? 1, stdout: stdout.trim(), stderr: stderr.trim() });
      });
    });
}

/** What it printed. Rejects with its error if it ended with another code than 0. */
export async function outputOf(result: Promise<CommandResult>): Promise<string> {
  const { code, stdout, stderr } = await result;
  if (code !== 0) throw new Error(`belay ended with ${code}: ${stderr || stdout}`);
  return stdout;
}

/** The text behind a label of a table that `belay` printed, `summary  It is running: ...`; "" if it has none. */
export function rowOf(output: string, label: string): string {
  const line = output.split("\n").find((text) => text.startsWith(`${label} `));
  return line?.slice(label.length).trim() ?? "";
}
