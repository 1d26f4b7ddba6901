// From a stored receipt to belay.v1.Receipt. What it says of parents and children is from the operations themselves, as
// long as they are kept; what was told to them stands in the receipt's own events for good.
import { create, type Registry } from "@bufbuild/protobuf";
import type { ParentLink, StoredReceipt } from "../../engine/operation.ts";
import type { ChildSummary } from "../../engine/store.ts";
import {
  type Receipt,
  ReceiptEventSchema,
  ReceiptSchema,
} from "../../protocol/gen/belay/v1/operations_pb.ts";
import { durationBetween, optionalTimestampOf, timestampOf } from "../wire-time.ts";
import { projectChild, projectParent } from "./family-projection.ts";
import { jsonOf } from "./result-projection.ts";

/** Who a receipt's operation belongs together with; empty once it is purged. */
export interface ReceiptFamily {
  parents: readonly ParentLink[];
  children: readonly ChildSummary[];
}

const NO_FAMILY: ReceiptFamily = { parents: [], children: [] };

/** belay.v1.Receipt of a stored receipt. */
export function projectReceipt(
  stored: StoredReceipt,
  registry: Registry,
  family: ReceiptFamily = NO_FAMILY,
): Receipt {
  const { cancel } = stored;
  const receipt = create(ReceiptSchema, {
    name: stored.name,
    type: stored.type,
    requestedBy: cancel.requestedBy,
    onBehalfOf: cancel.onBehalfOf,
    requestId: cancel.requestId,
    force: cancel.force,
    reason: cancel.reason,
    origin: cancel.origin,
    cause: cancel.cause,
    requestTime: timestampOf(cancel.requestTime),
    cancelDeadline: timestampOf(cancel.deadline),
    outcome: stored.outcome ?? "",
    mechanism: cancel.mechanism ?? "",
    evidence: cancel.evidence ?? "",
    attempt: stored.attempt,
    worker: stored.session,
    events: stored.events.map((event) =>
      create(ReceiptEventSchema, { ...event, time: timestampOf(event.time) }),
    ),
    // Told to stop with it: not those that were left alone.
    children: family.children.filter(({ policy }) => policy === "cancel").map(projectChild),
    // Only where one of them brought this cancel.
    parents: cancel.cause === "parent" ? family.parents.map(projectParent) : [],
  });
  const stopTime = optionalTimestampOf(cancel.stopTime);
  const stopConfirmedTime = optionalTimestampOf(cancel.stopConfirmedTime);
  if (stopTime) receipt.stopTime = stopTime;
  if (stopConfirmedTime) receipt.stopConfirmedTime = stopConfirmedTime;
  if (stored.doneTime !== null) receipt.latency = durationBetween(cancel.requestTime, stored.doneTime);
  if (stored.checkpoint) receipt.checkpoint = jsonOf(stored.checkpoint, registry);
  return receipt;
}
