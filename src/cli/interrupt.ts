// SIGINT and SIGTERM as an AbortSignal, for commands that wait.
import { CliError, type ExitCode, exitCodes } from "./exit-codes.ts";

/** Why a wait was ended from outside. */
export class Interrupted extends CliError {
  constructor(exitCode: ExitCode) {
    super("interrupted", exitCode);
  }
}

/** Runs `use` with a signal that the first SIGINT or SIGTERM aborts; a second one ends the process as usual. */
export async function interruptible<Result>(use: (signal: AbortSignal) => Promise<Result>): Promise<Result> {
  const controller = new AbortController();
  const onInterrupt = (): void => controller.abort(new Interrupted(exitCodes.INTERRUPTED));
  const onTerminate = (): void => controller.abort(new Interrupted(exitCodes.TERMINATED));
  process.once("SIGINT", onInterrupt);
  process.once("SIGTERM", onTerminate);
  try {
    return await use(controller.signal);
  } finally {
    process.off("SIGINT", onInterrupt);
    process.off("SIGTERM", onTerminate);
  }
}
