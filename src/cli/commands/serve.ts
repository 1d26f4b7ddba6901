// belay serve: the flags of the server. What they start is composed in server-process.ts.
import { delimiter } from "node:path";
import { type Command, Option } from "commander";
import { addExamples, durationOption, integerOption, repeatableOption } from "../command-options.ts";
import { logLevels } from "../config/log-levels.ts";
import { DEFAULT_CONFIG_FILE, readServeConfig, withConfig } from "../config/serve-config.ts";
import { isStoreUrl, STORE_URL_FORM } from "../config/store-config.ts";
import { CliError, exitCodes } from "../exit-codes.ts";
import type { CliHooks } from "../program.ts";
import { runServer, type ServeOptions } from "../server-process.ts";

const SLOTS_MAX = 10_000;

/** The flags as commander gives them. */
interface ServeFlags
  extends Omit<ServeOptions, "operationFiles" | "execCommands" | "servicePorts" | "config" | "store"> {
  store?: string;
  config?: string;
  operations?: string[];
  exec?: string[];
  servicePort?: string[];
}

/** Defines `belay serve`. */
export function defineServe(command: Command, hooks: CliHooks): void {
  addPlaces(command);
  command
    .description(
      "Runs the server with its store and a worker in one process, until SIGTERM or Ctrl-C: then it takes no new " +
        "work, lets running work end, and stops. A second signal stops it at once; what ran is settled at the next " +
        "start.",
    )
    .addOption(
      new Option("--slots <count>", "how many operations run at once; 10 for each core unless given")
        .env("BELAY_SLOTS")
        .argParser(integerOption(1, SLOTS_MAX)),
    )
    .addOption(
      new Option("--log-level <level>", "what is logged on standard error, as JSON lines")
        .env("BELAY_LOG_LEVEL")
        .choices(logLevels)
        .default("info"),
    )
    .addOption(
      new Option(
        "--shutdown-delay <duration>",
        "how long all is served on after the stop was asked for, while /readyz says no: for load balancers",
      )
        .env("BELAY_SHUTDOWN_DELAY")
        .argParser(durationOption)
        .default(0, "0s"),
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
    "belay serve --port 0 --service-port vault=0 --service-port automl=0 --data ./services-data",
    "belay serve --port 0 --data ./other-data --slots 4 --log-level warn",
    "belay serve --store postgres://belay@db.example/belay --data ./node-1",
  ]);
  command.action(async (flags: ServeFlags) => {
    const { config: named, operations, exec, servicePort = [], slots, store: url, ...rest } = flags;
    const store = url === undefined ? undefined : { url };
    const { BELAY_OPERATIONS: listed = "" } = process.env;
    const operationFiles = operations ?? listed.split(delimiter).filter(Boolean);
    const config = await readServeConfig(
      named,
      servicePort.map((flag) => flag.replace(/=.*$/s, "")),
    );
    const isSet = (option: string): boolean =>
      !["default", undefined].includes(command.getOptionValueSource(option));
    const options = withConfig(
      { ...rest, store, slots, operationFiles, execCommands: exec ?? [] },
      config,
      isSet,
    );
    await runServer({ ...options, servicePorts: servicePort, config }, hooks);
  });
}

/** Adds the flags that say where it listens and keeps its data. */
function addPlaces(command: Command): void {
  command
    .addOption(
      new Option(
        "--config <file>",
        `the configuration file; ${DEFAULT_CONFIG_FILE} of this folder is taken where it exists`,
      ).env("BELAY_CONFIG"),
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
    .option(
      "--service-port <service=port>",
      "a port on which everything is for one service (vault, dai, automl, yandex, ...); repeatable",
      repeatableOption,
    )
    .addOption(
      new Option(
        "--data <folder>",
        "where the database and the server's own files live; made if it is missing",
      )
        .env("BELAY_DATA")
        .default("./belay-data"),
    )
    .addOption(
      new Option(
        "--store <url>",
        "a PostgreSQL database for the operations, postgres://user@host/database, which any number of servers share; " +
          "without it they are in the data folder. The password: PGPASSWORD, PGPASSFILE, or store.passwordFile of the file",
      )
        .env("BELAY_STORE")
        .argParser(storeUrlOption),
    );
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

/** The value is not told, as commander would: it may hold a password. */
function storeUrlOption(text: string): string {
  if (isStoreUrl(text)) return text;
  throw new CliError(`--store ${STORE_URL_FORM}`, exitCodes.CONFIG);
}
