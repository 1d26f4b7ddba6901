// belay exec: runs a command on this machine as an operation that can be cancelled from anywhere.
import { type Command, Option } from "commander";
import { addServerOption } from "../client-options.ts";
import { addExamples, durationOption, keyValueOption } from "../command-options.ts";
import { CliError, exitCodes } from "../exit-codes.ts";

/** The flags of exec, read. */
export interface ExecOptions {
  server: string;
  name?: string;
  label?: Record<string, string>;
  description?: string;
  parent?: string;
  grace: number;
  timeout: number;
  lease?: number;
  tokenFile?: string;
  quiet?: true;
}

const WEEK_MS = 7 * 86_400_000;

/** Defines `belay exec`. */
export function defineExec(command: Command): void {
  command
    .description(
      "Runs a command here, on this terminal, as an operation that can be cancelled from anywhere (belay cancel, the API, " +
        "a rule), and exits as the command does (130 after Ctrl-C; 3 if it was cancelled and had exited with 0). Nobody else can be given it: its type is made for this one run. A cancel " +
        "sends SIGTERM to the command's whole process group, and SIGKILL after the grace; so does Ctrl-C here, which cancels " +
        "the operation, and by force the second time. If this process is killed, or loses the server for longer than its " +
        "lease, the command is killed. It can report on descriptor 3, as commands of belay serve --exec do.",
    )
    .argument("<command...>", "the command and its arguments, after --")
    .option("--name <name>", "what it is called: the label exec; the program's name unless given")
    .option("--label <key=value>", "a label; repeatable", keyValueOption)
    .option("--description <text>", "what it is for, 0-256 characters; the command line unless given")
    .option("--parent <parent>", "the collection's parent, for instance projects/p/locations/l")
    .addOption(
      new Option("--grace <duration>", "how long the command may take to stop after SIGTERM")
        .argParser(durationOption)
        .default(10_000, "10s"),
    )
    .addOption(
      new Option("--timeout <duration>", "the command's longest run, up to 7d")
        .argParser(durationOption)
        .default(WEEK_MS, "7d"),
    )
    .option(
      "--lease <duration>",
      "how long it may go on without an answer of the server, 1s-10m",
      durationOption,
    )
    .option("--token-file <file>", "a file with the worker's token; else BELAY_WORKER_TOKEN, or BELAY_TOKEN")
    .option("--quiet", "do not print the operation's name on standard error");
  addServerOption(command);
  addExamples(command, [
    "belay exec -- echo hello",
    `belay exec --name nightly --label team=ops --grace 30s -- sh -c 'echo "begin"; sleep 0.1; echo "end"'`,
  ]);
  command.action(async (words: readonly string[], options: ExecOptions) => {
    const [program, ...args] = words;
    if (program === undefined) throw new CliError("name a command", exitCodes.EXEC_ERROR);
    const { runCommand } = await import("../exec-process.ts");
    process.exitCode = await runCommand([program, ...args], options);
  });
}
