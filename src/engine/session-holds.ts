// Which of two sights of an operation is the newer one, as far as a session's hold on it goes.
import type { OperationRecord } from "./operation.ts";

/**
 * True if `one` was committed after `other`. Needed where a read and the commits meet without an order: reserving,
 * returning and watching change no revision, but a token that was let go never comes back, and no attempt un-begins.
 */
export function isNewerHold(one: OperationRecord, other: OperationRecord): boolean {
  if (one.leaseToken !== other.leaseToken) return one.leaseToken > other.leaseToken;
  if (one.revision !== other.revision) return one.revision > other.revision;
  if ((one.lease === null) !== (other.lease === null)) return one.lease === null;
  return other.held !== null && one.held === null;
}
