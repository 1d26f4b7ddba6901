// A newcomer's first minutes: a clone with nothing installed and whatever Node the machine has, `npm start`, and the three
// lines that it prints. Needs the network once, as a newcomer does.
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { cpSync, existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { repositoryFiles, root } from "../tidy/source-tree.ts";
import { outsideEnvironment } from "./package-under-test.ts";

const clone = mkdtempSync(join(tmpdir(), "belay-clone-"));

/** The machine's own PATH: without the folders that npm puts in front for its scripts. */
const systemPath = (process.env["PATH"] ?? "")
  .split(":")
  .filter((folder) => !folder.includes("node_modules") && !folder.includes("node-gyp"))
  .join(":");

/** What the first `npm start` may take, with all that it downloads. */
const START_MAX_MS = 240_000;

/** What a second `npm start` may take until it serves. */
const SECOND_START_MAX_MS = 3000;

function cleanEnvironment(): NodeJS.ProcessEnv {
  return { ...outsideEnvironment(), PATH: systemPath };
}

interface Result {
  code: number | null;
  output: string;
}

async function run(command: string, ...args: string[]): Promise<Result> {
  const child = spawn(command, args, {
    cwd: clone,
    env: cleanEnvironment(),
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  child.stdout.on("data", (chunk: Buffer) => (output += chunk.toString("utf8")));
  child.stderr.on("data", (chunk: Buffer) => (output += chunk.toString("utf8")));
  const [code] = (await once(child, "close")) as [number | null];
  return { code, output };
}

/** `npm start` in a process group of its own, which Ctrl-C on a terminal would reach as a whole. */
class Start {
  readonly #child: ChildProcess;
  readonly #begin = performance.now();
  output = "";

  constructor() {
    const options = { cwd: clone, env: cleanEnvironment(), detached: true };
    this.#child = spawn("npm", ["start", "--", "--port", "0"], {
      ...options,
      stdio: ["ignore", "pipe", "pipe"],
    });
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream?.on("data", (chunk: Buffer) => (this.output += chunk.toString("utf8")));
    }
  }

  /** Resolves with the time in ms until the output holds the pattern. */
  async says(pattern: RegExp): Promise<number> {
    while (!pattern.test(this.output)) {
      assert.ok(performance.now() - this.#begin < START_MAX_MS, `npm start takes too long:\n${this.output}`);
      assert.equal(this.#child.exitCode, null, `npm start ended:\n${this.output}`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    return performance.now() - this.#begin;
  }

  async stop(): Promise<void> {
    const exited = this.#child.exitCode === null ? once(this.#child, "exit") : undefined;
    process.kill(-(this.#child.pid ?? 0), "SIGINT");
    await exited;
  }
}

before(() => {
  for (const path of repositoryFiles()) cpSync(join(root, path), join(clone, path));
});
after(() => rmSync(clone, { recursive: true, force: true }));

test("before anything is installed the command says in one line what to do", async () => {
  const { code, output } = await run("node", "bin/belay.js", "--version");
  assert.equal(code, 1);
  assert.match(output, /^belay[^\n]*npm[^\n]*\n$/);
});

test("npm start installs, serves, and prints three lines that start, show and cancel an operation", async (t) => {
  const start = new Start();
  try {
    const firstMs = await start.says(/^curl .*:cancel\b.*\n/m);
    t.diagnostic(`the first npm start served after ${(firstMs / 1000).toFixed(1)} s`);
    const lines = start.output.split("\n").filter((line) => /^(curl |NAME=)/.test(line));
    assert.equal(lines.length, 3, start.output);
    const script = `${lines.join("\n")}\nsleep 1\n${lines[1]}`;
    const { code, output } = await run("bash", "-c", script);
    assert.equal(code, 0, output);
    assert.match(output, /"name": ?"operations\/[a-z0-9]{20}"/);
    assert.match(output, /"error": ?\{\s*"code": ?1\b/);
    assert.ok(
      !existsSync(join(clone, "tests/interop/node_modules")),
      "npm start installed the interop clients",
    );
  } finally {
    await start.stop();
  }
});

test(`a second npm start serves within ${SECOND_START_MAX_MS} ms`, async (t) => {
  const start = new Start();
  try {
    const secondMs = await start.says(/serving on/);
    t.diagnostic(`the second npm start served after ${(secondMs / 1000).toFixed(2)} s`);
    assert.ok(secondMs < SECOND_START_MAX_MS, `${secondMs} ms`);
  } finally {
    await start.stop();
  }
});

test("npx belay works in the clone and in a folder of it", async () => {
  for (const folder of [".", "docs"]) {
    const { code, output } = await run("bash", "-c", `cd ${folder} && npx belay --version`);
    assert.equal(code, 0, output);
    assert.match(output, /\d+\.\d+\.\d+/);
  }
});

test("set-up without a network says so in one line", async () => {
  rmSync(join(clone, "node_modules"), { recursive: true, force: true });
  // A registry that nobody serves: the same to npm as no network.
  const env = "npm_config_registry=http://127.0.0.1:9/ npm_config_cache=.cache/empty";
  const { code, output } = await run("bash", "-c", `${env} node scripts/setup.js`);
  assert.equal(code, 1);
  const lines = output
    .trimEnd()
    .split("\n")
    .filter((line) => !line.startsWith("belay: installing"));
  assert.equal(lines.length, 1, output);
  assert.match(lines[0] ?? "", /no network \(ECONNREFUSED\)/);
});
