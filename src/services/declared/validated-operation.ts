// What a start with validate_only answers: an operation that is done, has a valid empty response, and was never stored.
// https://google.aip.dev/163
import { create, toBinary } from "@bufbuild/protobuf";
import type { Instant } from "../../base/clock.ts";
import type { StartRequest } from "../../engine/engine.ts";
import type { OperationPolicy, StoredOperation } from "../../engine/operation.ts";
import { typeUrlOf } from "../../protocol/typed-payload.ts";
import type { StartMethod } from "./start-methods.ts";

/** It never runs. */
const policy: OperationPolicy = {
  cancel: { cancellable: false, graceMs: 0, criticalMs: 0, cleanupMs: 0, killMs: 0 },
  maxAttempts: 1,
  backoffMs: 0,
  backoffMaxMs: 0,
  attemptTimeoutMs: 0,
  stallTimeoutMs: 0,
  retentionMs: 0,
  onDelete: "keep",
  typeLimit: 0,
  keyLimit: 0,
  unwatchedMs: 0,
};

/** The operation that stands for a valid request: without a name or an id. */
export function validatedOperation(
  request: StartRequest,
  { response }: StartMethod,
  now: Instant,
): StoredOperation {
  return {
    record: {
      service: request.service,
      tenant: request.tenant,
      name: "",
      id: "",
      parent: request.parent,
      type: request.type,
      state: "SUCCEEDED",
      revision: 1,
      createTime: now,
      updateTime: now,
      createdBy: request.createdBy,
      description: request.description,
      policy,
      priority: 0,
      concurrencyKey: "",
      supersedeKey: "",
      rerunOf: "",
      watchDeadline: null,
      parents: [],
      hasOwnCaller: true,
      children: null,
      startAfter: now,
      deadline: null,
      attempt: 0,
      leaseToken: 0,
      lease: null,
      held: null,
      attemptStartTime: null,
      activityTime: null,
      progress: null,
      cancel: null,
      outcome: { kind: "response", digest: "" },
      doneTime: now,
      deleteTime: null,
    },
    response: { typeUrl: typeUrlOf(response), bytes: toBinary(response, create(response)) },
    metadata: request.metadata,
  };
}
