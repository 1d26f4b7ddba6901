// The Python clients in their virtual environment, for the long tests. Their scripts print what they saw as JSON.
import assert from "node:assert/strict";
import { type ChildProcessByStdio, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import type { Readable, Writable } from "node:stream";
import { fileURLToPath } from "node:url";

const here = (name: string): string => fileURLToPath(new URL(name, import.meta.url));
const environment = here("../../../.cache/interop-python");

/** Makes the environment if it is not there, and answers its python. A minute the first time. */
export function makePythonEnvironment(): string {
  const result = spawnSync("bash", [here("./make-environment.sh"), environment], { encoding: "utf8" });
  assert.equal(result.status, 0, `the Python environment could not be made:\n${result.stderr}`);
  return result.stdout.trim();
}

/** A running script. */
export interface PythonScript {
  child: ChildProcessByStdio<Writable, Readable, Readable>;
  /** The next line of its output, read as JSON; fails with its standard error if it ends before. */
  next<T>(): Promise<T>;
  /** Lets it go on. */
  proceed(): void;
  /** Resolves when it has ended; fails unless it ended well. */
  ended(): Promise<void>;
}

/** Runs a script of this folder with nothing but PATH, HOME and the given environment. */
export function runPython(
  python: string,
  script: string,
  args: readonly string[],
  env: Record<string, string> = {},
): PythonScript {
  const { PATH = "", HOME = "" } = process.env;
  const child = spawn(python, [here(script), ...args], {
    env: { PATH, HOME, ...env },
    stdio: ["pipe", "pipe", "pipe"],
    timeout: 120_000,
    killSignal: "SIGKILL",
  });
  let errors = "";
  child.stderr.on("data", (chunk: Buffer) => {
    errors += chunk.toString("utf8");
  });
  const closed = once(child, "close");
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  return {
    child,
    async next<T>() {
      const { value, done } = await lines.next();
      if (done) await closed;
      assert.ok(!done, `${script} ended early:\n${errors}`);
      return JSON.parse(value) as T;
    },
    proceed: () => void child.stdin.write("\n"),
    async ended() {
      await closed;
      assert.equal(child.exitCode, 0, `${script} failed:\n${errors}`);
    },
  };
}
