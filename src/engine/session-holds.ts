// Which of two sights of an operation is the newer one, as far as a session's hold on it goes.
import type { OperationRecord } from "./operation.ts";

/** What of an operation tells how new a sight of it is: 40 bytes, kept for whatever a session holds. */
export interface HoldSight {
  readonly leaseToken: number;
  readonly revision: number;
  readonly hasLease: boolean;
  readonly isHeld: boolean;
}

export function sightOf({ leaseToken, revision, lease, held }: OperationRecord): HoldSight {
  return { leaseToken, revision, hasLease: lease !== null, isHeld: held !== null };
}

/**
 * True if `one` was committed after `other`. Needed where a read and the commits meet without an order: reserving,
 * returning and watching change no revision, but a token that was let go never comes back, and no attempt un-begins.
 */
export function isNewerSight(one: HoldSight, other: HoldSight): boolean {
  if (one.leaseToken !== other.leaseToken) return one.leaseToken > other.leaseToken;
  if (one.revision !== other.revision) return one.revision > other.revision;
  if (one.hasLease !== other.hasLease) return !one.hasLease;
  return other.isHeld && !one.isHeld;
}

/** As isNewerSight, of whole records. */
export function isNewerHold(one: OperationRecord, other: OperationRecord): boolean {
  return isNewerSight(sightOf(one), sightOf(other));
}
