// What a shell exits with when a signal ended its command.
import { constants } from "node:os";

/** 128 and the signal's number; 137 (SIGKILL) for one that is not known. */
export function signalExitCode(signal: string | null): number {
  const numbers: Readonly<Record<string, number>> = constants.signals;
  return 128 + (numbers[signal ?? ""] ?? constants.signals.SIGKILL);
}
