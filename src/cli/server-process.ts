// The life of `belay serve`: reads what is to be served, opens the store, starts the rest, and stops it all when told.
import { existsSync } from "node:fs";
import { join } from "node:path";
import { createLogger, type Logger, type LogLevel } from "../base/logger.ts";
import { delay, startTimer } from "../base/timers.ts";
import { formatServerAddress } from "../client/server-address.ts";
import { isLoopbackHost } from "../server/config.ts";
import type { TlsOptions } from "../server/tls/tls-options.ts";
import { builtinServices } from "../services/builtin/builtin-services.ts";
import type { ServiceDeclaration } from "../services/service-declaration.ts";
import type { OperationDefinition } from "../worker/define-operation.ts";
import { policyOf } from "../worker/operation-policy.ts";
import type { ServerConfig } from "./config/server-config.ts";
import type { StoreConfig } from "./config/store-config.ts";
import { formatDuration } from "./duration.ts";
import { parseExecOption } from "./exec-option.ts";
import { CliError, exitCodes } from "./exit-codes.ts";
import { openStore } from "./open-store.ts";
import { loadOperationsFile } from "./operations-file.ts";
import { printError, printLine, printNote } from "./output.ts";
import type { CliHooks } from "./program.ts";
import type { ServerParts } from "./server-parts.ts";
import { isStoreAway, StartPatience } from "./start-patience.ts";
import { stopRequested } from "./stop-signals.ts";

/** The flags of serve, read. */
export interface ServeOptions {
  host: string;
  /** 0 for any free one. */
  port: number;
  /** The data folder. */
  data: string;
  /** The database of the operations; undefined: SQLite in the data folder. */
  store: StoreConfig | undefined;
  operationFiles: readonly string[];
  execCommands: readonly string[];
  /** An extra port for a service, `id=port`. */
  servicePorts: readonly string[];
  /** The configuration file, if there is one; what flags can say of it is in the other options already. */
  config: ServerConfig | undefined;
  /** How many operations run at once; undefined takes the worker's default. */
  slots: number | undefined;
  logLevel: LogLevel;
  /** How long everything is served on after the stop was asked for, not ready, in milliseconds. */
  shutdownDelay: number;
  /** How long running work may take to end when the server stops, in milliseconds. */
  shutdownGrace: number;
}

/** A stop that takes longer than this is told. */
const QUIET_STOP_MS = 300;

/** Runs the server until a signal stops it. Throws a CliError when it cannot start. */
export async function runServer(options: ServeOptions, hooks: CliHooks): Promise<void> {
  const { config } = options;
  if (!config?.auth && !isLoopbackHost(options.host)) {
    const rule = "without identity (auth in belay.yaml) only loopback addresses are taken, such as 127.0.0.1";
    throw new CliError(`host ${options.host} is refused: ${rule}`, exitCodes.REFUSED);
  }
  const operations = await readOperations(options);
  const services = withPorts(config?.services ?? builtinServices, options.servicePorts);
  const logger = createLogger(options.logLevel);
  endOnBugs(logger);
  await using stack = new AsyncDisposableStack();
  // The store opens in a thread of its own; meanwhile this one loads all that is heavy: both take some 100 ms.
  const patience = new StartPatience(logger);
  const opening = openStore(options.data, options.store, logger, patience);
  stack.defer(() => opening.then((store) => store.close()).catch(() => undefined));
  const { startParts } = await import("./server-parts.ts");
  const tls = config?.tls ?? madeCertificate(options.data);
  const { store, shared, label } = await opening;
  const start = (): Promise<ServerParts> =>
    startParts({
      ...options,
      ...{ operations, services, logger, auth: config?.auth, limits: config?.limits ?? {} },
      ...{ tls, store, shared },
    });
  // SQLite that cannot be used now cannot be used later.
  const parts = stack.use(await (shared ? patience.run(start) : start()).catch(storageError));

  const isTlsOnly = tls !== undefined && !(tls.cleartext ?? isLoopbackHost(options.host));
  const url = `${isTlsOnly ? "https" : "http"}://${formatServerAddress(parts.address)}`;
  const protocols = tls && !isTlsOnly ? "REST and gRPC, with and without TLS" : "REST and gRPC";
  const stop = stopRequested();
  printLine(`belay: serving on ${url} (${protocols}), ${label}`);
  const { servicePorts } = parts.address;
  for (const [id, ports] of Object.entries(servicePorts)) {
    for (const port of ports) {
      printLine(`belay: service ${id} alone on ${formatServerAddress({ host: parts.address.host, port })}`);
    }
  }
  hooks.serving?.({ url, operationTypes: operations.map(({ type }) => type), servicePorts });
  await stop;
  const notice = startTimer(QUIET_STOP_MS, () => {
    const grace = formatDuration(options.shutdownDelay + options.shutdownGrace);
    printNote(`belay: stopping; running work has ${grace} to end; the same signal again stops at once`);
  });
  // Not ready first: balancers look only now and then, and until they have, they send calls here.
  parts.announceStop();
  await delay(options.shutdownDelay);
  // Then the work: while it ends, its callers are still answered, and can cancel it.
  await parts.drain(options.shutdownGrace);
  await stack.disposeAsync();
  notice.cancel();
  // A handler that cannot be stopped would keep the process alive: it ends here.
  process.exit(exitCodes.OK);
}

