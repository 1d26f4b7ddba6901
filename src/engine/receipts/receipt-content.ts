// What an entry of the chain says: one event of a receipt as canonical JSON, with what its receipt knows beside it. No
// principal stands in it, only salted hashes; what callers and handlers wrote (reasons, details) is as they wrote it.
import { createHash } from "node:crypto";
import { type Instant, MICROS_PER_MS } from "../../base/clock.ts";
import type { CancelRequest, ReceiptEvent, StoredReceipt } from "../operation.ts";
import type { UnchainedEvent } from "../store.ts";
import { type CanonicalValue, canonicalText } from "./canonical-json.ts";

type Members = Record<string, CanonicalValue | undefined>;

/** The kinds whose `by` is a principal; of all others it is a worker's session, or nobody. */
const byPrincipal: ReadonlySet<ReceiptEvent["kind"]> = new Set(["REQUESTED", "REPEATED", "OVERRIDDEN"]);

/** The version of what a content holds. */
const VERSION = 1;

export interface ContentParts {
  /** The entry's own place in its chain. */
  sequence: number;
  entry: UnchainedEvent;
  /** The receipt as it stands, if it is still there. */
  receipt: StoredReceipt | undefined;
  hashPrincipal(principal: string): string;
}

/** The content of an entry. */
export function receiptContent({ sequence, entry, receipt, hashPrincipal }: ContentParts): string {
  const { service, tenant, name, type, event } = entry;
  const hashed = (principal: string | undefined): string | undefined =>
    principal === undefined || principal === "" ? undefined : hashPrincipal(principal);
  const isByPrincipal = byPrincipal.has(event.kind);
  return canonicalText({
    v: VERSION,
    ...{ service, tenant, sequence, name, type },
    time: instantText(event.time),
    kind: event.kind,
    detail: event.detail,
    principal: isByPrincipal ? hashed(event.by) : undefined,
    session: isByPrincipal || event.by === "" ? undefined : event.by,
    onBehalfOf: hashed(event.onBehalfOf),
    requestId: event.requestId || undefined,
    ...(receipt && headOf(event, receipt)),
  });
}

/** What the receipt knows beside the event: of the request when it begins, of the attempt and the evidence at its end. */
function headOf(event: ReceiptEvent, receipt: StoredReceipt): Members {
  const { cancel } = receipt;
  switch (event.kind) {
    case "REQUESTED":
      return { request: requestOf(cancel) };
    case "STOPPED":
      return { attempt: receipt.attempt };
    case "ENDED":
      return { end: endOf(event, receipt) };
    case "CONFIRMED_LATER":
    case "OVERRIDDEN":
      return {
        ...{ attempt: receipt.attempt, worker: receipt.session || undefined },
        ...evidenceOf(cancel),
        latencyMs: latencyMs(cancel.requestTime, event.time),
      };
    default:
      return {};
  }
}

function requestOf(cancel: CancelRequest): Members {
  const { cause, origin, reason, force, requestTime, graceEndTime, deadline } = cancel;
  return {
    ...{ cause, origin, reason, force },
    time: instantText(requestTime),
    // As they stand now: they only ever move earlier (G3).
    graceEndTime: instantText(graceEndTime),
    deadline: instantText(deadline),
  };
}

function endOf(event: ReceiptEvent, receipt: StoredReceipt): Members {
  const { cancel, checkpoint, events } = receipt;
  // Evidence that came after an unconfirmed end belongs to the entry that brought it, whenever this one is written.
  const isStopped = events.some(({ kind }) => kind === "STOPPED");
  const children = events.filter(({ kind }) => kind === "CHILD").length;
  return {
    state: receipt.outcome ?? undefined,
    cause: cancel.cause,
    attempt: receipt.attempt,
    worker: receipt.session || undefined,
    ...(isStopped && evidenceOf(cancel)),
    latencyMs: latencyMs(cancel.requestTime, event.time),
    childEvents: children,
    checkpointType: checkpoint?.typeUrl,
    checkpointDigest: checkpoint
      ? createHash("sha256").update(checkpoint.bytes).digest("base64url")
      : undefined,
  };
}

function evidenceOf({ evidence, mechanism }: CancelRequest): Members {
  return { evidence: evidence ?? undefined, mechanism: mechanism ?? undefined };
}

/** From the request, in milliseconds with three digits. */
function latencyMs(from: Instant, to: Instant): number {
  return Math.max(0, to - from) / MICROS_PER_MS;
}

/** RFC 3339 with microseconds. */
export function instantText(instant: Instant): string {
  const micros = String(instant % 1_000_000).padStart(6, "0");
  return `${new Date(Math.floor(instant / MICROS_PER_MS)).toISOString().slice(0, 19)}.${micros}Z`;
}
