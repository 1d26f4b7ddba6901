// What commands that wait exit with: by how the operations ended.
import { type Operation, State } from "../client/client.ts";
import { type ExitCode, exitCodes } from "./exit-codes.ts";

/** What the wait for an operation's success exits with. */
export function outcomeExitCode(operation: Operation): ExitCode {
  if (!operation.done) return exitCodes.NOT_DONE;
  if (operation.state === State.CANCELLED) return exitCodes.CANCELLED;
  return stopExitCode(operation);
}

/** What the wait for an operation's stop exits with: CANCELLED is what was wanted, and finished work wins. */
export function stopExitCode(operation: Operation): ExitCode {
  if (!operation.done) return exitCodes.NOT_DONE;
  if (operation.state !== State.FAILED) return exitCodes.OK;
  return isUnconfirmed(operation) ? exitCodes.UNCONFIRMED : exitCodes.FAILED;
}

/** Of several, the worst. */
export function worstExitCode(codes: readonly ExitCode[]): ExitCode {
  return worstFirst.find((code) => codes.includes(code)) ?? codes.find((code) => code !== 0) ?? exitCodes.OK;
}

const worstFirst: readonly ExitCode[] = [
  exitCodes.UNCONFIRMED,
  exitCodes.FAILED,
  exitCodes.REFUSED,
  exitCodes.NOT_FOUND,
  exitCodes.CANCELLED,
  exitCodes.NOT_DONE,
];

function isUnconfirmed({ result }: Operation): boolean {
  return result.case === "error" && result.value.message.startsWith("STOP_UNCONFIRMED");
}
