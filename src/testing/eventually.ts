// Waiting in tests for something that happens elsewhere: another process, a thread, the network. Never a plain sleep.
import { monotonicMs } from "../base/clock.ts";
import { delay } from "../base/timers.ts";

const POLL_MS = 10;

type Truthy<T> = Exclude<T, false | 0 | "" | null | undefined>;

/**
 * Asks `probe` every 10 ms until it answers something truthy, and answers that. A probe that throws counts as "not
 * yet". After `timeoutMs` (default 10,000) it throws an Error that names `what`, with the probe's last error as cause.
 */
export async function eventually<T>(
  what: string,
  probe: () => T | Promise<T>,
  options: { timeoutMs?: number } = {},
): Promise<Truthy<T>> {
  const timeoutMs = options.timeoutMs ?? 10_000;
  const endMs = monotonicMs() + timeoutMs;
  for (;;) {
    let cause: unknown;
    try {
      const answer = await probe();
      if (answer) return answer as Truthy<T>;
    } catch (error) {
      cause = error;
    }
    if (monotonicMs() > endMs) throw new Error(`not within ${timeoutMs} ms: ${what}`, { cause });
    await delay(POLL_MS);
  }
}
