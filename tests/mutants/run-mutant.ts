// A mutant is a bug put into a copy of the source on purpose: the tests that claim to find it must find it. Knows how to
// make the copy, to put the bug in and to run the named tests; which bugs there are is said by the lists beside it.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import {
  cpSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";

/** A text edit of one source file. */
export interface Edit {
  /** Relative to the repository. */
  file: string;
  /** Must occur exactly once: an edit that no longer applies is an error. */
  find: string;
  replace: string;
}

export interface Mutant {
  /** The bug, as somebody could write it. */
  name: string;
  /** What it breaks: an id of docs/internals/state-machine.md, a requirement (R), a threat (T), or in a word what has no id. */
  breaks: string;
  edits: readonly Edit[];
  /** The tests that must find it: one of them has to fail, and to say so. */
  killers: readonly Killer[];
}

export interface Killer {
  /** A test file, relative to the repository. */
  file: string;
  /** Only the tests with this in their title. */
  title?: string;
  /** What the failing test must say: a copy that is broken in another way is not a find. */
  says: string;
}

const root = fileURLToPath(new URL("../../", import.meta.url));

/** What a copy needs to run tests; the rest of the repository is left out. */
const copied = ["package.json", "src", "tests", "scripts", "migrations", "proto", "bin"];

/** The longest that the tests of one mutant may run. */
const TIMEOUT_MS = 60_000;

/** A copy of the tree in a temporary folder, for any number of mutants one after the other. */
export class Copy {
  readonly #folder: string;

  constructor() {
    this.#folder = mkdtempSync(join(tmpdir(), "belay-mutant-"));
    for (const name of copied) {
      const filter = (source: string): boolean => basename(source) !== "node_modules";
      cpSync(join(root, name), join(this.#folder, name), { recursive: true, filter });
    }
    symlinkSync(join(root, "node_modules"), join(this.#folder, "node_modules"));
  }

  /** Puts the bug in, runs its killers until one finds it, and takes it out again. Rejects when it lives. */
  async kill(mutant: Mutant): Promise<void> {
    const originals = new Map<string, string>();
    try {
      for (const edit of mutant.edits) this.#apply(edit, originals);
      const survived: string[] = [];
      for (const killer of mutant.killers) {
        const { failed, output } = await this.#run(killer);
        if (failed && output.includes(killer.says)) return;
        survived.push(
          `${killer.file} ${failed ? `failed without saying "${killer.says}":` : "passed:"}\n${tail(output)}`,
        );
      }
      assert.fail(`the mutant lives: ${mutant.name} (${mutant.breaks})\n${survived.join("\n")}`);
    } finally {
      for (const [path, text] of originals) writeFileSync(path, text);
    }
  }

  remove(): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }

  #apply({ file, find, replace }: Edit, originals: Map<string, string>): void {
    const path = join(this.#folder, file);
    const text = readFileSync(path, "utf8");
    checkEdit(text, file, find);
    if (!originals.has(path)) originals.set(path, text);
    // A function, so that no `$` of the replacement is read as a pattern.
    writeFileSync(
      path,
      text.replace(find, () => replace),
    );
  }

  #run({ file, title }: Killer): Promise<{ failed: boolean; output: string }> {
    const { promise, resolve, reject } = Promise.withResolvers<{ failed: boolean; output: string }>();
    const pattern = title === undefined ? [] : [`--test-name-pattern=${escaped(title)}`];
    const child = spawn(process.execPath, ["--test-reporter=spec", "--test-force-exit", ...pattern, file], {
      cwd: this.#folder,
      // A group of its own, and the folder in the PATH of all that descends from it: see #endAll.
      detached: true,
      env: {
        ...process.env,
        PATH: `${process.env["PATH"]}:${join(this.#folder, "bin")}`,
        // A test file that is started by a test file would take itself for a part of it, and report nothing.
        NODE_TEST_CONTEXT: undefined,
        // Most of what a mutant costs is stripping the types of the same files again.
        NODE_COMPILE_CACHE: join(this.#folder, ".compile-cache"),
      },
      stdio: ["ignore", "pipe", "pipe"],
    });
    const timer = setTimeout(() => this.#endAll(child.pid), TIMEOUT_MS);
    let output = "";
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding("utf8").on("data", (chunk: string) => {
        output += chunk;
      });
    }
    child.once("error", reject);
    // Not "close": what was left behind holds the pipes.
    child.once("exit", () => {
      clearTimeout(timer);
      this.#endAll(child.pid);
    });
    child.once("close", (code) => resolve({ failed: code !== 0, output }));
    return promise;
  }

  /**
   * Kills what a test run has left: its process group, and what has left the group. A mutant of the worker may leave
   * commands that are deaf to SIGTERM, in sessions of their own, and nobody else would ever end them.
   */
  #endAll(pid: number | undefined): void {
    if (pid !== undefined) kill(-pid);
    if (!existsSync("/proc/self/environ")) return;
    for (const entry of readdirSync("/proc")) {
      if (/^\d+$/.test(entry) && environmentOf(entry).includes(this.#folder)) kill(Number(entry));
    }
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It is gone.
  }
}

/** "" for a process that is gone, or is somebody else's. */
function environmentOf(pid: string): string {
  try {
    return readFileSync(join("/proc", pid, "environ"), "latin1");
  } catch {
    return "";
  }
}

function checkEdit(text: string, file: string, find: string): void {
  const count = text.split(find).length - 1;
  assert.equal(count, 1, `the edit no longer applies: ${file} has ${count} times\n${find}`);
}

/** Throws if an edit of the mutant does not apply to the tree as it is; cheap, where `kill` is not. */
export function checkEdits({ edits }: Mutant): void {
  for (const { file, find } of edits) checkEdit(readFileSync(join(root, file), "utf8"), file, find);
}

function tail(output: string): string {
  return output.trimEnd().split("\n").slice(-25).join("\n");
}

/** The title as a pattern that matches it literally. */
function escaped(title: string): string {
  return title.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
}
