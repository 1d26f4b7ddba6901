// How `belay serve` and its configuration file come together: a flag wins over its environment variable, that over the
// file, the file over the default; what is served adds up. Loads nothing heavy unless there is a file.
import { existsSync } from "node:fs";
import { CliError, exitCodes } from "../exit-codes.ts";
import { printNote } from "../output.ts";
import type { ServerConfig } from "./server-config.ts";
import type { StoreConfig } from "./store-config.ts";

/** Taken without being named, from the folder that serve runs in. */
export const DEFAULT_CONFIG_FILE = "belay.yaml";

/**
 * Reads the file that was named, else belay.yaml if it is there; undefined without one. `withPorts` are the ids of services
 * that get a port by a flag; null is for commands that serve nothing of the file. Throws a ConfigError.
 */
export async function readServeConfig(
  named: string | undefined,
  withPorts: readonly string[] | null,
): Promise<ServerConfig | undefined> {
  if (named === undefined && !existsSync(DEFAULT_CONFIG_FILE)) return undefined;
  const { loadConfig } = await import("./load-config.ts");
  const config = loadConfig(named ?? DEFAULT_CONFIG_FILE, withPorts);
  if (named === undefined && withPorts !== null && config.execCommands?.length) {
    throw new CliError(
      `${DEFAULT_CONFIG_FILE}: exec is taken only from a file that --config names: start with --config ${DEFAULT_CONFIG_FILE}`,
      exitCodes.CONFIG,
    );
  }
  // Nobody asked for it: whoever wonders about a setting must learn where it comes from.
  if (named === undefined) printNote(`belay: configuration from ${DEFAULT_CONFIG_FILE} in this folder`);
  return config;
}

/** The flags that a file may set, too. */
export interface ConfigurableFlags {
  host: string;
  port: number;
  data: string;
  /** Undefined: SQLite in the data folder. */
  store: StoreConfig | undefined;
  slots: number | undefined;
  logLevel: NonNullable<ServerConfig["logLevel"]>;
  shutdownDelay: number;
  shutdownGrace: number;
  operationFiles: readonly string[];
  execCommands: readonly string[];
}

/** Fills in from the file what neither a flag nor a variable has set; `isSet` tells by the option's name. */
export function withConfig(
  flags: ConfigurableFlags,
  config: ServerConfig | undefined,
  isSet: (
    option: "host" | "port" | "data" | "store" | "slots" | "logLevel" | "shutdownDelay" | "shutdownGrace",
  ) => boolean,
): ConfigurableFlags {
  if (config === undefined) return flags;
  return {
    host: isSet("host") ? flags.host : (config.host ?? flags.host),
    port: isSet("port") ? flags.port : (config.port ?? flags.port),
    data: isSet("data") ? flags.data : (config.data ?? flags.data),
    store: isSet("store") ? flags.store : (config.store ?? flags.store),
    slots: isSet("slots") ? flags.slots : (config.slots ?? flags.slots),
    logLevel: isSet("logLevel") ? flags.logLevel : (config.logLevel ?? flags.logLevel),
    shutdownDelay: isSet("shutdownDelay")
      ? flags.shutdownDelay
      : (config.shutdownDelay ?? flags.shutdownDelay),
    shutdownGrace: isSet("shutdownGrace")
      ? flags.shutdownGrace
      : (config.shutdownGrace ?? flags.shutdownGrace),
    operationFiles: [...(config.operationFiles ?? []), ...flags.operationFiles],
    execCommands: [...(config.execCommands ?? []), ...flags.execCommands],
  };
}
