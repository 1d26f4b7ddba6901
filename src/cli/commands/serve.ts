// belay serve: the flags of the server. What they start is composed in server-process.ts.
import { delimiter } from "node:path";
import { type Command, Option } from "commander";
import { addExamples, durationOption, integerOption, repeatableOption } from "../command-options.ts";
import type { CliHooks } from "../program.ts";
import { runServer, type ServeOptions } from "../server-process.ts";

const SLOTS_MAX = 10_000;

/** The flags as commander gives them. */
interface ServeFlags extends Omit<ServeOptions, "operationFiles" | "execCommands"> {
  operations?: string[];
  exec?: string[];
}

/** Defines `belay serve`. */
export function defineServe(command: Command, hooks: CliHooks): void {
  command
    .description(
      "Runs the server with its store and a worker in one process, until SIGTERM or Ctrl-C: then it takes no new " +
        "work, lets running work end, and stops. A second signal stops it at once; what ran is settled at the next " +
        "start.",
    )
    .addOption(
      new Option(
        "--host <host>",
        "the address to listen on: a loopback one, as long as no identity is configured",
      )
        .env("BELAY_HOST")
        .default("127.0.0.1"),
    )
    .addOption(
      new Option("--port <port>", "the port for REST and gRPC; 0 takes any free one")
        .env("BELAY_PORT")
        .argParser(integerOption(0, 65_535))
        .default(8080),
    )
    .addOption(
      new Option("--data <folder>", "where the database lives; made if it is missing")
        .env("BELAY_DATA")
        .default("./belay-data"),
    )
    .addOption(
      new Option("--slots <count>", "how many operations run at once; 10 for each core unless given")
        .env("BELAY_SLOTS")
        .argParser(integerOption(1, SLOTS_MAX)),
    )
    .addOption(
      new Option("--log-level <level>", "what is logged on standard error, as JSON lines")
        .env("BELAY_LOG_LEVEL")
        .choices(["fatal", "error", "warn", "info", "debug", "trace", "silent"])
        .default("info"),
    )
    .addOption(
      new Option("--shutdown-grace <duration>", "how long running work may take to end when the server stops")
        .env("BELAY_SHUTDOWN_GRACE")
        .argParser(durationOption)
        .default(10_000, "10s"),
    );
  addWork(command);
  addExamples(command, [
    `belay serve --exec hello="echo hello" --exec nap="sleep 60"`,
    "belay serve --port 0 --data ./other-data --slots 4 --log-level warn",
  ]);
  command.action(async (flags: ServeFlags) => {
    const { operations, exec, slots, ...rest } = flags;
    const { BELAY_OPERATIONS: listed = "" } = process.env;
    const fromEnvironment = listed.split(delimiter).filter(Boolean);
    await runServer(
      { ...rest, slots, operationFiles: operations ?? fromEnvironment, execCommands: exec ?? [] },
      hooks,
    );
  });
}

/** Adds the flags that say what is served. */
function addWork(command: Command): void {
  command
    .option(
      "--operations <file>",
      "a module that exports `operations`, an array of defineOperation(...); repeatable " +
        `(env: BELAY_OPERATIONS, a list separated by ${delimiter})`,
      repeatableOption,
    )
    .option(
      "--exec <name=command>",
      "serve a command as the operation type exec.NAME; run without a shell, the payload on standard input; repeatable",
      repeatableOption,
    );
}
