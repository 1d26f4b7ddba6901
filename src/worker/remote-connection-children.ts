// The calls of a worker's attempts for their children: asked again on each new stream until they are answered. Both calls
// may be repeated: a start is told by its request id, a wait changes nothing.
import { create } from "@bufbuild/protobuf";
import { RpcError } from "../base/rpc-error.ts";
import { anyToJson } from "../protocol/any.ts";
import { wireChildPolicies } from "../protocol/child-policy.ts";
import { EMPTY_TYPE_URL } from "../protocol/empty.ts";
import { type ChildAnswer, StartChildSchema, WaitChildSchema } from "../protocol/gen/belay/v1/workers_pb.ts";
import { statusError } from "../protocol/status-error.ts";
import { decodeStruct, STRUCT_TYPE_URL } from "../protocol/struct.ts";
import { baseTypeRegistry } from "../protocol/type-registry.ts";
import type { AttemptKey, ChildStart, ChildState, JsonObject } from "../protocol/worker-connection.ts";
import { fromAny, toDuration, toWireAttempt } from "../protocol/worker-messages.ts";
import type { WorkerMessageInit } from "./remote-connection-stream.ts";

interface Pending {
  message: WorkerMessageInit;
  resolve(state: ChildState): void;
  reject(error: unknown): void;
}

export class RemoteChildren {
  readonly #send: (message: WorkerMessageInit) => boolean;
  readonly #pending = new Map<bigint, Pending>();
  #nextNumber = 1n;
  #isOver = false;

  /** `send` answers false while there is no stream. */
  constructor(send: (message: WorkerMessageInit) => boolean) {
    this.#send = send;
  }

  start(start: ChildStart): Promise<ChildState> {
    const { service = "", type, payload, requestId, shared, labels, description, deadlineMs } = start;
    return this.#ask((requestNumber) => ({
      case: "startChild",
      value: create(StartChildSchema, {
        requestNumber,
        parent: toWireAttempt(start.parent),
        ...{ service, type, payload, requestId, shared, labels: { ...labels }, description },
        policy: wireChildPolicies[start.policy],
        ...(deadlineMs !== null && { timeLeft: toDuration(deadlineMs) }),
      }),
    }));
  }

  wait(parent: AttemptKey, child: { service: string; name: string }, timeoutMs: number): Promise<ChildState> {
    return this.#ask((requestNumber) => ({
      case: "waitChild",
      value: create(WaitChildSchema, {
        requestNumber,
        parent: toWireAttempt(parent),
        ...child,
        timeout: toDuration(timeoutMs),
      }),
    }));
  }

  answered(answer: ChildAnswer): void {
    const pending = this.#pending.get(answer.requestNumber);
    if (!pending) return;
    this.#pending.delete(answer.requestNumber);
    if (answer.refused) pending.reject(statusError(answer.refused, "child"));
    else pending.resolve(stateOf(answer));
  }

  /** A new stream: what was not answered is asked again. */
  resend(): void {
    for (const { message } of this.#pending.values()) this.#send(message);
  }

  /** The session is lost. */
  close(): void {
    this.#isOver = true;
    const pending = [...this.#pending.values()];
    this.#pending.clear();
    for (const { reject } of pending) reject(new RpcError("LEASE_LOST"));
  }

  #ask(messageOf: (requestNumber: bigint) => WorkerMessageInit): Promise<ChildState> {
    if (this.#isOver) return Promise.reject(new RpcError("LEASE_LOST"));
    return new Promise((resolve, reject) => {
      const requestNumber = this.#nextNumber++;
      const message = messageOf(requestNumber);
      this.#pending.set(requestNumber, { message, resolve, reject });
      this.#send(message);
    });
  }
}

function stateOf({ name, done, result }: ChildAnswer): ChildState {
  const error = result.case === "error" ? { code: result.value.code, message: result.value.message } : null;
  return { name, done, error, response: result.case === "response" ? jsonOf(fromAny(result.value)) : null };
}

function jsonOf(payload: ReturnType<typeof fromAny>): JsonObject {
  if (payload.typeUrl === EMPTY_TYPE_URL) return {};
  return payload.typeUrl === STRUCT_TYPE_URL
    ? decodeStruct(payload.bytes)
    : anyToJson(payload, baseTypeRegistry);
}
