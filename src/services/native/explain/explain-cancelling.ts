// Why an operation is still cancelling: how far the cancel has come, what holds it up, what comes next and by when.
import type { CancelRequest } from "../../../engine/operation.ts";
import { childrenReasons, leaseEnd, silentWorker } from "./explain-running.ts";
import {
  type Explained,
  type ExplainFacts,
  type NextStep,
  type Reason,
  spanBetween,
  workerText,
} from "./explanation.ts";

export function explainCancelling(facts: ExplainFacts, cancel: CancelRequest): Explained {
  const { record } = facts.detail;
  if (record.lease === null) return explainLastChildren(facts, cancel);
  const silent = silentWorker(record.lease, facts);
  return {
    reasons: [
      ...(silent ? [silent] : []),
      phaseReason(facts, cancel, record.lease.session),
      ...childrenReasons(facts),
    ],
    next: [...escalation(facts, cancel), ...leaseEnd(facts), deadlineStep(cancel)],
  };
}

/** Its own work has stopped; it ends after its children. */
function explainLastChildren(facts: ExplainFacts, cancel: CancelRequest): Explained {
  const next: NextStep = { step: "it ends when the last of these children has ended", time: null };
  return { reasons: childrenReasons(facts), next: [deadlineStep(cancel), next] };
}

function phaseReason({ now, workers }: ExplainFacts, cancel: CancelRequest, session: string): Reason {
  const who = workerText(session, workers);
  const about = [session];
  const { deliverTime, deferredBy, acknowledgeTime, escalateTime, graceEndTime } = cancel;
  if (deferredBy !== null) {
    const text = `the handler is in the critical section ${JSON.stringify(deferredBy)}, which holds the abort back`;
    return { code: "CRITICAL_SECTION", text, about };
  }
  if (escalateTime !== null) {
    const text = `${who} has been using force for ${spanBetween(escalateTime, now)}, and the work is not gone yet`;
    return { code: "ESCALATED", text, about };
  }
  if (acknowledgeTime !== null && now > graceEndTime) {
    const text = `the handler on ${who} has been ignoring the signal for ${spanBetween(acknowledgeTime, now)}`;
    return { code: "IGNORING_SIGNAL", text, about };
  }
  if (acknowledgeTime !== null) {
    const text = `the handler on ${who} was told ${spanBetween(acknowledgeTime, now)} ago and is stopping`;
    return { code: "HANDLER_STOPPING", text, about };
  }
  const since = spanBetween(deliverTime ?? cancel.requestTime, now);
  const text =
    deliverTime === null
      ? `${who} has not said that it knows of the cancel, which was requested ${since} ago`
      : `${who} has known of the cancel for ${since}, and its handler was not told yet`;
  return { code: "CANCEL_REQUESTED", text, about };
}

function escalation({ now }: ExplainFacts, cancel: CancelRequest): NextStep[] {
  if (cancel.escalateTime !== null || cancel.graceEndTime <= now) return [];
  return [
    { step: "its worker uses force, where the handler can be stopped by force", time: cancel.graceEndTime },
  ];
}

function deadlineStep(cancel: CancelRequest): NextStep {
  return { step: "it ends, with evidence or as STOP_UNCONFIRMED", time: cancel.deadline };
}
