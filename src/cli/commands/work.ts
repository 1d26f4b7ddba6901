// belay work: runs a worker of the handlers that files export, for a server elsewhere, until it is told to stop.
import { hostname } from "node:os";
import { type Command, Option } from "commander";
import type { LogLevel } from "../../base/logger.ts";
import { addServerOption } from "../client-options.ts";
import { addExamples, durationOption, integerOption, repeatableOption } from "../command-options.ts";
import { logLevels } from "../config/log-levels.ts";

/** The flags of work, read. */
export interface WorkOptions {
  server: string;
  exec: string[];
  slots?: number;
  name: string;
  tokenFile?: string;
  lease?: number;
  drainGrace: number;
  logLevel: LogLevel;
}

const SLOTS_MAX = 100_000;

/** Defines `belay work`. */
export function defineWork(command: Command): void {
  command
    .description(
      "Runs a worker: the handlers that the files export (`operations`, an array of defineOperation(...)) take operations " +
        "from a server elsewhere. It connects again when the server restarts. SIGTERM or Ctrl-C drains it: no new work, " +
        "running work may end; what is left then goes back to the server if it may be retried, else it is stopped. A second " +
        "signal stops everything at once. With identity it needs a worker's token, in BELAY_WORKER_TOKEN or a file.",
    )
    .argument("[files...]", "modules that export `operations`")
    .option(
      "--exec <name=command>",
      "serve a command as exec.NAME, as belay serve does; repeatable",
      repeatableOption,
      [],
    )
    .addOption(
      new Option("--slots <count>", "how many operations run at once; 10 for each core unless given")
        .env("BELAY_SLOTS")
        .argParser(integerOption(1, SLOTS_MAX)),
    )
    .addOption(
      new Option("--name <name>", "the worker's name, for people; the host's unless given").default(
        hostname(),
        "the host's name",
      ),
    )
    .option("--token-file <file>", "a file with the worker's token, read anew for each connection")
    .option(
      "--lease <duration>",
      "how long its work may go on without an answer of the server, 1s-10m; the server's unless given",
      durationOption,
    )
    .addOption(
      new Option("--drain-grace <duration>", "how long running work may take to end when the worker stops")
        .argParser(durationOption)
        .default(30_000, "30s"),
    )
    .addOption(
      new Option("--log-level <level>", "what is logged on standard error, as JSON lines")
        .env("BELAY_LOG_LEVEL")
        .choices(logLevels)
        .default("info"),
    );
  addServerOption(command);
  addExamples(command, [
    "belay work ./operations.js --name page-reader --slots 4",
    `belay work --exec count="wc -c" --drain-grace 5s --lease 10s`,
  ]);
  command.action(async (files: readonly string[], options: WorkOptions) => {
    const { runWorker } = await import("../worker-process.ts");
    await runWorker(files, options);
  });
}
