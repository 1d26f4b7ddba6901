// Logs calls: our own failures always, everything else only at level debug. Never a payload, never a header.
import { monotonicMs } from "../../base/clock.ts";
import type { Logger } from "../../base/logger.ts";
import type { RpcError } from "../../base/rpc-error.ts";
import type { ServerCall } from "../server-call.ts";
import type { Interceptor } from "./interceptor.ts";

/** Makes the interceptor. */
export function createLog(logger: Logger): Interceptor {
  return {
    after(call: ServerCall, error: RpcError | null): void {
      if (error?.isInternal) {
        logger.error({ ...describe(call), err: error.cause ?? error }, "a call failed inside the server");
        return;
      }
      if (!logger.isLevelEnabled("debug")) return;
      logger.debug({ ...describe(call), reason: error === null ? "OK" : error.reason }, "call");
    },
  };
}

function describe(call: ServerCall): Record<string, unknown> {
  return {
    requestId: call.requestId,
    method: call.method.fullName,
    transport: call.transport,
    principal: call.principal.id,
    durationMs: Math.round((monotonicMs() - call.startMs) * 10) / 10,
  };
}
