// The loop behind wait(): WaitOperation calls one after another, across a restart of the server, or looks from time to
// time at an operation that the server does not hold a wait on.
import { monotonicMs } from "../base/clock.ts";
import { delay } from "../base/timers.ts";
import { BelayError } from "./belay-error.ts";

/** One WaitOperation call asks for this much at most: below what proxies in between usually allow an idle call. */
const SLICE_MAX_MS = 25_000;

/** A server may be away for this long (a restart) before the wait gives up. */
const AWAY_MAX_MS = 30_000;

/** The pause after an unanswered call, or after one that came back at once (a server that is stopping releases its waits). */
const PAUSE_MS = 250;

/**
 * The pause between two looks, doubled from look to look: ten thousand waits of one client, of which the server holds
 * 900, are then some 2,300 looks a second.
 */
const LOOK_MIN_MS = 250;
const LOOK_MAX_MS = 4000;

/** `open`: the call waited, and the operation is not done. `not-held`: it was only looked at, and is not done. */
export type WaitAnswer = "done" | "open" | "not-held";

export interface WaitLoop {
  /** Infinity for no limit. */
  timeoutMs: number;
  signal: AbortSignal | undefined;
  /** One call that waits up to `sliceMs`. */
  waitOnce(sliceMs: number): Promise<WaitAnswer>;
}

/**
 * Resolves when `waitOnce` says done, or after `timeoutMs`. Rejects with its error, or the signal's reason.
 * The caller has reached the server before: that is why an unreachable one is taken for a restart.
 */
export async function waitUntilDone(loop: WaitLoop): Promise<void> {
  const end = monotonicMs() + loop.timeoutMs;
  let awaySince: number | undefined;
  let lookMs = LOOK_MIN_MS;
  for (let left = loop.timeoutMs; left > 0; left = end - monotonicMs()) {
    const asked = monotonicMs();
    const sliceMs = Math.ceil(Math.min(left, SLICE_MAX_MS));
    let pauseMs = PAUSE_MS;
    try {
      const answer = await loop.waitOnce(sliceMs);
      if (answer === "done") return;
      awaySince = undefined;
      if (answer === "not-held") {
        pauseMs = lookMs;
        lookMs = Math.min(LOOK_MAX_MS, lookMs * 2);
      }
    } catch (error) {
      awaySince ??= monotonicMs();
      const isAway = error instanceof BelayError && error.isUnreachable;
      if (!isAway || monotonicMs() - awaySince > AWAY_MAX_MS) throw error;
    }
    // Not for a slice that took its time: the next call may follow at once.
    const early = Math.min(pauseMs, sliceMs) - (monotonicMs() - asked);
    if (early > 0) await delay(Math.min(early, Math.max(0, end - monotonicMs())), loop.signal);
  }
}
