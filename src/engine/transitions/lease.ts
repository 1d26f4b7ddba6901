// Leases: reserve, begin, give back, release on drain, and what the loss of a worker does.
import type { Instant } from "../../base/clock.ts";
import { StatusCode } from "../../base/status-code.ts";
import type {
  AssignCommand,
  BeginCommand,
  ExpireLeaseCommand,
  Refusal,
  ReleaseCommand,
  ReturnCommand,
} from "../commands.ts";
import type { Lease, OperationRecord } from "../operation.ts";
import { isStandIn } from "../stand-in.ts";
import {
  accept,
  closeAttempt,
  ended,
  failure,
  fence,
  heldFreed,
  mayRunAgain,
  refuse,
  requeued,
  requeuedHeld,
  status,
  type Transition,
  touched,
  unchanged,
} from "./change.ts";
import { confirmLate, endedAsStopped, endedUnconfirmed, isHeldBy } from "./stop.ts";

/**
 * Grants a lease on a pending operation that is due. The token grows with every grant, so that it fences (S9, S10).
 *
 * An older attempt that is still `held` then has not ended in the time of a whole attempt: the next one gives it up. Such a
 * grant always begins the attempt, also where it was only to reserve: returned unbegun, nothing would be left to say that
 * work may run. The worker's own `begin` then finds it begun, and changes nothing.
 */
export function assign(record: OperationRecord, command: AssignCommand, now: Instant): Transition | Refusal {
  const due = record.state === "PENDING" && record.lease === null && record.startAfter <= now;
  const inTime = record.deadline === null || record.deadline > now;
  if (!due || !inTime || !mayRunAgain(record)) return refuse(record, "NOT_RUNNABLE");
  const token = record.leaseToken + 1;
  const lease: Lease = { session: command.session, token, begun: false, guarded: command.guarded };
  const reserved = { ...record, leaseToken: token, lease, held: null };
  const begins = command.begin || record.held !== null;
  // Reserving is not visible: nothing of the operation that a client sees has changed.
  return begins ? begun(reserved, lease, now) : accept(reserved, { visible: false });
}

function begun(record: OperationRecord, lease: Lease, now: Instant): Transition {
  return accept(
    {
      ...record,
      ...touched(record, now),
      state: "RUNNING",
      attempt: record.attempt + 1,
      lease: { ...lease, begun: true },
      attemptStartTime: now,
      activityTime: now,
    },
    { visible: true },
  );
}

/** The worker begins what it reserved. Repeated with the same token it changes nothing (a lost reply). */
export function begin(record: OperationRecord, command: BeginCommand, now: Instant): Transition | Refusal {
  const refusal = fence(record, command, { begun: false });
  if (refusal) return refusal;
  if (record.lease === null || record.lease.begun) return unchanged(record);
  return begun(record, record.lease, now);
}

/** Reserved and not begun: goes back free of charge, at once, unseen. */
export function giveBack(record: OperationRecord, command: ReturnCommand): Transition | Refusal {
  const refusal = fence(record, command, { begun: false });
  if (refusal) return refusal;
  if (record.lease?.begun) return refuse(record, "ALREADY_BEGUN");
  return accept({ ...record, lease: null }, { visible: false });
}

/** Drain: begun work goes back if it may run again. A cancel that is set is never dropped by a drain (S5, S8). */
export function release(
  record: OperationRecord,
  command: ReleaseCommand,
  now: Instant,
): Transition | Refusal {
  if (isHeldBy(record, command) && record.cancel === null) return heldFreed(record, now);
  const refusal = fence(record, command);
  if (refusal) return refusal;
  if (record.state === "CANCELLING") return refuse(record, "CANCEL_PENDING");
  if (!mayRunAgain(record)) return refuse(record, "NOT_RETRYABLE");
  const attempts = closeAttempt(record, now, "RELEASED", null);
  return accept(requeued(record, now, false), { visible: true, attempts });
}

const expired = { evidence: "LEASE_EXPIRED", mechanism: "LEASE" } as const;

/**
 * The session is gone. Unbegun work is pending again; begun work is retried while attempts are left, else it ends
 * ABORTED. With a cancel set it never runs again (S8): a guarded attempt cannot have outlived its lease, so its end
 * is evidence; of an unguarded one nobody knows, and the record says so. Nor does it of one that is retried: it is held.
 */
export function expireLease(record: OperationRecord, command: ExpireLeaseCommand, now: Instant): Transition {
  if (isStandIn(record)) return standInLost(record, command, now);
  const { lease, held } = record;
  if (held?.session === command.session) {
    return isOverFor(held, command) ? confirmLate(record, now, expired) : unchanged(record);
  }
  if (lease === null || lease.session !== command.session) return unchanged(record);
  if (!lease.begun) return accept({ ...record, lease: null }, { visible: false });
  const isOver = isOverFor(lease, command);
  if (record.state === "CANCELLING") {
    return isOver
      ? endedAsStopped(record, now, { ...expired, attemptOutcome: "LEASE_EXPIRED" })
      : endedUnconfirmed(record, now, "the worker was lost and nothing says that its work stopped");
  }
  const error = status(
    StatusCode.ABORTED,
    `worker lost in attempt ${record.attempt} of ${record.policy.maxAttempts}`,
  );
  const attempts = closeAttempt(record, now, "LEASE_EXPIRED", error);
  if (mayRunAgain(record)) {
    const next = isOver ? requeued(record, now, true) : requeuedHeld(record, now);
    return accept(next, { visible: true, attempts });
  }
  return accept(ended(record, now, "FAILED", failure(error)), { visible: true, attempts });
}

/**
 * Who waited for a child in another database is lost, and the child goes on: another attempt waits for it. While the stand-in is
 * CANCELLING another server tells the child, and reports its end under the old token, until the cancel's deadline.
 */
function standInLost(record: OperationRecord, command: ExpireLeaseCommand, now: Instant): Transition {
  const { lease, state } = record;
  if (lease?.session !== command.session || state === "CANCELLING") return unchanged(record);
  const isBegun = lease.begun;
  if (!isBegun) return accept({ ...record, lease: null }, { visible: false });
  const error = status(StatusCode.ABORTED, "the server that waited for it was lost");
  const attempts = closeAttempt(record, now, "LEASE_EXPIRED", error);
  if (mayRunAgain(record)) return accept(requeuedHeld(record, now), { visible: true, attempts });
  const next = { ...ended(record, now, "FAILED", failure(error)), held: lease };
  return accept(next, { visible: true, attempts });
}

/** True if the expiry is evidence that the work has stopped. */
function isOverFor(
  { guarded }: { guarded: boolean },
  { survived, isGone = false }: ExpireLeaseCommand,
): boolean {
  return (guarded || isGone) && !survived;
}
