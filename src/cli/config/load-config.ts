// belay.yaml from the disk to a checked ServerConfig. It loads zod and yaml: import it only when there is a file.
import { dirname, resolve } from "node:path";
import type { AuthConfig } from "../../server/auth/auth-config.ts";
import { checkAuthConfig } from "../../server/auth/auth-config-check.ts";
import { builtinServices } from "../../services/builtin/builtin-services.ts";
import type { ServiceDeclaration } from "../../services/service-declaration.ts";
import { shown } from "../../services/service-problem.ts";
import { parseExecOption } from "../exec-option.ts";
import { CliError } from "../exit-codes.ts";
import type { ConfigProblem } from "./config-error.ts";
import { issueText, problemsOf } from "./config-issues.ts";
import { type ConfigFile, configSchema } from "./config-schema.ts";
import { configuredServices } from "./configured-services.ts";
import type { ServerConfig } from "./server-config.ts";
import type { StoreConfig } from "./store-config.ts";
import { YamlSource } from "./yaml-source.ts";

/**
 * Reads a configuration file. Throws a ConfigError that says where it is wrong:
 * `belay.yaml:3:12: services[0].dialect: "soap" is not one of google, yandex`. `withPorts` are the ids of services that get
 * a port by the command line; null does not ask whether services are reached.
 */
export function loadConfig(file: string, withPorts: readonly string[] | null = []): ServerConfig {
  const source = YamlSource.read(file);
  const schema = configSchema(dirname(resolve(file)));
  // An empty file is an empty table.
  const parsed = schema.safeParse(source.data ?? {}, { error: issueText });
  if (!parsed.success) throw source.error(problemsOf(parsed.error, schema));
  const { operations, exec, services = [], limits = {}, ...rest } = parsed.data;
  const configured = configuredServices(services, builtinServices, { port: rest.port, withPorts });
  const problems = [
    ...("problems" in configured ? configured.problems : []),
    ...execProblems(parsed.data),
    ...authProblems(rest.auth),
    ...("services" in configured ? databaseProblems(rest.store, configured.services) : []),
  ];
  if (problems.length > 0 || "problems" in configured) throw source.error(problems);
  return {
    file,
    host: rest.host,
    port: rest.port,
    data: rest.data,
    store: rest.store,
    slots: rest.slots,
    logLevel: rest.logLevel,
    shutdownDelay: rest.shutdownDelay,
    shutdownGrace: rest.shutdownGrace,
    tls: rest.tls,
    auth: rest.auth,
    limits,
    operationFiles: operations,
    operationPlaces: operations?.map((_, index) => source.place(["operations", index])),
    execCommands: exec && Object.entries(exec).map(([name, command]) => `${name}=${command}`),
    services: configured.services,
  };
}

function execProblems({ exec = {} }: ConfigFile): ConfigProblem[] {
  return Object.entries(exec).flatMap(([name, command]) => {
    try {
      parseExecOption(`${name}=${command}`);
      return [];
    } catch (error) {
      if (!(error instanceof CliError)) throw error;
      return [{ path: ["exec", name], problem: error.message.replace(/^--exec ([a-z0-9-]+: )?/, "") }];
    }
  });
}

/** Each database is another one, and has the operations of services that there are. */
function databaseProblems(
  store: StoreConfig | undefined,
  services: readonly ServiceDeclaration[],
): ConfigProblem[] {
  const known = services.map(({ id }) => id);
  const { databases = [], url: main } = store ?? {};
  return databases.flatMap(({ url, services: ids = [] }, index) => {
    const path = ["store", "databases", index];
    const isTaken = url === main || databases.findIndex((each) => each.url === url) < index;
    const unknown = ids.flatMap((id, at) => {
      if (known.includes(id)) return [];
      const problem = `${shown(id)} is no service; expected one of ${known.join(", ")}`;
      return [{ path: [...path, "services", at], problem }];
    });
    const taken = {
      path: [...path, "url"],
      problem: "is in the list already; expected a database of its own",
    };
    return [...(isTaken ? [taken] : []), ...unknown];
  });
}

/** The check of all of `auth:` tells its first problem, with its place in front. */
function authProblems(auth: AuthConfig | undefined): ConfigProblem[] {
  if (auth === undefined) return [];
  try {
    checkAuthConfig(auth);
    return [];
  } catch (error) {
    const [, place, problem] =
      (error instanceof TypeError && /^(auth[\w.[\]]*): (.*)$/s.exec(error.message)) || [];
    if (place === undefined || problem === undefined) throw error;
    return [{ path: pathOf(place), problem }];
  }
}

/** `auth.issuers[0].keys` as steps. */
function pathOf(place: string): (string | number)[] {
  return [...place.matchAll(/\[(\d+)\]|[^.[\]]+/g)].map(([text, index]) =>
    index === undefined ? text : Number(index),
  );
}
