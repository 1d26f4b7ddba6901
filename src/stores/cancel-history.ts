// How long cancels took: from the newest durations to what a caller may expect of the next one.
import type { CancelHistory } from "../engine/store.ts";

/** How many of the newest cancels are looked at. */
export const HISTORY_MAX = 100;

/** Sums up durations in milliseconds, in any order; percentiles by nearest rank. All 0 where there are none. */
export function cancelHistoryOf(durationsMs: readonly number[]): CancelHistory {
  const sorted = [...durationsMs].sort((a, b) => a - b);
  const rank = (share: number): number => sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? 0;
  return { count: sorted.length, p50Ms: rank(0.5), p90Ms: rank(0.9), maxMs: rank(1) };
}
