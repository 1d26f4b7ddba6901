// Refuses calls whose deadline has passed before any work is done for them.
import { monotonicMs } from "../../base/clock.ts";
import { RpcError } from "../../base/rpc-error.ts";
import type { ServerCall } from "../server-call.ts";
import type { Interceptor } from "./interceptor.ts";

export const deadline: Interceptor = {
  before(call: ServerCall): undefined {
    const { deadlineMs } = call;
    if (deadlineMs !== Number.POSITIVE_INFINITY && deadlineMs <= monotonicMs()) {
      throw new RpcError("DEADLINE_TOO_SHORT");
    }
  },
};
