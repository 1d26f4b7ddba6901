// The messages of the protocol that hold a worker's own matters: its hello, assignments and cancels.
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import type { DeclaredPolicy } from "../base/policy-limits.ts";
import { anyToJson, messageToJson } from "../protocol/any.ts";
import { decodeRequest } from "../protocol/binary-request.ts";
import { type TypePolicy, TypePolicySchema } from "../protocol/gen/belay/v1/policies_pb.ts";
import type {
  HelloSchema,
  Assignment as WireAssignment,
  AttemptKey as WireAttemptKey,
  CancelNotice as WireCancelNotice,
} from "../protocol/gen/belay/v1/workers_pb.ts";
import type { Payload } from "../protocol/payload.ts";
import { decodeStruct, STRUCT_TYPE_URL } from "../protocol/struct.ts";
import { baseTypeRegistry } from "../protocol/type-registry.ts";
import { typeNameOf } from "../protocol/typed-payload.ts";
import type {
  Assignment,
  CancelNotice,
  JsonObject,
  RequestMessage,
  WorkerHello,
} from "../protocol/worker-connection.ts";
import {
  fromAny,
  fromDuration,
  fromWireAttempt,
  fromWireCause,
  toDuration,
} from "../protocol/worker-messages.ts";

/** The first message of a stream; `session` is "" for a new one. */
export function helloMessage(
  hello: WorkerHello,
  {
    leaseMs,
    session,
    attempts,
  }: { leaseMs: number | undefined; session: string; attempts: WireAttemptKey[] },
): MessageInitShape<typeof HelloSchema> {
  const { worker, build = "", types, policies = {}, messages = {}, slots, guarded, bootId } = hello;
  return {
    ...{ worker, buildId: build, slots, guarded, bootId, session, attempts },
    types: types.map((type) => {
      const policy = policies[type];
      // A plain handler takes JSON, whatever API its operation was started by: as it does in the server's process.
      const jsonRequests = messages[type] === undefined;
      return { type, jsonRequests, ...(policy && { policy: toTypePolicy(policy) }) };
    }),
    ...(leaseMs !== undefined && { lease: toDuration(leaseMs) }),
  };
}

function toTypePolicy(policy: DeclaredPolicy): TypePolicy {
  const { cancel, maxAttempts, typeLimit, keyLimit, onDelete } = policy;
  return create(TypePolicySchema, {
    cancellable: cancel.cancellable,
    grace: toDuration(cancel.graceMs),
    critical: toDuration(cancel.criticalMs),
    cleanup: toDuration(cancel.cleanupMs),
    kill: toDuration(cancel.killMs),
    run: {
      maxAttempts,
      backoff: toDuration(policy.backoffMs),
      backoffMax: toDuration(policy.backoffMaxMs),
      attemptTimeout: toDuration(policy.attemptTimeoutMs),
      stallTimeout: toDuration(policy.stallTimeoutMs),
      retention: toDuration(policy.retentionMs),
    },
    ...{ typeLimit, keyLimit, onDelete },
    unwatchedTimeout: toDuration(policy.unwatchedMs),
  });
}

/** An assignment with its input as the handler takes it. */
export function readAssignment(assignment: WireAssignment, { messages }: WorkerHello): Assignment {
  const { type, request, checkpoint, timeLeft } = assignment;
  return {
    ...fromWireAttempt(assignment.attempt),
    type,
    attempt: assignment.attemptNumber,
    maxAttempts: assignment.maxAttempts,
    createdBy: assignment.createdBy,
    input: request === undefined ? {} : readInput(fromAny(request), messages?.[type]),
    checkpoint: checkpoint === undefined ? null : (checkpoint as JsonObject),
    deadlineMs: timeLeft === undefined ? null : fromDuration(timeLeft),
    attemptTimeoutMs: fromDuration(assignment.attemptTimeout),
    graceMs: fromDuration(assignment.grace),
    criticalMs: fromDuration(assignment.critical),
    cleanupMs: fromDuration(assignment.cleanup),
    killMs: fromDuration(assignment.kill),
  };
}

/** Plain JSON, or the JSON of the type's own message; another message is its bytes, with their type. */
function readInput(request: Payload, known: RequestMessage | undefined): JsonObject {
  if (request.typeUrl === STRUCT_TYPE_URL) return decodeStruct(request.bytes);
  if (known?.request.typeName !== typeNameOf(request.typeUrl)) {
    return anyToJson(request, known?.registry ?? baseTypeRegistry);
  }
  const message = decodeRequest(known.request, request.bytes);
  return messageToJson(known.request, message, known.registry) as JsonObject;
}

export function readCancel(notice: WireCancelNotice): CancelNotice {
  const { reason, requestedBy, force } = notice;
  return {
    ...fromWireAttempt(notice.attempt),
    cause: fromWireCause(notice.cause),
    ...{ reason, requestedBy, force },
    graceMs: fromDuration(notice.grace),
    deadlineMs: fromDuration(notice.deadline),
  };
}
