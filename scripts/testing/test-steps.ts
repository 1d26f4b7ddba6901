// The one table of what `npm test` and `npm run test:full` run, in order. `npm test` runs every step; the full run adds
// the *.long.test.ts files and the commands that only it needs, and runs nothing twice.

/** A command that counts as one test. */
export interface CommandStep {
  kind: "command";
  name: string;
  command: readonly [string, ...string[]];
  /** A folder with a lock file of its own, which is installed first. */
  installs?: string;
  /** True if only the full run needs it. */
  full?: boolean;
}

/** A folder of test files, `*.test.ts` at any depth. Without a file it fails. */
export interface FolderStep {
  kind: "folder";
  name: string;
  folder: string;
  /** A folder with a lock file of its own, which is installed first. */
  installs?: string;
  /** True if its files use the PostgreSQL server of the run, which is installed and started first. */
  postgres?: boolean;
  /** True if the folder must have *.long.test.ts files for the full run. */
  long?: boolean;
  /** True if nothing may run beside one of its files. The files of all other steps share the lanes. */
  alone?: boolean;
  /** The limit of one file, in minutes; 2 unless said otherwise. */
  fileMinutes?: number;
  /** The limit of one *.long.test.ts file, in minutes; 15 unless said otherwise. */
  longFileMinutes?: number;
}

export type TestStep = CommandStep | FolderStep;

/**
 * Files that run side by side: one more than two cores, as much of the tests is waiting for threads, processes and timers. From
 * step to step without a pause: where each step ended by itself, the last of its files ran alone (907 s in all on two cores).
 */
export const LANES = 3;

// The longest files first: what is left in the end is short.
export const testSteps: readonly TestStep[] = [
  { kind: "command", name: "lint", command: ["biome", "check", "--error-on-warnings", "."] },
  { kind: "command", name: "types", command: ["tsc", "-p", "tsconfig.json"], installs: "tests/interop" },
  {
    kind: "command",
    name: "build-types",
    command: ["tsc", "-p", "tsconfig.build.json", "--noEmit"],
    full: true,
  },
  { kind: "folder", name: "cli", folder: "tests/cli", postgres: true, long: true },
  { kind: "folder", name: "conformance", folder: "tests/conformance", postgres: true, long: true },
  { kind: "folder", name: "search", folder: "tests/simulation", fileMinutes: 4, long: true },
  { kind: "folder", name: "packaging", folder: "tests/packaging", long: true },
  { kind: "folder", name: "examples", folder: "examples", long: true },
  { kind: "folder", name: "interop", folder: "tests/interop", installs: "tests/interop", long: true },
  { kind: "folder", name: "complaints", folder: "tests/complaints", long: true },
  { kind: "folder", name: "postgres", folder: "tests/postgres", postgres: true, long: true },
  { kind: "folder", name: "transcripts", folder: "tests/transcripts" },
  { kind: "folder", name: "tidy", folder: "tests/tidy" },
  { kind: "folder", name: "units", folder: "src", postgres: true, long: true },
  { kind: "folder", name: "history", folder: "tests/history" },
  { kind: "folder", name: "bench", folder: "bench" },
  // A mutant runs tests of its own on a copy: one at a time, so that they are not slowed into failing.
  {
    kind: "folder",
    name: "mutants",
    folder: "tests/mutants",
    postgres: true,
    alone: true,
    fileMinutes: 5,
    long: true,
  },
  // Faults watch the clock.
  {
    kind: "folder",
    name: "faults",
    folder: "tests/faults",
    postgres: true,
    alone: true,
    fileMinutes: 3,
    long: true,
  },
];
