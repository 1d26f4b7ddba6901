// What an interceptor is. They see calls free of any transport; server.ts lists them in order.
import type { RpcError } from "../../base/rpc-error.ts";
import type { ServerCall } from "../server-call.ts";

/** A step around every call. Hooks that answer nothing keep the call synchronous. */
export interface Interceptor {
  /** Runs before the request is decoded; throws an RpcError to refuse the call. */
  before?(call: ServerCall): Promise<void> | undefined;
  /** Runs once after a call that passed this interceptor's `before`; `error` is null for an answered call. */
  after?(call: ServerCall, error: RpcError | null): void;
}
