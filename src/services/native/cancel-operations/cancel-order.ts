// What an operation of the type belay.cancel-operations is to do: kept as its input, as JSON, so that it can be read by
// people and be taken up again by a server that knows nothing else of the call.
import type { OperationKey, OperationRecord } from "../../../engine/operation.ts";
import type { JsonObject } from "../../../protocol/worker-connection.ts";

/** A cancel of everything that matches. */
export interface CancelOrder {
  /** AIP-160, not empty. */
  filter: string;
  reason: string;
  onBehalfOf: string;
  force: boolean;
  graceMs: number | null;
  /** How the call came in: `native/rest`. */
  origin: string;
  /** The id of the call. */
  requestId: string;
  /** The types that the service had declared as not cancellable. */
  uncancellableTypes: readonly string[];
}

/** The order as the operation's input. What is not said is left out. */
export function orderInput(order: CancelOrder): JsonObject {
  return {
    filter: order.filter,
    origin: order.origin,
    requestId: order.requestId,
    ...(order.reason !== "" && { reason: order.reason }),
    ...(order.onBehalfOf !== "" && { onBehalfOf: order.onBehalfOf }),
    ...(order.force && { force: true }),
    ...(order.graceMs !== null && { graceMs: order.graceMs }),
    ...(order.uncancellableTypes.length > 0 && { uncancellableTypes: [...order.uncancellableTypes] }),
  };
}

/** The order of an operation's input. */
export function orderOf(input: JsonObject): CancelOrder {
  const text = (field: string): string => {
    const value = input[field];
    return typeof value === "string" ? value : "";
  };
  const { force, graceMs, uncancellableTypes } = input;
  const types = Array.isArray(uncancellableTypes) ? uncancellableTypes : [];
  return {
    filter: text("filter"),
    reason: text("reason"),
    onBehalfOf: text("onBehalfOf"),
    force: force === true,
    graceMs: typeof graceMs === "number" ? graceMs : null,
    origin: text("origin"),
    requestId: text("requestId"),
    uncancellableTypes: types.filter((type) => typeof type === "string"),
  };
}

/** The filter that is listed by: what is done already is left out. */
export function liveFilter(filter: string): string {
  return `(${filter}) AND done = false`;
}

/**
 * The origin of each cancel: how the call came in, and the operation that does its work. It is in the receipts, and it
 * tells the operation's own cancels from others when it goes on after a restart.
 */
export function cancelOrigin({ origin }: CancelOrder, { name }: OperationKey): string {
  return `${origin}, ${name}`;
}

/** Its own type aside, an order is about the operations that were there when it was given. */
export function isMeant(record: OperationRecord, own: OperationRecord): boolean {
  return record.type !== own.type && record.createTime <= own.createTime;
}
