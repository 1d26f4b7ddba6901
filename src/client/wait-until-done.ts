// The loop behind wait(): WaitOperation calls one after another, across a restart of the server.
import { monotonicMs } from "../base/clock.ts";
import { delay } from "../base/timers.ts";
import { BelayError } from "./belay-error.ts";

/** One WaitOperation call asks for this much at most: below what proxies in between usually allow an idle call. */
const SLICE_MAX_MS = 25_000;

/** A server may be away for this long (a restart) before the wait gives up. */
const AWAY_MAX_MS = 30_000;

/** The pause after an unanswered call, or after one that came back at once (a server that is stopping releases its waits). */
const PAUSE_MS = 250;

export interface WaitLoop {
  /** Infinity for no limit. */
  timeoutMs: number;
  signal: AbortSignal | undefined;
  /** One call that waits up to `sliceMs`; true when the operation is done. */
  waitOnce(sliceMs: number): Promise<boolean>;
}

/**
 * Resolves when `waitOnce` says done, or after `timeoutMs`. Rejects with its error, or the signal's reason.
 * The caller has reached the server just before: that is why an unreachable one is taken for a restart.
 */
export async function waitUntilDone(loop: WaitLoop): Promise<void> {
  const end = monotonicMs() + loop.timeoutMs;
  let awaySince: number | undefined;
  for (let left = loop.timeoutMs; left > 0; left = end - monotonicMs()) {
    const asked = monotonicMs();
    const sliceMs = Math.ceil(Math.min(left, SLICE_MAX_MS));
    try {
      if (await loop.waitOnce(sliceMs)) return;
      awaySince = undefined;
    } catch (error) {
      awaySince ??= monotonicMs();
      const isAway = error instanceof BelayError && error.isUnreachable;
      if (!isAway || monotonicMs() - awaySince > AWAY_MAX_MS) throw error;
    }
    // Not for a slice that took its time: the next call may follow at once.
    const early = Math.min(PAUSE_MS, sliceMs) - (monotonicMs() - asked);
    if (early > 0) await delay(Math.min(early, Math.max(0, end - monotonicMs())), loop.signal);
  }
}
