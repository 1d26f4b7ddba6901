// Calls that an overloaded server refused are sent again when it says so. Such a call was not begun, so that is safe for each
// method; whatever else fails is the caller's to judge.
import { monotonicMs } from "../base/clock.ts";
import { delay } from "../base/timers.ts";
import { BelayError } from "./belay-error.ts";
import type { RpcCallOptions } from "./rpc-channel.ts";

/** A delay grows to this at most, unless the server asks for more. */
const DELAY_MAX_MS = 5_000;

/**
 * Calls `once` up to `retries` times more, within the call's deadline: after the time that the server gives, which doubles with
 * each further refusal. Rejects with the last refusal, or with the signal's reason.
 */
export async function whileOverloaded<T>(
  once: (options: RpcCallOptions) => Promise<T>,
  { timeoutMs, signal }: RpcCallOptions,
  retries: number,
): Promise<T> {
  const untilMs = monotonicMs() + timeoutMs;
  for (let tries = 0; ; tries++) {
    try {
      return await once({ timeoutMs: untilMs - monotonicMs(), signal });
    } catch (error) {
      const toldMs = toldDelayMs(error);
      if (toldMs === undefined || tries >= retries) throw error;
      const delayMs = Math.max(toldMs, Math.min(DELAY_MAX_MS, toldMs * 2 ** tries));
      if (monotonicMs() + delayMs >= untilMs) throw error;
      await delay(delayMs, signal);
    }
  }
}

/** Of a refusal for overload; undefined for all else. */
function toldDelayMs(error: unknown): number | undefined {
  return error instanceof BelayError && error.reason === "OVERLOADED" ? error.retryDelayMs : undefined;
}
