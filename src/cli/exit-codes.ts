// The exit codes of `belay`, one table for the code and for docs/reference/cli.md.
import { BelayError } from "../client/belay-error.ts";

/** What each exit code says. */
export const exitCodes = {
  OK: 0,
  ERROR: 1,
  FAILED: 2,
  CANCELLED: 3,
  NOT_FOUND: 4,
  UNREACHABLE: 5,
  NOT_DONE: 6,
  REFUSED: 7,
  STORAGE: 8,
  UNCONFIRMED: 9,
  CHAIN_BROKEN: 10,
  /** EX_CONFIG of sysexits.h: supervisors can be told not to start it again (RestartPreventExitStatus=78). */
  CONFIG: 78,
  EXEC_ERROR: 125,
  INTERRUPTED: 130,
  TERMINATED: 143,
} as const;

export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes];

/** For the reference: when each code is used. */
export const exitCodeMeanings: Readonly<Record<keyof typeof exitCodes, string>> = {
  OK: "Done as asked. After a wait: the operation succeeded.",
  ERROR: "Wrong usage, an invalid request, or any error that has no code of its own.",
  FAILED: "The operation that was waited for ended FAILED.",
  CANCELLED: "The operation that was waited for ended CANCELLED.",
  NOT_FOUND: "The operation, or its receipt, does not exist.",
  UNREACHABLE: "No server answered at the address.",
  NOT_DONE: "The time given to a wait has passed and the operation is not done.",
  REFUSED:
    "Refused by a rule: not cancellable, not deletable, not held, another etag, no permission, or a host that serve may not " +
    "listen on.",
  STORAGE:
    "The data folder or the database cannot be used, the store failed while serving, or belay migrate verify found " +
    "something wrong.",
  UNCONFIRMED:
    "The operation that was waited for ended FAILED with STOP_UNCONFIRMED: nobody knows whether its work has stopped.",
  CHAIN_BROKEN:
    "The chain of receipts has an entry that was changed, removed or moved, or a signature that is not right.",
  CONFIG:
    "The configuration file is wrong, or the flags of serve or work are, or a file of operations: nothing but a change " +
    "helps, so a supervisor need not start it again.",
  EXEC_ERROR:
    "`belay exec`: the command never ran, or Belay itself failed. Else its exit code is the command's own, or 128 + n when " +
    "signal n ended it.",
  INTERRUPTED: "Ended by SIGINT (Ctrl-C). The operation goes on.",
  TERMINATED: "Ended by SIGTERM.",
};

/** An error for the person at the terminal: one line, or one for each of its problems, and the exit code. */
export class CliError extends Error {
  override name = "CliError";
  readonly exitCode: ExitCode;
  /** Where there are several: a line for each. */
  readonly lines?: readonly string[];

  constructor(message: string, exitCode: ExitCode = exitCodes.ERROR) {
    super(message);
    this.exitCode = exitCode;
  }
}

/** The exit code of a command that threw. */
export function exitCodeOf(error: unknown): ExitCode {
  if (error instanceof CliError) return error.exitCode;
  if (!(error instanceof BelayError)) return exitCodes.ERROR;
  switch (error.code) {
    case "NOT_FOUND":
      return exitCodes.NOT_FOUND;
    case "UNAVAILABLE":
    case "DEADLINE_EXCEEDED":
      return exitCodes.UNREACHABLE;
    case "FAILED_PRECONDITION":
    case "PERMISSION_DENIED":
    case "UNAUTHENTICATED":
    case "ABORTED":
      return exitCodes.REFUSED;
    case "UNIMPLEMENTED":
      return error.reason === "OPERATION_NOT_CANCELLABLE" ? exitCodes.REFUSED : exitCodes.ERROR;
    default:
      return exitCodes.ERROR;
  }
}
