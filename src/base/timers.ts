// Timers. The only file that calls setTimeout and setInterval.

/** A running timer; cancelling it twice, or after it fired, does nothing. */
export interface Timer {
  cancel(): void;
}

/** The longest delay that Node takes (2^31-1 ms); a longer one would fire at once. */
const DELAY_MAX_MS = 2_147_483_647;

/** Calls once after a delay in milliseconds. An `unref` timer does not keep the process alive. */
export function startTimer(delayMs: number, callback: () => void, options: { unref?: boolean } = {}): Timer {
  const handle = setTimeout(callback, Math.min(Math.max(0, delayMs), DELAY_MAX_MS));
  if (options.unref) handle.unref();
  return { cancel: () => clearTimeout(handle) };
}

/** Calls every `periodMs` milliseconds until cancelled. */
export function startInterval(
  periodMs: number,
  callback: () => void,
  options: { unref?: boolean } = {},
): Timer {
  const handle = setInterval(callback, periodMs);
  if (options.unref) handle.unref();
  return { cancel: () => clearInterval(handle) };
}

/** Resolves after a delay in milliseconds; rejects with the signal's reason when it aborts first. */
export function delay(delayMs: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) {
      reject(signal.reason);
      return;
    }
    const onAbort = (): void => {
      timer.cancel();
      reject(signal?.reason);
    };
    const timer = startTimer(delayMs, () => {
      signal?.removeEventListener("abort", onAbort);
      resolve();
    });
    signal?.addEventListener("abort", onAbort, { once: true });
  });
}
