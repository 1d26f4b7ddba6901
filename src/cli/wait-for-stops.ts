// Waiting until several operations have stopped: shows each change, and answers what the command exits with.
import type { BelayClient } from "../client/client.ts";
import { type ExitCode, exitCodes } from "./exit-codes.ts";
import { interruptible } from "./interrupt.ts";
import { stopExitCode } from "./outcome-exit-code.ts";
import { showWatch } from "./show-watch.ts";

export interface StopWaitOptions {
  json: boolean;
  timeoutMs: number | undefined;
}

/** As many as one watch takes. */
const WATCHED_MAX = 10_000;

/** An exit code for each operation, or NOT_DONE once the time is over. */
export async function waitForStops(
  client: BelayClient,
  names: readonly string[],
  { json, timeoutMs }: StopWaitOptions,
): Promise<ExitCode[]> {
  const style = json ? "json" : process.stdout.isTTY ? "table" : "lines";
  const timeout = timeoutMs === undefined ? [] : [AbortSignal.timeout(timeoutMs)];
  const isTimeout = (error: unknown): boolean => timeout.some((signal) => signal.reason === error);
  return await interruptible(async (signal) => {
    const codes: ExitCode[] = [];
    try {
      for (let start = 0; start < names.length; start += WATCHED_MAX) {
        const some = names.slice(start, start + WATCHED_MAX);
        const watch = client.watch({ names: some, signal: AbortSignal.any([signal, ...timeout]) });
        for (const operation of (await showWatch(watch, style)).values()) codes.push(stopExitCode(operation));
      }
    } catch (error) {
      if (!isTimeout(error)) throw error;
      codes.push(exitCodes.NOT_DONE);
    }
    return codes;
  });
}
