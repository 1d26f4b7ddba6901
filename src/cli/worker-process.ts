// The life of `belay work`: loads the handlers, connects, says what it serves, and drains when told to stop.
import { createLogger, type Logger } from "../base/logger.ts";
import { startTimer } from "../base/timers.ts";
import type { OperationDefinition } from "../worker/define-operation.ts";
import type { Worker } from "../worker/worker.ts";
import type { WorkOptions } from "./commands/work.ts";
import { formatDuration } from "./duration.ts";
import { parseExecOption } from "./exec-option.ts";
import { CliError, exitCodes } from "./exit-codes.ts";
import { loadOperationsFile } from "./operations-file.ts";
import { printError, printLine, printNote } from "./output.ts";
import { remoteWorker } from "./remote-worker.ts";
import { stopRequested } from "./stop-signals.ts";

/** A stop that takes longer than this is told. */
const QUIET_STOP_MS = 300;

/** Runs the worker until a signal stops it. Throws a CliError when it cannot start. */
export async function runWorker(files: readonly string[], options: WorkOptions): Promise<void> {
  const handlers: OperationDefinition[] = options.exec.map(parseExecOption);
  for (const file of files) handlers.push(...(await loadOperationsFile(file, "worker file")));
  if (handlers.length === 0)
    throw new CliError(
      "nothing to work on: name a file that exports `operations`, or --exec",
      exitCodes.CONFIG,
    );
  const { server, slots, name, lease: leaseMs, tokenFile, drainGrace, logLevel } = options;
  const logger = createLogger(logLevel);
  const worker = remoteWorker({ server, handlers, slots, name, leaseMs, tokenFile, logger });
  endOnBugs(worker, logger);
  const stop = stopRequested();
  const isStopped = await Promise.race([worker.start().then(() => false), stop.then(() => true)]);
  if (!isStopped) {
    const types = handlers.map(({ type }) => type).sort();
    printLine(`belay: worker ${name} serves ${types.join(", ")} for ${server}`);
    await stop;
  }
  const notice = startTimer(QUIET_STOP_MS, () => {
    printNote(
      `belay: draining; running work has ${formatDuration(drainGrace)} to end; the same signal again stops at once`,
    );
  });
  if (!isStopped) await worker.drain(drainGrace);
  await worker.close();
  notice.cancel();
  // A handler that cannot be stopped would keep the process alive: it ends here.
  process.exit(exitCodes.OK);
}

/**
 * An error that nobody caught, of an inline handler most likely: the state of the process is unknown, so it ends. What runs
 * is stopped first, and told as far as it stops; then nobody's work has to wait for the lease to pass.
 */
function endOnBugs(worker: Worker, logger: Logger): void {
  process.on("uncaughtException", (error) => {
    logger.fatal({ err: error, running: worker.running }, "an error was not caught; the worker ends");
    printError(`an error was not caught: ${error instanceof Error ? error.message : String(error)}`);
    void worker.close().finally(() => process.exit(exitCodes.ERROR));
  });
}
