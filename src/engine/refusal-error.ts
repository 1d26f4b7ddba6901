// A caller's refused command, as the error that the caller gets.
import { RpcError } from "../base/rpc-error.ts";
import type { Refusal } from "./commands.ts";
import type { OperationRecord } from "./operation.ts";
import { childLimits } from "./transitions/children.ts";

/** What a refusal is about. */
export interface RefusedCall {
  /** The operation, or the parent of the child that was to be started. */
  name: string;
  requestId?: string;
  type?: string;
  /** The revision that the caller believed in. */
  ifRevision?: number | null;
}

/** Turns the refusal of a start, cancel, delete or override into the caller's error. */
export function refusalError(refusal: Refusal, call: RefusedCall): RpcError {
  const { name } = call;
  switch (refusal.reason) {
    case "NOT_FOUND":
      return new RpcError("OPERATION_NOT_FOUND", { name });
    case "REQUEST_ID_REUSED":
      return new RpcError("REQUEST_ID_REUSED", { requestId: call.requestId ?? "" });
    case "NOT_CANCELLABLE":
      return new RpcError("OPERATION_NOT_CANCELLABLE", {
        name,
        type: refusal.record?.type ?? call.type ?? "",
      });
    case "DELETE_REFUSED":
      return new RpcError("DELETE_REFUSED", { name });
    case "REVISION_MISMATCH":
      return new RpcError("ETAG_MISMATCH", {
        name,
        etag: etagText(refusal.record?.revision),
        given: etagText(call.ifRevision),
      });
    case "NOT_HELD":
      return new RpcError("NOT_HELD", { name });
    case "PARENT_CLOSED":
      return new RpcError("PARENT_CLOSED", { name });
    case "CHILD_LIMIT":
      return new RpcError("CHILD_LIMIT", { name, ...limitOf(refusal.record) });
    case "LEASE_LOST":
    case "ALREADY_DONE":
    case "NOT_BEGUN":
      return new RpcError("LEASE_LOST", {});
    default:
      // A fresh random id that exists, or a worker's refusal on a client's path: neither is the caller's doing.
      return new RpcError("STORAGE_UNAVAILABLE", {}, { cause: refusal.reason });
  }
}

/** The etag is the quoted revision (AIP-154). */
function etagText(revision: number | null | undefined): string {
  return revision === null || revision === undefined ? '""' : `"${revision}"`;
}

/**
 * Which of the limits was met: the record is that of the parent, or of a shared child that has too many parents. A child
 * that would be its own ancestor has no bottom of generations.
 */
function limitOf(record: OperationRecord | null): { what: string; limit: number } {
  const { children, parents, generations } = childLimits;
  if ((record?.children?.started ?? 0) >= children)
    return { what: "the number of children", limit: children };
  if ((record?.parents.length ?? 0) >= parents)
    return { what: "the number of parents of a shared child", limit: parents };
  return { what: "the depth of generations", limit: generations };
}
