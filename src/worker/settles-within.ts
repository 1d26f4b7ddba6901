// A bounded wait that leaves no timer behind.
import { startTimer } from "../base/timers.ts";

/** True once the promise has settled, either way; false if it has not after `timeoutMs`. */
export function settlesWithin(promise: Promise<unknown>, timeoutMs: number): Promise<boolean> {
  return new Promise((resolve) => {
    const timer = startTimer(timeoutMs, () => resolve(false));
    const settled = (): void => {
      timer.cancel();
      resolve(true);
    };
    promise.then(settled, settled);
  });
}
