// A google.rpc.Status that another process answered, as the RpcError that it was there.
import { anyUnpack } from "@bufbuild/protobuf/wkt";
import { type ErrorReason, errorReasons } from "../base/error-reasons.ts";
import { invalidField, RpcError } from "../base/rpc-error.ts";
import { StatusCode } from "../base/status-code.ts";
import { ErrorInfoSchema } from "./gen/google/rpc/error_details_pb.ts";
import type { Status } from "./gen/google/rpc/status_pb.ts";

/**
 * By its ErrorInfo; one of a newer server, whose reason is not known here, by its code: INVALID_ARGUMENT stays what it is,
 * everything else is UNAVAILABLE. `what` names what was refused.
 */
export function statusError(status: Status, what: string): RpcError {
  for (const detail of status.details) {
    const info = anyUnpack(detail, ErrorInfoSchema);
    if (info && isKnown(info.reason)) return new RpcError(info.reason, info.metadata);
  }
  if (status.code === StatusCode.INVALID_ARGUMENT) return invalidField(what, status.message);
  return new RpcError("STORAGE_UNAVAILABLE", {}, { cause: status.message });
}

function isKnown(reason: string): reason is ErrorReason {
  return Object.hasOwn(errorReasons, reason);
}
