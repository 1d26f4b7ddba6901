// What the engine tells a remote worker, as messages: assignments, cancels, revocations. All times are spans from now:
// clocks of two machines are never compared.
import { create } from "@bufbuild/protobuf";
import { type Instant, remainingMs } from "../../base/clock.ts";
import type { Grant } from "../../engine/commands.ts";
import type { CancelRequest, OperationKey, OperationRecord } from "../../engine/operation.ts";
import {
  AssignmentSchema,
  type CancelNotice,
  CancelNoticeSchema,
  type RevokeNotice,
  RevokeNotice_Cause,
  RevokeNoticeSchema,
} from "../../protocol/gen/belay/v1/workers_pb.ts";
import { structValue } from "../../protocol/struct.ts";
import { toAny, toDuration, toWireAttempt, toWireCause } from "../../protocol/worker-messages.ts";
import type { ServerMessageInit } from "./worker-outbox.ts";

/** An assignment, as it is at this moment. */
export function assignmentMessage({ record, request, checkpoint }: Grant, now: Instant): ServerMessageInit {
  const { leaseToken, type, policy, attempt, lease, deadline, createdBy } = record;
  const { graceMs, criticalMs, cleanupMs, killMs } = policy.cancel;
  const value = create(AssignmentSchema, {
    attempt: toWireAttempt({ ...record, leaseToken }),
    type,
    // One that is only reserved counts when it begins.
    attemptNumber: lease?.begun ? attempt : attempt + 1,
    maxAttempts: policy.maxAttempts,
    createdBy,
    ...(request && { request: toAny(request) }),
    ...(checkpoint && { checkpoint: structValue(checkpoint) }),
    ...(deadline !== null && { timeLeft: toDuration(remainingMs(deadline, now)) }),
    attemptTimeout: toDuration(policy.attemptTimeoutMs),
    grace: toDuration(graceMs),
    critical: toDuration(criticalMs),
    cleanup: toDuration(cleanupMs),
    kill: toDuration(killMs),
  });
  return { case: "assignment", value };
}

/** A committed cancel of an attempt, as its times are at this moment. */
export function cancelNotice(
  key: OperationKey,
  token: number,
  cancel: CancelRequest,
  now: Instant,
): CancelNotice {
  const { cause } = cancel;
  return create(CancelNoticeSchema, {
    attempt: toWireAttempt({ ...key, leaseToken: token }),
    // A newer operation of the same key, and the absence of watchers, cancel like a caller: the reason says which.
    cause: toWireCause(cause === "deadline" || cause === "parent" ? cause : "cancel"),
    reason: cancel.reason,
    requestedBy: cancel.requestedBy,
    force: cancel.force,
    grace: toDuration(remainingMs(cancel.graceEndTime, now)),
    deadline: toDuration(remainingMs(cancel.deadline, now)),
  });
}

/** An attempt that was taken away; `record` is the operation as it stands. */
export function revokeNotice(key: OperationKey, token: number, record: OperationRecord): RevokeNotice {
  return create(RevokeNoticeSchema, {
    attempt: toWireAttempt({ ...key, leaseToken: token }),
    cause: revocationCause(record),
    kill: toDuration(record.policy.cancel.killMs),
  });
}

function revocationCause({ state }: OperationRecord): RevokeNotice_Cause {
  if (state === "CANCELLED") return RevokeNotice_Cause.CANCELLED;
  // Taken from a worker that lives: another attempt follows, or none.
  return state === "PENDING" || state === "FAILED"
    ? RevokeNotice_Cause.TIMEOUT
    : RevokeNotice_Cause.LEASE_LOST;
}
