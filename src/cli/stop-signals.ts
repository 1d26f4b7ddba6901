// SIGTERM and SIGINT for the server: the first asks it to stop, a later one ends it at once.
import { monotonicMs } from "../base/clock.ts";
import { exitCodes } from "./exit-codes.ts";

/**
 * Signals that follow the first this closely are the same wish told twice: Ctrl-C reaches every process of the
 * terminal, and npm passes it on to its child once more.
 *
 *   Ctrl-C -> terminal: SIGINT to npm and belay -> npm: SIGINT to belay, 2 ms later
 */
const SAME_WISH_MS = 500;

/** Resolves with the first signal. From then on, a later one ends the process with 130 or 143. */
export function stopRequested(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    let firstMs: number | undefined;
    const onSignal = (signal: NodeJS.Signals): void => {
      const nowMs = monotonicMs();
      if (firstMs === undefined) {
        firstMs = nowMs;
        resolve(signal);
      } else if (nowMs - firstMs > SAME_WISH_MS) {
        process.exit(signal === "SIGINT" ? exitCodes.INTERRUPTED : exitCodes.TERMINATED);
      }
    };
    process.on("SIGINT", onSignal);
    process.on("SIGTERM", onSignal);
  });
}
