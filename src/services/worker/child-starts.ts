// A child as a handler asks for it, as the engine starts it: by the same rules as a start that a client calls for, in the
// name of whoever started the parent.
import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { MICROS_PER_MS } from "../../base/clock.ts";
import { invalidField } from "../../base/rpc-error.ts";
import type { EngineChildStart } from "../../engine/children.ts";
import type { Engine } from "../../engine/engine.ts";
import { jsonDigest } from "../../protocol/canonical-json.ts";
import { StartOperationRequestSchema } from "../../protocol/gen/belay/v1/operations_pb.ts";
import { operationNameOf } from "../../protocol/operation-name.ts";
import type { ChildStart } from "../../protocol/worker-connection.ts";
import type { CallContext } from "../method.ts";
import { readStartRequest, type StartRules } from "../native/start-request.ts";
import { fitsParents, parentForm } from "../parent-pattern.ts";
import { checkStart } from "../start-check.ts";

/** What a service lets its callers start; undefined for a service that is not declared. */
export type FindStartRules = (service: string) => StartRules | undefined;

/**
 * Reads a child's start. Throws INVALID_FIELD, OPERATION_TYPE_UNKNOWN, PAYLOAD_TOO_*; whether the parent may still start
 * children is the engine's to say.
 */
export function readChildStart(start: ChildStart, engine: Engine, rulesOf: FindStartRules): EngineChildStart {
  const { parent, type, payload, policy, requestId, shared, labels, description, deadlineMs } = start;
  const service = start.service || parent.service;
  const rules = rulesOf(service);
  if (!rules) throw invalidField("service", `${JSON.stringify(service.slice(0, 64))} is none of this server`);
  if (requestId === "") throw invalidField("request_id", "is required: it makes the start repeatable");
  const resource = resourceOf(parent.name, rules);
  const deadline = deadlineMs === null ? null : rules.clock.now() + Math.round(deadlineMs * MICROS_PER_MS);
  const request = create(StartOperationRequestSchema, {
    type,
    payload,
    parent: resource,
    labels,
    description,
    requestId,
    ...(deadline !== null && { deadline: timestampFromMs(deadline / MICROS_PER_MS) }),
  });
  const checked = readStartRequest(request, callOf(service, parent.tenant), rules);
  checkStart(engine, type, payload, "payload");
  return {
    parent: {
      key: { service: parent.service, tenant: parent.tenant, name: parent.name },
      token: parent.leaseToken,
    },
    policy,
    service,
    idPrefix: checked.idPrefix,
    resource,
    type,
    request: checked.request,
    metadata: checked.metadata,
    requestId,
    // Without the time that is left: it is another one each time that the same start is sent again.
    // A shared child is what several parents ask for: what is each parent's own is none of it.
    requestDigest: jsonDigest({
      service,
      type,
      payload,
      shared,
      labels: { ...labels },
      description,
      ...(!shared && { resource, policy }),
    }),
    shared,
    labels,
    description,
    deadline,
    ...(checked.cancellable === undefined ? {} : { cancellable: checked.cancellable }),
  };
}

/** Beside its parent, where its own service has operations there; else at that service's root. */
function resourceOf(parentName: string, { declaration: { id, parents } }: StartRules): string {
  const resource = operationNameOf(parentName).parent;
  if (fitsParents(resource, parents)) return resource;
  if (fitsParents("", parents)) return "";
  const forms = parents.map(parentForm).join(" or ");
  throw invalidField("service", `${id} has operations below ${forms} only, and the parent is ${parentName}`);
}

/** The parent's creator has passed every check of a caller; the engine puts its id into the child. */
function callOf(service: string, tenant: string): CallContext {
  return {
    requestId: "",
    principal: { id: "", tenant, scopes: null, grants: null },
    service,
    transport: "grpc",
    authority: undefined,
    deadlineMs: Number.POSITIVE_INFINITY,
    onCallerGone() {},
    header: () => undefined,
    setHeader() {},
    setTrailer() {},
  };
}
