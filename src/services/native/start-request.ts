// StartOperationRequest at the door: every limit is checked here, before anything is stored. Answers the engine's request.
import { type Clock, type Instant, MICROS_PER_MS, MICROS_PER_SECOND } from "../../base/clock.ts";
import { policyLimits, startLimits } from "../../base/policy-limits.ts";
import { invalidField } from "../../base/rpc-error.ts";
import { type StartRequest, unknownType } from "../../engine/engine.ts";
import type { StartOperationRequest } from "../../protocol/gen/belay/v1/operations_pb.ts";
import { jsonPayload } from "../../protocol/json-payload.ts";
import { isOperationParent } from "../../protocol/operation-name.ts";
import type { JsonObject } from "../../protocol/worker-connection.ts";
import { checkReach } from "../access.ts";
import type { CallContext } from "../method.ts";
import { fitsParents, parentForm } from "../parent-pattern.ts";
import type { ServiceDeclaration } from "../service-declaration.ts";
import { instantOf } from "../wire-time.ts";
import { isSystemType } from "./cancel-operations/system-type.ts";
import { checkRequestId, checkText, readDuration, readGrace, readNumber } from "./request-fields.ts";
import { readRunPolicy } from "./run-policy.ts";
import { startDigest } from "./start-digest.ts";

/** Request ids are unique per (service, tenant, method): every way to start by type shares this one. */
export const START_METHOD = "belay.v1.StartOperation";

const TYPE_LENGTH_MAX = 63;
const DESCRIPTION_LENGTH_MAX = 256;
const KEY_LENGTH_MAX = 256;
const LABELS_MAX = 64;
const LABEL_VALUE_LENGTH_MAX = 63;
const DEADLINE_MAX_SECONDS = 3650 * 86_400;

const TYPE = /^[a-z][a-z0-9-]*(\.[a-z][a-z0-9-]*)*$/;
const LABEL_KEY = /^[a-z][a-z0-9_-]{0,62}$/;

/** What a service lets its callers start. */
export interface StartRules {
  declaration: ServiceDeclaration;
  /** The store's clock. */
  clock: Clock;
  /** True for a type that has a handler and may be started in this service. */
  isStartable(type: string): boolean;
  /** All of them, sorted. */
  types(): readonly string[];
}

/**
 * Checks a start request and turns it into the engine's.
 * Throws IAM_PERMISSION_DENIED, INVALID_FIELD, OPERATION_TYPE_UNKNOWN or PAYLOAD_TOO_*.
 */
export function readStartRequest(
  request: StartOperationRequest,
  context: CallContext,
  rules: StartRules,
): StartRequest {
  const { type, description, labels, requestId, parent, concurrencyKey, supersedeKey } = request;
  const { declaration } = rules;
  checkReach(context, "start", parent);
  checkType(type);
  checkRequestId(requestId);
  checkText("description", description, DESCRIPTION_LENGTH_MAX);
  checkLabels(labels);
  checkText("concurrency_key", concurrencyKey, KEY_LENGTH_MAX);
  checkText("supersede_key", supersedeKey, KEY_LENGTH_MAX);
  checkParent(parent, declaration);
  const running = readRunning(request);
  const deadline = readDeadline(request, rules.clock.now(), running.startDelayMs ?? 0);
  const graceMs = request.cancelPolicy?.grace && readGrace(request.cancelPolicy.grace, "cancel_policy.grace");
  checkStartable(type, rules);
  const mayCancel = declaration.cancellable && !declaration.uncancellableTypes.includes(type);
  const cancellable = mayCancel ? request.cancelPolicy?.cancellable : false;
  return {
    service: context.service,
    tenant: context.principal.tenant,
    idPrefix: declaration.idPrefix,
    parent,
    type,
    createdBy: context.principal.id,
    origin: `native/${context.transport}`,
    description,
    labels,
    request: jsonPayload((request.payload ?? {}) as JsonObject, "payload"),
    metadata: null,
    requestId,
    requestDigest: requestId === "" ? "" : startDigest(request, graceMs),
    method: START_METHOD,
    deadline,
    traceparent: context.header("traceparent"),
    priority: readNumber(request.priority, "priority", startLimits.priority),
    concurrencyKey,
    supersedeKey,
    ...running,
    ...(cancellable === undefined ? {} : { cancellable }),
    ...(graceMs === undefined ? {} : { graceMs }),
  };
}

