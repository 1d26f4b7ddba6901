// Counts calls and their durations, per method. Plain numbers: /metrics and OpenTelemetry read them.
import { monotonicMs } from "../../base/clock.ts";
import type { Measurements } from "../../base/measurements.ts";
import type { RpcError } from "../../base/rpc-error.ts";
import { instruments } from "../../base/telemetry.ts";
import type { ServerCall } from "../server-call.ts";
import type { Interceptor } from "./interceptor.ts";

/** The counters of one method. */
export class MethodCounters {
  inFlight = 0;
  /** Finished calls by status code (0-16). */
  readonly finished: number[] = new Array<number>(17).fill(0);
}

/** Counts every call that reaches a method, refused ones too. */
export function createMeasure(measurements: Measurements): Interceptor {
  return {
    before({ method }: ServerCall): undefined {
      method.counters.inFlight++;
    },
    after({ method, startMs }: ServerCall, error: RpcError | null): void {
      const { counters, declaration, fullName } = method;
      counters.inFlight--;
      const code = error === null ? 0 : error.code;
      counters.finished[code] = (counters.finished[code] ?? 0) + 1;
      const seconds = (monotonicMs() - startMs) / 1000;
      measurements.record(instruments.rpcDuration, [declaration.id, fullName], seconds);
    },
  };
}
