// The request part of a cancel: its times, fixed when it is asked for, and what the receipt says of the asking.
import type { Instant } from "../../base/clock.ts";
import type { CancelRequest, OperationRecord, ReceiptEvent } from "../operation.ts";

/** Who asks for a cancel, and how. */
export interface CancelAsk
  extends Pick<
    CancelRequest,
    "cause" | "requestedBy" | "onBehalfOf" | "requestId" | "force" | "reason" | "origin"
  > {
  /** Overrides the policy's grace; null: the policy's. Negative in a repeated cancel: the grace of the parent is over. */
  graceMs: number | null;
}

/**
 * The cancel's times, fixed when it is requested (G3): grace, then critical section, clean-up and kill window, or the longest
 * that a child needs. With force there is no grace, and no critical section is waited for.
 */
export function cancelRequestOf(record: OperationRecord, now: Instant, ask: CancelAsk): CancelRequest {
  const { graceMs, criticalMs, cleanupMs, killMs } = record.policy.cancel;
  const grace = ask.force ? 0 : (ask.graceMs ?? graceMs);
  const own = Math.max(0, grace) + (ask.force ? 0 : criticalMs) + cleanupMs + killMs;
  return {
    cause: ask.cause,
    requestedBy: ask.requestedBy,
    onBehalfOf: ask.onBehalfOf,
    requestId: ask.requestId,
    force: ask.force,
    reason: ask.reason,
    origin: ask.origin,
    requestTime: now,
    // Rounded: what is left of a parent's grace is no whole number of milliseconds.
    graceEndTime: now + Math.round(grace * 1000),
    deadline: now + Math.round(Math.max(own, record.children?.stopMs ?? 0) * 1000),
    deliverTime: null,
    deferredBy: null,
    acknowledgeTime: null,
    escalateTime: null,
    stopTime: null,
    evidence: null,
    mechanism: null,
    stopConfirmedTime: null,
  };
}

/** What a rule asks: nobody's request. */
export function askedByRule(cause: CancelAsk["cause"], reason: string): CancelAsk {
  return {
    cause,
    requestedBy: "",
    onBehalfOf: "",
    requestId: "",
    force: false,
    reason,
    origin: cause,
    graceMs: null,
  };
}

/** The receipt's line of an asking. */
export function askedEvent(
  kind: "REQUESTED" | "REPEATED",
  now: Instant,
  ask: Pick<CancelAsk, "requestedBy" | "onBehalfOf" | "requestId">,
  detail: string,
): ReceiptEvent {
  const { requestedBy: by, onBehalfOf, requestId } = ask;
  return { time: now, kind, detail, by, onBehalfOf, requestId };
}