type Running = Pick<StartRequest, "startDelayMs" | "keyLimit" | "unwatchedMs" | "runPolicy">;

/** When and how it runs, as far as the request says it; what is absent is the type's own. */
function readRunning({
  startDelay,
  keyLimit,
  concurrencyKey,
  unwatchedTimeout,
  runPolicy,
}: StartOperationRequest): Running {
  if (keyLimit !== undefined && concurrencyKey === "") {
    throw invalidField("key_limit", "needs a concurrency_key");
  }
  return {
    ...(startDelay && { startDelayMs: readDuration(startDelay, "start_delay", startLimits.startDelayMs) }),
    ...(keyLimit !== undefined && { keyLimit: readNumber(keyLimit, "key_limit", policyLimits.keyLimit) }),
    ...(unwatchedTimeout && {
      unwatchedMs: readDuration(unwatchedTimeout, "unwatched_timeout", policyLimits.unwatchedMs),
    }),
    ...(runPolicy && { runPolicy: readRunPolicy(runPolicy) }),
  };
}

/** The server's own types start by methods of their own alone, whoever asks: a caller, or a handler for a child. */
function checkStartable(type: string, rules: StartRules): void {
  if (!isSystemType(type) && rules.isStartable(type)) return;
  const known = rules.types().filter((one) => !isSystemType(one));
  throw unknownType(type, known);
}

function checkType(type: string): void {
  if (type === "") throw invalidField("type", "is required");
  if (type.length > TYPE_LENGTH_MAX || !TYPE.test(type)) {
    throw invalidField(
      "type",
      `must be words of [a-z0-9-] joined by dots, at most ${TYPE_LENGTH_MAX} characters`,
    );
  }
}

/** Throws INVALID_FIELD unless operations may be started below the parent. */
function checkParent(parent: string, { parents }: ServiceDeclaration): void {
  if (!isOperationParent(parent)) {
    throw invalidField("parent", "must be empty or 1-3 pairs collection/id of [a-zA-Z0-9._~-]{1,63}");
  }
  if (!fitsParents(parent, parents)) {
    throw invalidField("parent", `must be of the form ${parents.map(parentForm).join(" or ")}`);
  }
}

function checkLabels(labels: Readonly<Record<string, string>>): void {
  const entries = Object.entries(labels);
  if (entries.length > LABELS_MAX) {
    throw invalidField("labels", `holds ${entries.length} labels; at most ${LABELS_MAX} are taken`);
  }
  for (const [key, value] of entries) {
    if (!LABEL_KEY.test(key)) throw invalidField("labels", "keys must be of the form [a-z][a-z0-9_-]{0,62}");
    checkText(`labels.${key}`, value, LABEL_VALUE_LENGTH_MAX);
  }
}

function readDeadline(
  { deadline: given }: StartOperationRequest,
  now: Instant,
  startDelayMs: number,
): Instant | null {
  if (given === undefined) return null;
  const deadline = instantOf(given);
  if (deadline <= now) throw invalidField("deadline", "must be in the future");
  if (deadline > now + DEADLINE_MAX_SECONDS * MICROS_PER_SECOND) {
    throw invalidField("deadline", "must be at most 3650 days ahead");
  }
  if (deadline <= now + startDelayMs * MICROS_PER_MS) {
    throw invalidField("deadline", "comes before the start delay has passed");
  }
  return deadline;
}
