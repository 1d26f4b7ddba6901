// A program of the system that a test runs beside a database, as the user who owns the data: PgBouncer, etcd, Patroni. It ends
// with the test, and the test file fails if it does not.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { findOwner } from "../postgres/postgres-binaries.ts";

/** Made by OwnedProcess.start. */
export class OwnedProcess implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #exited: Promise<unknown>;
  #output = "";

  private constructor(child: ChildProcess) {
    this.#child = child;
    this.#exited = once(child, "exit");
    const read = (chunk: Buffer): void => {
      this.#output += chunk.toString();
    };
    child.stdout?.on("data", read);
    child.stderr?.on("data", read);
  }

  static async start(
    command: string,
    args: readonly string[],
    env: Readonly<Record<string, string>> = {},
  ): Promise<OwnedProcess> {
    const child = spawn(command, args, {
      ...findOwner(),
      cwd: "/",
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...process.env, HOME: "/", ...env },
    });
    await once(child, "spawn");
    return new OwnedProcess(child);
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** Standard output and error so far. */
  get output(): string {
    return this.#output;
  }

  /** Throws with what it printed if it has ended. */
  assertRuns(): void {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) {
      throw new Error(`${this.#child.spawnfile} has ended:\n${this.#output}`);
    }
  }

  async kill(signal: NodeJS.Signals = "SIGKILL"): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    this.#child.kill(signal);
    await this.#exited;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill("SIGKILL");
  }
}
