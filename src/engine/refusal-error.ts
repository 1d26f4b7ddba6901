// A client's refused command, as the error that the client gets.
import { RpcError } from "../base/rpc-error.ts";
import type { Refusal } from "./commands.ts";

/** Turns the refusal of a start, cancel or delete into the caller's error. */
export function refusalError(
  refusal: Refusal,
  call: { name: string; requestId?: string; type?: string },
): RpcError {
  switch (refusal.reason) {
    case "NOT_FOUND":
      return new RpcError("OPERATION_NOT_FOUND", { name: call.name });
    case "REQUEST_ID_REUSED":
      return new RpcError("REQUEST_ID_REUSED", { requestId: call.requestId ?? "" });
    case "NOT_CANCELLABLE":
      return new RpcError("OPERATION_NOT_CANCELLABLE", {
        name: call.name,
        type: refusal.record?.type ?? call.type ?? "",
      });
    case "DELETE_REFUSED":
      return new RpcError("DELETE_REFUSED", { name: call.name });
    default:
      // A fresh random id that exists, or a worker's refusal on a client's path: neither is the caller's doing.
      return new RpcError("STORAGE_UNAVAILABLE", {}, { cause: refusal.reason });
  }
}
