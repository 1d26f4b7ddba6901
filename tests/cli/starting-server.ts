// `belay serve` as a process that may not get as far as serving.
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { eventually } from "../../src/testing/eventually.ts";
import { processEnvironment } from "../faults/server-process.ts";

const main = fileURLToPath(new URL("../../src/cli/main.ts", import.meta.url));

/** Starts with the arguments of serve, on any free port. */
export class StartingServer implements AsyncDisposable {
  readonly child: ChildProcess;
  readonly exited: Promise<unknown[]>;
  output = "";

  constructor(args: readonly string[]) {
    this.child = spawn(process.execPath, [main, "serve", "--port", "0", "--log-level", "warn", ...args], {
      stdio: ["ignore", "pipe", "pipe"],
      env: processEnvironment(),
    });
    this.exited = once(this.child, "exit");
    for (const stream of [this.child.stdout, this.child.stderr])
      stream?.on("data", (chunk: Buffer) => (this.output += chunk.toString()));
  }

  count(text: string): number {
    return this.output.split(text).length - 1;
  }

  async serves(): Promise<void> {
    const what = (): boolean => this.output.includes("serving on") || this.child.exitCode !== null;
    await eventually("it serves", what, { timeoutMs: 30_000 });
    assert.equal(this.child.exitCode, null, this.output);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.child.kill("SIGKILL");
    await this.exited;
  }
}
