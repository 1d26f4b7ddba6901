// How an operation has ended, and by whom.
import { MICROS_PER_MS } from "../../../base/clock.ts";
import type { CancelRequest, OperationRecord } from "../../../engine/operation.ts";
import {
  type Explained,
  type ExplainFacts,
  type NextStep,
  type Reason,
  spanBetween,
  workerText,
} from "./explanation.ts";

export function explainDone(facts: ExplainFacts): Explained {
  const { record } = facts.detail;
  return { reasons: [...endReasons(record), ...unconfirmed(facts)], next: [purge(record)] };
}

function endReasons(record: OperationRecord): Reason[] {
  const { state, attempt, policy, outcome, cancel } = record;
  const attempts =
    attempt === 0 ? "before its first attempt" : `in attempt ${attempt} of ${policy.maxAttempts}`;
  if (state === "SUCCEEDED") {
    const late =
      cancel === null ? "" : `, although a cancel was requested by ${askedBy(cancel)}: finished work wins`;
    return [{ code: "SUCCEEDED", text: `it succeeded ${attempts}${late}`, about: [] }];
  }
  if (state === "CANCELLED" && cancel !== null) return [cancelled(cancel, record)];
  const error = outcome?.kind === "error" ? `: ${outcome.status.message}` : "";
  const isConfirmed = cancel !== null && cancel.stopConfirmedTime !== null;
  const later = isConfirmed ? " (it was confirmed later that it has stopped)" : "";
  return [{ code: "FAILED", text: `it failed ${attempts}${error}${later}`, about: [] }];
}

function cancelled(cancel: CancelRequest, { doneTime }: OperationRecord): Reason {
  const why = cancel.reason === "" ? "" : ` (${cancel.reason})`;
  const took = doneTime === null ? "" : ` ${spanBetween(cancel.requestTime, doneTime)} after the request`;
  const known = cancel.evidence === null ? "" : `; the evidence is ${cancel.evidence}`;
  const text = `it was cancelled by ${askedBy(cancel)}${why}${took}${known}`;
  return { code: "CANCELLED", text, about: [] };
}

const rules: Readonly<Record<Exclude<CancelRequest["cause"], "cancel">, string>> = {
  deadline: "its deadline",
  parent: "the cancel or end of its parent",
  superseded: "a newer operation with its supersede key",
  unwatched: "the rule that somebody must watch it",
};

function askedBy({ cause, requestedBy, onBehalfOf }: CancelRequest): string {
  if (cause !== "cancel") return rules[cause];
  return onBehalfOf === "" ? requestedBy : `${requestedBy} on behalf of ${onBehalfOf}`;
}

function unconfirmed({ detail, workers }: ExplainFacts): Reason[] {
  const { held, cancel } = detail.record;
  if (held !== null) {
    const text = `nobody knows whether the work on ${workerText(held.session, workers)} has stopped: its slot and its key stay taken until evidence comes, or an operator releases them`;
    return [{ code: "UNCONFIRMED", text, about: [held.session] }];
  }
  if (cancel === null || cancel.stopConfirmedTime === null) return [];
  const text = `that its work has stopped was confirmed only after its end; the evidence is ${cancel.evidence}`;
  return [{ code: "UNCONFIRMED", text, about: [] }];
}

function purge({ doneTime, policy, held }: OperationRecord): NextStep {
  if (held !== null) return { step: "it is kept until it is known that its work has stopped", time: null };
  const time = doneTime === null ? null : doneTime + policy.retentionMs * MICROS_PER_MS;
  return { step: "it is removed; the receipt of a cancel is kept", time };
}
