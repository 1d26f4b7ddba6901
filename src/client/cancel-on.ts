// start(type, { cancelOn: signal }): the abort of a signal becomes the cancel of an operation.
import { monotonicMs } from "../base/clock.ts";
import { delay } from "../base/timers.ts";
import { BelayError } from "./belay-error.ts";

/** How long a cancel is tried when the server does not answer, and the pause between two tries. */
const TRY_MAX_MS = 30_000;
const PAUSE_MS = 500;

/** The link between a signal and an operation. */
export interface CancelLink {
  /** Rejects if the operation could not be cancelled; never resolves. */
  readonly failed: Promise<never>;
  /** The operation is done: the signal matters no more. */
  unlink(): void;
}

/** Calls `cancel` when the signal aborts, or at once if it has; again while the server does not answer. */
export function linkCancel(signal: AbortSignal, cancel: (reason: string) => Promise<unknown>): CancelLink {
  const { promise: failed, reject } = Promise.withResolvers<never>();
  // Nobody may be waiting for it.
  failed.catch(() => undefined);
  const onAbort = (): void => {
    cancelSurely(() => cancel(reasonText(signal.reason))).catch(reject);
  };
  if (signal.aborted) onAbort();
  else signal.addEventListener("abort", onAbort, { once: true });
  return { failed, unlink: () => signal.removeEventListener("abort", onAbort) };
}

async function cancelSurely(cancel: () => Promise<unknown>): Promise<void> {
  const started = monotonicMs();
  for (;;) {
    try {
      await cancel();
      return;
    } catch (error) {
      const isAway = error instanceof BelayError && error.isUnreachable;
      if (!isAway || monotonicMs() - started > TRY_MAX_MS) throw error;
      await delay(PAUSE_MS);
    }
  }
}

/** A reason is 0-1024 characters. */
function reasonText(reason: unknown): string {
  return (reason instanceof Error ? reason.message : String(reason)).slice(0, 1024);
}
