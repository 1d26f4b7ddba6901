// StartOperationRequest at the door: every limit is checked here, before anything is stored. Answers the engine's request.
import { type Clock, type Instant, MICROS_PER_SECOND } from "../../base/clock.ts";
import { invalidField } from "../../base/rpc-error.ts";
import { type StartRequest, unknownType } from "../../engine/engine.ts";
import { jsonDigest } from "../../protocol/canonical-json.ts";
import type { StartOperationRequest } from "../../protocol/gen/belay/v1/operations_pb.ts";
import { jsonPayload } from "../../protocol/json-payload.ts";
import { isOperationParent } from "../../protocol/operation-name.ts";
import type { JsonObject } from "../../protocol/worker-connection.ts";
import { checkReach } from "../access.ts";
import type { CallContext } from "../method.ts";
import { fitsParents, parentForm } from "../parent-pattern.ts";
import type { ServiceDeclaration } from "../service-declaration.ts";
import { instantOf, millisecondsOf } from "../wire-time.ts";

/** Request ids are unique per (service, tenant, method): both ways to start share this one. */
const START_METHOD = "belay.v1.StartOperation";

const TYPE_LENGTH_MAX = 63;
const DESCRIPTION_LENGTH_MAX = 256;
const LABELS_MAX = 64;
const LABEL_VALUE_LENGTH_MAX = 63;
const GRACE_MAX_MS = 600_000;
const DEADLINE_MAX_SECONDS = 3650 * 86_400;

const TYPE = /^[a-z][a-z0-9-]*(\.[a-z][a-z0-9-]*)*$/;
const REQUEST_ID = /^[\x21-\x7e]{1,128}$/;
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
  const { type, description, labels, requestId, parent } = request;
  const { declaration } = rules;
  checkReach(context, "start", parent);
  checkType(type);
  if (requestId !== "" && !REQUEST_ID.test(requestId)) {
    throw invalidField("request_id", "must be 1-128 visible ASCII characters");
  }
  checkText("description", description, DESCRIPTION_LENGTH_MAX);
  checkLabels(labels);
  if (!isOperationParent(parent)) {
    throw invalidField("parent", "must be empty or 1-3 pairs collection/id of [a-zA-Z0-9._~-]{1,63}");
  }
  if (!fitsParents(parent, declaration.parents)) {
    throw invalidField("parent", `must be of the form ${declaration.parents.map(parentForm).join(" or ")}`);
  }
  const payload = request.payload ?? {};
  const grace = request.cancelPolicy?.grace;
  const graceMs = grace === undefined ? undefined : readGrace(grace, "cancel_policy.grace");
  if (!rules.isStartable(type)) throw unknownType(type, rules.types());
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
    request: jsonPayload(payload as JsonObject, "payload"),
    metadata: null,
    requestId,
    requestDigest: requestId === "" ? "" : digestOf(request, graceMs),
    method: START_METHOD,
    deadline:
      request.deadline === undefined ? null : readDeadline(instantOf(request.deadline), rules.clock.now()),
    ...(cancellable === undefined ? {} : { cancellable }),
    ...(graceMs === undefined ? {} : { graceMs }),
  };
}

/** A grace period in milliseconds: 0-600 s. Throws INVALID_FIELD. */
export function readGrace(grace: Parameters<typeof millisecondsOf>[0], field: string): number {
  const graceMs = Math.ceil(millisecondsOf(grace, field));
  if (graceMs > GRACE_MAX_MS) throw invalidField(field, `is ${graceMs / 1000} s; at most 600 s are taken`);
  return graceMs;
}

/** Throws INVALID_FIELD unless the text is at most `max` characters without control characters. */
export function checkText(field: string, text: string, max: number): void {
  // Code points, not UTF-16 units; counted only when the cheap bound does not settle it.
  if (text.length > max) {
    const length = text.length > 2 * max ? text.length : [...text].length;
    if (length > max) throw invalidField(field, `is ${length} characters long; at most ${max} are taken`);
  }
  if (/\p{Cc}/u.test(text)) throw invalidField(field, "must not hold control characters");
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

function readDeadline(deadline: Instant, now: Instant): Instant {
  if (deadline <= now) throw invalidField("deadline", "must be in the future");
  if (deadline > now + DEADLINE_MAX_SECONDS * MICROS_PER_SECOND) {
    throw invalidField("deadline", "must be at most 3650 days ahead");
  }
  return deadline;
}

/** SHA-256 over a canonical form of the decoded request: the order of keys and the wire format do not matter. */
function digestOf(request: StartOperationRequest, graceMs: number | undefined): string {
  const { type, description, labels, parent, deadline, cancelPolicy } = request;
  return jsonDigest({
    type,
    description,
    labels,
    parent,
    payload: (request.payload ?? {}) as JsonObject,
    deadline: deadline === undefined ? null : instantOf(deadline),
    cancellable: cancelPolicy?.cancellable ?? null,
    graceMs: graceMs ?? null,
  });
}
