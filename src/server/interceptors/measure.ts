// Counts calls and their durations, per method. Plain numbers: reading them is somebody else's business.
import { monotonicMs } from "../../base/clock.ts";
import type { RpcError } from "../../base/rpc-error.ts";
import type { ServerCall } from "../server-call.ts";
import type { Interceptor } from "./interceptor.ts";

/** Upper ends of the duration buckets, in milliseconds; longer calls fall into one more. */
export const durationBucketsMs: readonly number[] = [
  1, 2, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 10_000, 60_000,
];

/** The counters of one method. */
export class MethodCounters {
  inFlight = 0;
  /** Finished calls by status code (0-16). */
  readonly finished: number[] = new Array<number>(17).fill(0);
  /** Finished calls by duration; one more entry than durationBucketsMs. */
  readonly durations: number[] = new Array<number>(durationBucketsMs.length + 1).fill(0);
}

/** Counts every call that reaches a method, refused ones too. */
export const measure: Interceptor = {
  before(call: ServerCall): undefined {
    call.method.counters.inFlight++;
  },
  after(call: ServerCall, error: RpcError | null): void {
    const { counters } = call.method;
    counters.inFlight--;
    const code = error === null ? 0 : error.code;
    counters.finished[code] = (counters.finished[code] ?? 0) + 1;
    const durationMs = monotonicMs() - call.startMs;
    let bucket = 0;
    while (bucket < durationBucketsMs.length && durationMs > (durationBucketsMs[bucket] ?? 0)) bucket++;
    counters.durations[bucket] = (counters.durations[bucket] ?? 0) + 1;
  },
};
