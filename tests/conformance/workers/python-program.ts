// The Python workers of examples/worker-python in their virtual environment, which is made of PyPI's packages the first time.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { WorkerProgram } from "./worker-stage.ts";

const here = (name: string): string => fileURLToPath(new URL(`../../../${name}`, import.meta.url));

/** Makes the environment and the stubs if they are not there, and answers its python; fails if they cannot be had. */
export function setUpPython(): string {
  const words = [here("examples/worker-python/set-up.sh"), here(".cache/worker-python")];
  const result = spawnSync("bash", words, { encoding: "utf8" });
  assert.equal(result.status, 0, `the Python worker could not be set up:\n${result.stderr}`);
  return result.stdout.trim();
}

export function pythonWorker(python: string): WorkerProgram {
  return {
    language: "Python",
    command: (args) => [python, here("examples/worker-python/conformance_worker.py"), ...args],
  };
}

/** The example that the README shows. */
export function pythonExample(python: string, server: string): readonly [string, ...string[]] {
  return [python, here("examples/worker-python/handlers.py"), server];
}
