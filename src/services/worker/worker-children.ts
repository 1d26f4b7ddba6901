// The children that the attempts of one worker start and wait for: each call is answered with its request number.
import { create } from "@bufbuild/protobuf";
import { invalidField, RpcError } from "../../base/rpc-error.ts";
import type { Engine } from "../../engine/engine.ts";
import { isDone, type StoredOperation } from "../../engine/operation.ts";
import type { Session } from "../../engine/session.ts";
import { ChildPolicy } from "../../protocol/gen/belay/v1/policies_pb.ts";
import {
  type ChildAnswer,
  ChildAnswerSchema,
  type StartChild,
  type WaitChild,
} from "../../protocol/gen/belay/v1/workers_pb.ts";
import { StatusSchema } from "../../protocol/gen/google/rpc/status_pb.ts";
import type { ChildStart, JsonObject } from "../../protocol/worker-connection.ts";
import { fromDuration, fromWireAttempt, toAny } from "../../protocol/worker-messages.ts";
import { learnType } from "../learn-type.ts";
import { type FindStartRules, readChildStart } from "./child-starts.ts";
import type { WorkerOutbox } from "./worker-outbox.ts";
import { toWireStatus } from "./worker-report.ts";

/** Calls for children that are not answered yet; above it they are refused. */
const CALLS_MAX = 20_000;

/** A wait is answered after this time at the latest; the worker asks again. */
const WAIT_MS_MAX = 60_000;

const policies: ReadonlyMap<ChildPolicy, ChildStart["policy"]> = new Map<ChildPolicy, ChildStart["policy"]>([
  [ChildPolicy.CHILD_POLICY_UNSPECIFIED, "cancel"],
  [ChildPolicy.CANCEL, "cancel"],
  [ChildPolicy.ABANDON, "abandon"],
  [ChildPolicy.WAIT, "wait"],
]);

export interface WorkerChildrenParts {
  engine: Engine;
  rulesOf: FindStartRules;
  outbox: WorkerOutbox;
}

export class WorkerChildren {
  readonly #engine: Engine;
  readonly #rulesOf: FindStartRules;
  readonly #outbox: WorkerOutbox;
  #calls = 0;
  #isOver = false;

  constructor({ engine, rulesOf, outbox }: WorkerChildrenParts) {
    this.#engine = engine;
    this.#rulesOf = rulesOf;
    this.#outbox = outbox;
  }

  start(request: StartChild, session: Session): void {
    void this.#answer(request.requestNumber, async () => {
      await learnType(this.#engine, request.type);
      const start = readChildStart(childStartOf(request), this.#engine, this.#rulesOf);
      return await this.#engine.startChild(session, start);
    });
  }

  wait(request: WaitChild, session: Session): void {
    void this.#answer(request.requestNumber, async () => {
      const { leaseToken: token, ...key } = fromWireAttempt(request.parent);
      const child = { service: request.service || key.service, name: request.name };
      const timeoutMs = Math.min(WAIT_MS_MAX, Math.max(0, fromDuration(request.timeout)));
      return await this.#engine.waitChild(session, { key, token }, child, timeoutMs);
    });
  }

  /** What is still asked is not answered. */
  close(): void {
    this.#isOver = true;
  }

  async #answer(requestNumber: bigint, call: () => Promise<StoredOperation>): Promise<void> {
    let answer: ChildAnswer;
    this.#calls++;
    try {
      if (this.#calls > CALLS_MAX)
        throw new RpcError("OVERLOADED", { what: "calls for children", limit: CALLS_MAX });
      answer = childAnswer(requestNumber, await call());
    } catch (thrown) {
      const refused = toWireStatus(RpcError.from(thrown, ""));
      answer = create(ChildAnswerSchema, { requestNumber, refused });
    } finally {
      this.#calls--;
    }
    if (!this.#isOver) this.#outbox.send({ case: "child", value: answer });
  }
}

function childStartOf(request: StartChild): ChildStart {
  const { service, type, payload = {}, requestId, shared, labels, description, timeLeft } = request;
  const policy = policies.get(request.policy);
  if (policy === undefined) throw invalidField("policy", "is none of CANCEL, ABANDON, WAIT");
  return {
    parent: fromWireAttempt(request.parent),
    ...(service !== "" && { service }),
    type,
    payload: payload as JsonObject,
    policy,
    requestId,
    shared,
    labels,
    description,
    deadlineMs: timeLeft === undefined ? null : fromDuration(timeLeft),
  };
}

function childAnswer(requestNumber: bigint, { record, response }: StoredOperation): ChildAnswer {
  const { name, state, outcome } = record;
  const error = outcome?.kind === "error" ? outcome.status : null;
  return create(ChildAnswerSchema, {
    requestNumber,
    name,
    done: isDone(state),
    result:
      error !== null
        ? { case: "error", value: create(StatusSchema, { code: error.code, message: error.message }) }
        : response !== null
          ? { case: "response", value: toAny(response) }
          : { case: undefined },
  });
}