/** The database was away for longer than the start waits: one line, and the exit code that says why. */
function storageError(error: unknown): never {
  if (!isStoreAway(error)) throw error;
  const { message, cause } = error as Error;
  const why = cause instanceof Error ? `${message}: ${cause.message}` : message;
  throw new CliError(why, exitCodes.STORAGE);
}

/** An error that nobody caught is a bug, of ours or of an inline handler: the state is unknown, so the process ends. */
function endOnBugs(logger: Logger): void {
  process.on("uncaughtException", (error) => {
    logger.fatal({ err: error }, "an error was not caught; the server ends");
    printError(`an error was not caught: ${error instanceof Error ? error.message : String(error)}`);
    process.exit(exitCodes.ERROR);
  });
}

/** The operation types of every flag; throws a CliError for a wrong or repeated one. */
async function readOperations(options: ServeOptions): Promise<readonly OperationDefinition[]> {
  const operations = options.execCommands.map(parseExecOption);
  for (const [index, file] of options.operationFiles.entries()) {
    // Those of the configuration file come first (withConfig).
    const place = options.config?.operationPlaces?.[index];
    operations.push(...(await loadOperationsFile(file, place && `${place}:`)));
  }
  const types = new Set<string>();
  for (const operation of operations) {
    checkPolicy(operation);
    if (types.has(operation.type))
      throw new CliError(`operation type ${operation.type} is declared twice`, exitCodes.CONFIG);
    types.add(operation.type);
  }
  return operations;
}

/** Throws a CliError for a policy that is out of its limits. */
function checkPolicy(operation: OperationDefinition): void {
  try {
    policyOf(operation);
  } catch (error) {
    throw new CliError(error instanceof Error ? error.message : String(error), exitCodes.CONFIG);
  }
}

/** The certificate that `belay tls` made in the data folder, if it is there. */
function madeCertificate(data: string): TlsOptions | undefined {
  const [certFile, keyFile] = [join(data, "tls", "server.pem"), join(data, "tls", "server-key.pem")];
  return existsSync(certFile) && existsSync(keyFile) ? { certFile, keyFile } : undefined;
}

/** Gives services the ports of `--service-port id=port`. */
function withPorts(
  services: readonly ServiceDeclaration[],
  flags: readonly string[],
): readonly ServiceDeclaration[] {
  const ports = new Map<string, number[]>();
  for (const flag of flags) {
    const [id = "", text = ""] = flag.split("=", 2);
    if (!/^\d{1,5}$/.test(text) || Number(text) > 65_535)
      throw new CliError(`--service-port ${flag}: write SERVICE=PORT`, exitCodes.CONFIG);
    if (!services.some((service) => service.id === id)) {
      const known = services.map((service) => service.id).join(", ");
      throw new CliError(
        `--service-port ${flag}: there is no service ${id}; known: ${known}`,
        exitCodes.CONFIG,
      );
    }
    ports.set(id, [...(ports.get(id) ?? []), Number(text)]);
  }
  return services.map((service) => ({
    ...service,
    ports: [...service.ports, ...(ports.get(service.id) ?? [])],
  }));
}
