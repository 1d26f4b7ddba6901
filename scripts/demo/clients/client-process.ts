// Runs a client program (client-program.ts) beside the tour, and asks it to do things. Other people's libraries get a
// process and an environment of their own.
import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

/** Enough of what it printed to say why it failed. */
const STDERR_MAX = 4_096;

interface Answer {
  answer?: unknown;
  error?: string;
}

export interface ClientProcessOptions {
  /** Beside this file. */
  program: string;
  settings: object;
  env: NodeJS.ProcessEnv;
  /** Ends it. */
  signal: AbortSignal;
}

export class ClientProcess {
  readonly #child: ChildProcess;
  readonly #lines: AsyncIterator<string>;
  readonly #failed: Promise<never>;
  #stderr = "";

  constructor({ program, settings, env, signal }: ClientProcessOptions) {
    const file = fileURLToPath(new URL(`./${program}`, import.meta.url));
    const child = spawn(process.execPath, [file, JSON.stringify(settings)], {
      env,
      signal,
      killSignal: "SIGKILL",
      stdio: ["pipe", "pipe", "pipe"],
    });
    this.#child = child;
    this.#failed = new Promise((_, reject) => {
      child.once("error", reject);
      child.once("exit", (code) =>
        reject(new Error(`${program} ended with ${code}: ${this.#stderr.trim()}`)),
      );
    });
    this.#failed.catch(() => undefined);
    child.stdin.on("error", () => undefined);
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      this.#stderr = (this.#stderr + text).slice(-STDERR_MAX);
    });
    this.#lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  }

  /** Lets it do one thing. Rejects with what it says went wrong. */
  async ask<Value>(action: string, argument = ""): Promise<Value> {
    this.#child.stdin?.write(`${action} ${argument}\n`);
    const { value, done } = await Promise.race([this.#lines.next(), this.#failed]);
    // Its output ends a moment before its exit is told.
    if (done) return await this.#failed;
    const { answer, error } = JSON.parse(value) as Answer;
    if (error !== undefined) throw new Error(error);
    return answer as Value;
  }

  close(): void {
    this.#child.kill("SIGKILL");
  }
}
