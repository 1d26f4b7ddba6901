// The table of commands. Only the module of the command that is called is loaded: `belay get` never loads the server.

import { Command, CommanderError } from "commander";
import { CliError, type ExitCode, exitCodeOf, exitCodes } from "./exit-codes.ts";
import { printError, tolerateClosedPipes } from "./output.ts";
import { packageVersion } from "./package-version.ts";
import { shrinkHeapAfterStart } from "./start-heap.ts";

/** What a program that embeds `belay serve` (npm start) wants to be told. */
export interface CliHooks {
  /** The server answers. `url` is where. */
  serving?(server: {
    url: string;
    operationTypes: readonly string[];
    /** The extra ports, by service id. */
    servicePorts: Readonly<Record<string, readonly number[]>>;
  }): void;
}

interface CommandEntry {
  name: string;
  summary: string;
  load(): Promise<(command: Command, hooks: CliHooks) => void>;
}

/** Every command, in the order of the help. */
export const commandEntries: readonly CommandEntry[] = [
  {
    name: "serve",
    summary: "run the server with its store and a worker",
    load: async () => (await import("./commands/serve.ts")).defineServe,
  },
  {
    name: "work",
    summary: "run a worker for a server elsewhere",
    load: async () => (await import("./commands/work.ts")).defineWork,
  },
  {
    name: "exec",
    summary: "run a command here as an operation that can be cancelled from anywhere",
    load: async () => (await import("./commands/exec.ts")).defineExec,
  },
  {
    name: "start",
    summary: "start an operation",
    load: async () => (await import("./commands/start.ts")).defineStart,
  },
  {
    name: "get",
    summary: "show an operation",
    load: async () => (await import("./commands/get.ts")).defineGet,
  },
  {
    name: "list",
    summary: "list operations",
    load: async () => (await import("./commands/list.ts")).defineList,
  },
  {
    name: "wait",
    summary: "wait until an operation is done",
    load: async () => (await import("./commands/wait.ts")).defineWait,
  },
  {
    name: "watch",
    summary: "show operations as they change",
    load: async () => (await import("./commands/watch.ts")).defineWatch,
  },
  {
    name: "explain",
    summary: "say why an operation is not done",
    load: async () => (await import("./commands/explain.ts")).defineExplain,
  },
  {
    name: "cancel",
    summary: "cancel operations, by name or by filter",
    load: async () => (await import("./commands/cancel.ts")).defineCancel,
  },
  {
    name: "receipt",
    summary: "show the record of a cancel; export and verify all of them",
    load: async () => (await import("./commands/receipt.ts")).defineReceipt,
  },
  {
    name: "release-held",
    summary: "free what an unconfirmed stop holds",
    load: async () => (await import("./commands/release-held.ts")).defineReleaseHeld,
  },
  {
    name: "rerun",
    summary: "start a failed or cancelled operation anew",
    load: async () => (await import("./commands/rerun.ts")).defineRerun,
  },
  {
    name: "delete",
    summary: "hide an operation from clients",
    load: async () => (await import("./commands/delete.ts")).defineDelete,
  },
  {
    name: "workers",
    summary: "list the connected workers",
    load: async () => (await import("./commands/workers.ts")).defineWorkers,
  },
  {
    name: "token",
    summary: "mint a token for development, or hash one",
    load: async () => (await import("./commands/token.ts")).defineToken,
  },
  {
    name: "backup",
    summary: "copy the database while the server runs",
    load: async () => (await import("./commands/backup.ts")).defineBackup,
  },
  {
    name: "migrate",
    summary: "upgrade a PostgreSQL database, or move to one",
    load: async () => (await import("./commands/migrate.ts")).defineMigrate,
  },
  {
    name: "tls",
    summary: "make certificates for development",
    load: async () => (await import("./commands/tls.ts")).defineTls,
  },
];

/** Makes the program with the definitions of the commands that `isWanted` names; the others have their summary only. */
export async function createProgram(
  isWanted: (name: string) => boolean,
  hooks: CliHooks = {},
): Promise<Command> {
  const program = new Command("belay")
    .description("Belay: long-running operations whose cancel really stops the work.")
    .version(packageVersion(), "--version", "print the version")
    .helpOption("--help", "show this help")
    .helpCommand("help [command]", "show the help of a command")
    .addHelpText("after", "\nbelay <command> --help shows a command's options and examples.")
    .exitOverride()
    .configureOutput({ outputError: (text) => printError(text.replace(/^error: /, "")) });
  for (const { name, summary, load } of commandEntries) {
    const command = program.command(name).summary(summary);
    if (isWanted(name)) (await load())(command, hooks);
  }
  return program;
}

/**
 * Runs a command line (without node and script). Sets `process.exitCode`; errors are one line on standard error.
 * The process ends by itself when the command is over.
 */
export async function runCli(argv: readonly string[], hooks: CliHooks = {}): Promise<void> {
  tolerateClosedPipes();
  const called = argv.filter((word) => !word.startsWith("-"));
  const verb = called[0] === "help" ? called[1] : called[0];
  try {
    if (verb === "serve") shrinkHeapAfterStart();
    const program = await createProgram((name) => name === verb, hooks);
    await program.parseAsync(argv, { from: "user" });
  } catch (error) {
    process.exitCode = report(error, verb);
  }
}

/** Those that run under a supervisor: their flags are part of its configuration. */
const supervised: ReadonlySet<string> = new Set(["serve", "work"]);

/** Tells the error and answers the exit code. Commander has told its own errors already. */
function report(error: unknown, verb: string | undefined): ExitCode {
  if (error instanceof CommanderError) {
    if (error.exitCode === 0) return exitCodes.OK;
    return verb !== undefined && supervised.has(verb) ? exitCodes.CONFIG : exitCodes.ERROR;
  }
  printError(
    error instanceof Error ? error.message : String(error),
    error instanceof CliError ? error.lines : undefined,
  );
  return exitCodeOf(error);
}
