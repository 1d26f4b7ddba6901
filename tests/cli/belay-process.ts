// The `belay` command as real processes: run one to its end, or keep one and wait for what it prints. Waits are
// bounded and end with everything that the process has said.
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, type TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import { startTimer } from "../../src/base/timers.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const mainFile = join(root, "src/cli/main.ts");

/** How long a process may take to say or do what a test waits for. */
const PATIENCE_MS = 20_000;

/** The environment of the test's processes: no colours forced, nothing of BELAY_* from outside. */
export function cleanEnvironment(added: Record<string, string> = {}): NodeJS.ProcessEnv {
  const inherited = Object.entries(process.env).filter(
    ([key]) => !/^(BELAY_|NO_COLOR|FORCE_COLOR|NODE_|CI$)/.test(key),
  );
  const cache = join(root, "node_modules/.cache/belay-tests");
  return { ...Object.fromEntries(inherited), NODE_COMPILE_CACHE: cache, ...added };
}

/** The words of a command line that runs `belay` from source. */
export const belayCommand: readonly [string, ...string[]] = [process.execPath, mainFile];

export interface RunOptions {
  cwd?: string;
  env?: Record<string, string>;
  input?: string;
  /** Leaves standard input open, for `child.stdin.write`. */
  keepInput?: true;
}

export interface RunResult {
  code: number | null;
  signal: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
}

/** A process that runs, with what it has printed so far. */
export class BelayProcess {
  readonly child: ChildProcess;
  readonly ended: Promise<RunResult>;
  stdout = "";
  stderr = "";
  readonly #listeners = new Set<() => void>();

  constructor(command: readonly [string, ...string[]], options: RunOptions = {}) {
    const [program, ...args] = command;
    this.child = spawn(program, args, {
      cwd: options.cwd ?? root,
      env: cleanEnvironment(options.env),
      stdio: ["pipe", "pipe", "pipe"],
    });
    this.child.stdin?.on("error", () => undefined);
    if (!options.keepInput) this.child.stdin?.end(options.input ?? "");
    this.child.stdout?.setEncoding("utf8").on("data", (text: string) => this.#take("stdout", text));
    this.child.stderr?.setEncoding("utf8").on("data", (text: string) => this.#take("stderr", text));
    this.ended = new Promise((resolve, reject) => {
      this.child.once("error", reject);
      this.child.once("close", (code, signal) => {
        resolve({ code, signal, stdout: this.stdout, stderr: this.stderr });
        for (const listener of this.#listeners) listener();
      });
    });
  }

  /** Resolves with the match once the stream holds it; rejects when the process ends first, or patience does. */
  async says(stream: "stdout" | "stderr", pattern: RegExp): Promise<RegExpExecArray> {
    return await bounded(`${stream} to hold ${pattern}`, this, (resolve, reject) => {
      const look = (): void => {
        const match = pattern.exec(this[stream]);
        if (match) resolve(match);
        else if (this.child.exitCode !== null || this.child.signalCode !== null) {
          reject(
            new Error(
              `the process ended before its ${stream} held ${pattern}\n${this.stdout}\n${this.stderr}`,
            ),
          );
        }
      };
      this.#listeners.add(look);
      look();
    });
  }

  /** Resolves when the process has ended. */
  async end(patienceMs: number = PATIENCE_MS): Promise<RunResult> {
    const wait = (resolve: (result: RunResult) => void, reject: (error: Error) => void): void => {
      this.ended.then(resolve, reject);
    };
    return await bounded("the process to end", this, wait, patienceMs);
  }

  #take(stream: "stdout" | "stderr", text: string): void {
    this[stream] += text;
    for (const listener of this.#listeners) listener();
  }
}

async function bounded<Value>(
  what: string,
  belay: BelayProcess,
  wait: (resolve: (value: Value) => void, reject: (error: Error) => void) => void,
  patienceMs: number = PATIENCE_MS,
): Promise<Value> {
  const { promise, resolve, reject } = Promise.withResolvers<Value>();
  const timer = startTimer(patienceMs, () => {
    reject(new Error(`waited ${patienceMs} ms for ${what}\n${belay.stdout}\n${belay.stderr}`));
  });
  wait(resolve, reject);
  try {
    return await promise;
  } finally {
    timer.cancel();
  }
}

/** Runs `belay` to its end. */
export async function runBelay(args: readonly string[], options: RunOptions = {}): Promise<RunResult> {
  return await new BelayProcess([...belayCommand, ...args], options).end();
}

/** A new folder that is removed after the test. */
export function temporaryFolder(t: Pick<TestContext, "after">): string {
  const folder = mkdtempSync(join(tmpdir(), "belay-cli-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** A server that answers, on a free port. */
export interface RunningServer extends BelayProcess {
  address: string;
  folder: string;
}

/** Starts `belay serve` with its data in a new folder; it is stopped after the test. */
export async function startServer(
  t: Pick<TestContext, "after">,
  args: readonly string[] = [],
  options: RunOptions = {},
): Promise<RunningServer> {
  const folder = options.cwd ?? temporaryFolder(t);
  const belay = new BelayProcess([...belayCommand, "serve", "--port", "0", "--log-level", "warn", ...args], {
    ...options,
    cwd: folder,
  });
  t.after(async () => {
    belay.child.kill("SIGKILL");
    await belay.end();
  });
  const [, address = ""] = await belay.says("stdout", /serving on http:\/\/(\S+) /);
  return Object.assign(belay, { address, folder });
}

/** One server for all tests of a suite: call it inside of `describe`. `started` is given it before the first of them. */
export function serverOfSuite(args: readonly string[], started: (server: RunningServer) => void): void {
  const cleanups: (() => unknown)[] = [];
  before(async () => {
    started(await startServer({ after: (cleanup) => cleanups.unshift(cleanup as () => unknown) }, args));
  });
  after(async () => {
    for (const cleanup of cleanups) await cleanup();
  });
}
