// What a caller asks for when it starts an operation, and the command that this becomes: defaults filled in, the policy
// resolved to plain data that is stored with the operation. The values themselves are checked at the door, by the services.
import { type Instant, MICROS_PER_MS } from "../base/clock.ts";
import { makeId } from "../base/ids.ts";
import { RpcError } from "../base/rpc-error.ts";
import type { StartCommand } from "./commands.ts";
import type { OperationDetail, OperationPolicy, Payload } from "./operation.ts";

/** What a start may override of its type's policy. */
export type RunPolicy = Pick<
  OperationPolicy,
  "maxAttempts" | "backoffMs" | "backoffMaxMs" | "attemptTimeoutMs" | "stallTimeoutMs" | "retentionMs"
>;

export interface StartRequest {
  service: string;
  tenant: string;
  /** Three letters in front of the id. */
  idPrefix: string;
  /** `""` or pairs of segments, checked by the caller. */
  parent: string;
  type: string;
  createdBy: string;
  origin: string;
  description: string;
  labels: Readonly<Record<string, string>>;
  request: Payload | null;
  metadata: Payload | null;
  /** `""` for none. */
  requestId: string;
  requestDigest: string;
  method: string;
  /** false gives up the right to cancel; true never creates it where the type has none. */
  cancellable?: boolean;
  graceMs?: number;
  deadline: Instant | null;
  /** Higher ones start first; -100 to 100. Default 0. */
  priority?: number;
  /** It does not start before this time has passed. Default 0. */
  startDelayMs?: number;
  /** Default "": none. */
  concurrencyKey?: string;
  /** How many of its type and concurrency key may run at once. Default: the type's. */
  keyLimit?: number;
  /** Default "": none. */
  supersedeKey?: string;
  /** Default: the type's. */
  unwatchedMs?: number;
  /** Overrides of the type's policy. */
  runPolicy?: Partial<RunPolicy>;
  /** The name of the operation of which this one is a rerun. Default "". */
  rerunOf?: string;
  /** The caller's trace context (W3C traceparent): the spans of the attempts belong to it. */
  traceparent?: string | undefined;
}

/** The start of a rerun. */
export interface RerunCall {
  key: OperationDetail["record"] | { service: string; tenant: string; name: string };
  requestedBy: string;
  origin: string;
  /** `""` for none. A repeated one answers the rerun that it made. */
  requestId: string;
  method: string;
}

/** OPERATION_TYPE_UNKNOWN, with the types that could have been meant. */
export function unknownType(type: string, known: readonly string[]): RpcError {
  return new RpcError("OPERATION_TYPE_UNKNOWN", { type, known: known.join(", ") || "none" });
}

/** The command of a start; `policy` is that of its type. */
export function startCommandOf(request: StartRequest, policy: OperationPolicy, now: Instant): StartCommand {
  const { service, tenant, parent, requestId, startDelayMs = 0 } = request;
  const id = makeId(request.idPrefix, now);
  return {
    type: "start",
    key: { service, tenant, name: parent === "" ? `operations/${id}` : `${parent}/operations/${id}` },
    id,
    parent,
    operationType: request.type,
    createdBy: request.createdBy,
    origin: request.origin,
    description: request.description,
    labels: request.labels,
    policy: resolvedPolicy(policy, request),
    startAfter: startDelayMs === 0 ? 0 : now + startDelayMs * MICROS_PER_MS,
    deadline: request.deadline,
    priority: request.priority ?? 0,
    concurrencyKey: request.concurrencyKey ?? "",
    supersedeKey: request.supersedeKey ?? "",
    rerunOf: request.rerunOf ?? "",
    parentAttempt: null,
    shared: false,
    request: request.request,
    metadata: request.metadata,
    requestKey:
      requestId === "" ? null : { method: request.method, requestId, digest: request.requestDigest },
  };
}

/** Mostly the type's own: one object for all starts, which then crosses to the store's thread once for a batch. */
function resolvedPolicy(policy: OperationPolicy, request: StartRequest): OperationPolicy {
  const { cancel } = policy;
  const { cancellable = true, graceMs = cancel.graceMs, runPolicy } = request;
  const { keyLimit = policy.keyLimit, unwatchedMs = policy.unwatchedMs } = request;
  const keepsCancel = (cancellable || !cancel.cancellable) && graceMs === cancel.graceMs;
  const keepsLimits = keyLimit === policy.keyLimit && unwatchedMs === policy.unwatchedMs;
  if (keepsCancel && keepsLimits && runPolicy === undefined) return policy;
  return {
    ...policy,
    ...runPolicy,
    cancel: { ...cancel, cancellable: cancel.cancellable && cancellable, graceMs },
    keyLimit,
    unwatchedMs,
  };
}

/**
 * The command that starts an ended operation once more, as a new one: the same request under the same policy, with as
 * much time until its deadline as the first one had. Throws NOT_RERUNNABLE for one that runs or succeeded.
 */
export function rerunCommandOf(detail: OperationDetail, call: RerunCall, now: Instant): StartCommand {
  const { record, labels, request, metadata } = detail;
  const { service, tenant, name, state, parent } = record;
  if (state !== "FAILED" && state !== "CANCELLED") throw new RpcError("NOT_RERUNNABLE", { name, state });
  const id = makeId(record.id.slice(0, 3), now);
  return {
    type: "start",
    key: { service, tenant, name: parent === "" ? `operations/${id}` : `${parent}/operations/${id}` },
    id,
    parent,
    operationType: record.type,
    createdBy: call.requestedBy,
    origin: call.origin,
    description: record.description,
    labels,
    policy: record.policy,
    startAfter: 0,
    deadline: record.deadline === null ? null : now + (record.deadline - record.createTime),
    priority: record.priority,
    concurrencyKey: record.concurrencyKey,
    supersedeKey: record.supersedeKey,
    rerunOf: name,
    parentAttempt: null,
    shared: false,
    request,
    metadata,
    // All that a rerun says is the name: the same id with another name is another request.
    requestKey:
      call.requestId === "" ? null : { method: call.method, requestId: call.requestId, digest: name },
  };
}
