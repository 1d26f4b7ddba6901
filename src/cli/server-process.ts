// The life of `belay serve`: reads what is to be served, opens the store, starts the rest, and stops it all when told.
// No other file picks a store.
import { createLogger, type Logger, type LogLevel } from "../base/logger.ts";
import { startTimer } from "../base/timers.ts";
import { formatServerAddress } from "../client/server-address.ts";
import { isLoopbackHost } from "../server/config.ts";
import { SqliteStore } from "../stores/sqlite/sqlite-store.ts";
import type { OperationDefinition } from "../worker/define-operation.ts";
import { policyOf } from "../worker/operation-policy.ts";
import { formatDuration } from "./duration.ts";
import { parseExecOption } from "./exec-option.ts";
import { CliError, exitCodes } from "./exit-codes.ts";
import { loadOperationsFile } from "./operations-file.ts";
import { printError, printLine, printNote } from "./output.ts";
import type { CliHooks } from "./program.ts";
import { stopRequested } from "./stop-signals.ts";

/** The flags of serve, read. */
export interface ServeOptions {
  host: string;
  /** 0 for any free one. */
  port: number;
  /** The data folder. */
  data: string;
  operationFiles: readonly string[];
  execCommands: readonly string[];
  /** How many operations run at once; undefined takes the worker's default. */
  slots: number | undefined;
  logLevel: LogLevel;
  /** How long running work may take to end when the server stops, in milliseconds. */
  shutdownGrace: number;
}

/** A stop that takes longer than this is told. */
const QUIET_STOP_MS = 300;

/** Runs the server until a signal stops it. Throws a CliError when it cannot start. */
export async function runServer(options: ServeOptions, hooks: CliHooks): Promise<void> {
  if (!isLoopbackHost(options.host)) {
    const rule = "without identity the server listens on loopback addresses only, such as 127.0.0.1";
    throw new CliError(`host ${options.host} is refused: ${rule}`, exitCodes.REFUSED);
  }
  const operations = await readOperations(options);
  const logger = createLogger(options.logLevel);
  endOnBugs(logger);
  await using stack = new AsyncDisposableStack();
  // The store opens in a thread of its own; meanwhile this one loads all that is heavy: both take some 100 ms.
  const opening = openStore(options.data, logger);
  stack.defer(() => opening.then((store) => store.close()).catch(() => undefined));
  const { startParts } = await import("./server-parts.ts");
  const parts = stack.use(await startParts({ ...options, store: await opening, operations, logger }));

  const url = `http://${formatServerAddress(parts.address)}`;
  const stop = stopRequested();
  printLine(`belay: serving on ${url} (REST and gRPC), data in ${options.data}`);
  hooks.serving?.({ url, operationTypes: operations.map(({ type }) => type) });
  await stop;
  const notice = startTimer(QUIET_STOP_MS, () => {
    const grace = formatDuration(options.shutdownGrace);
    printNote(`belay: stopping; running work has ${grace} to end; the same signal again stops at once`);
  });
  // The work first: while it ends, its callers are still answered, and can cancel it.
  await parts.worker.drain(options.shutdownGrace);
  await stack.disposeAsync();
  notice.cancel();
  // A handler that cannot be stopped would keep the process alive: it ends here.
  process.exit(exitCodes.OK);
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
  for (const file of options.operationFiles) operations.push(...(await loadOperationsFile(file)));
  const types = new Set<string>();
  for (const operation of operations) {
    policyOf(operation);
    if (types.has(operation.type)) throw new CliError(`operation type ${operation.type} is declared twice`);
    types.add(operation.type);
  }
  return operations;
}

/** Opens the store. When it fails later, nothing can be acknowledged any more: the process ends at once. */
async function openStore(folder: string, logger: Logger): Promise<SqliteStore> {
  try {
    return await SqliteStore.open(folder, {
      onFatal: (line) => {
        printError(line);
        process.exit(exitCodes.STORAGE);
      },
      onNotice: (line) => logger.warn(line),
    });
  } catch (error) {
    throw new CliError(error instanceof Error ? error.message : String(error), exitCodes.STORAGE);
  }
}
