// What makes two start requests the same one, for their request id: the order of keys and the wire format do not matter.
import type { Duration } from "@bufbuild/protobuf/wkt";
import { jsonDigest } from "../../protocol/canonical-json.ts";
import type { StartOperationRequest } from "../../protocol/gen/belay/v1/operations_pb.ts";
import type { RunPolicy } from "../../protocol/gen/belay/v1/policies_pb.ts";
import type { JsonObject } from "../../protocol/worker-connection.ts";
import { instantOf, millisecondsOf } from "../wire-time.ts";

/**
 * SHA-256 over a canonical form of the decoded request. Fields that came later are in it only where they are set: a
 * request id of an older server still means the same request.
 */
export function startDigest(request: StartOperationRequest, graceMs: number | undefined): string {
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
    ...laterFields(request),
  });
}

function laterFields(request: StartOperationRequest): JsonObject {
  const { priority, startDelay, concurrencyKey, keyLimit, supersedeKey, unwatchedTimeout } = request;
  const run = request.runPolicy === undefined ? {} : runPolicyFields(request.runPolicy);
  return {
    ...(priority !== 0 && { priority }),
    ...duration("startDelay", startDelay),
    ...(concurrencyKey !== "" && { concurrencyKey }),
    ...(keyLimit !== undefined && { keyLimit }),
    ...(supersedeKey !== "" && { supersedeKey }),
    ...duration("unwatchedTimeout", unwatchedTimeout),
    ...(Object.keys(run).length > 0 && { runPolicy: run }),
  };
}

function runPolicyFields(policy: RunPolicy): JsonObject {
  const { maxAttempts } = policy;
  return {
    ...(maxAttempts !== undefined && { maxAttempts }),
    ...duration("backoff", policy.backoff),
    ...duration("backoffMax", policy.backoffMax),
    ...duration("attemptTimeout", policy.attemptTimeout),
    ...duration("stallTimeout", policy.stallTimeout),
    ...duration("retention", policy.retention),
  };
}

function duration(field: string, value: Duration | undefined): JsonObject {
  return value === undefined ? {} : { [field]: millisecondsOf(value, field) };
}
