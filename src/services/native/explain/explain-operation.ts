// belay.v1.ExplainOperation: why an operation is as it is, and what happens next.
import { create } from "@bufbuild/protobuf";
import type { Engine } from "../../../engine/engine.ts";
import type { OperationDetail, OperationRecord } from "../../../engine/operation.ts";
import type { SlotUsers } from "../../../engine/store.ts";
import {
  type ExplainOperationRequest,
  type Explanation,
  ExplanationSchema,
  Operations,
} from "../../../protocol/gen/belay/v1/operations_pb.ts";
import { operationKeyOf } from "../../access.ts";
import type { ServiceMethod } from "../../method.ts";
import type { ServiceDeclaration } from "../../service-declaration.ts";
import { timestampOf } from "../../wire-time.ts";
import { projectState } from "../family-projection.ts";
import { messageMethod } from "../message-method.ts";
import { projectOperation } from "../projection.ts";
import { childrenOf } from "../shown-operation.ts";
import { explainCancelling } from "./explain-cancelling.ts";
import { explainDone } from "./explain-done.ts";
import { explainPending } from "./explain-pending.ts";
import { explainRunning } from "./explain-running.ts";
import type { Explained, ExplainFacts, NextStep } from "./explanation.ts";

/** As many holders of a slot are named. */
const SLOT_USERS_MAX = 20;

/** belay.v1.ExplainOperation. */
export function explainOperation(engine: Engine, declaration: ServiceDeclaration): ServiceMethod {
  return messageMethod<ExplainOperationRequest, Explanation>(
    Operations.method.explainOperation,
    declaration,
    async ({ name }, context) => {
      const detail = await engine.detail(operationKeyOf(name, "get", context));
      const facts = await factsOf(engine, detail);
      const explanation = projectExplanation(facts);
      explanation.operation = projectOperation(detail, declaration.registry, facts.children);
      return explanation;
    },
  );
}

async function factsOf(engine: Engine, detail: OperationDetail): Promise<ExplainFacts> {
  const { record } = detail;
  const isPending = record.state === "PENDING";
  const slotUsers = (concurrencyKey: string): Promise<SlotUsers> => {
    const { service, tenant, type } = record;
    return engine.slotUsers({ service, tenant, type, concurrencyKey }, SLOT_USERS_MAX);
  };
  const hasTypeLimit = isPending && record.policy.typeLimit > 0;
  const hasKeyLimit = isPending && record.policy.keyLimit > 0 && record.concurrencyKey !== "";
  const [workers, children, typeUsers, keyUsers] = await Promise.all([
    engine.workers(),
    childrenOf(engine, detail),
    hasTypeLimit ? slotUsers("") : null,
    hasKeyLimit ? slotUsers(record.concurrencyKey) : null,
  ]);
  return { detail, now: engine.clock.now(), workers, children, typeUsers, keyUsers };
}

/** belay.v1.Explanation of the facts, without the operation itself. */
export function projectExplanation(facts: ExplainFacts): Explanation {
  const { record } = facts.detail;
  const { reasons, next } = explain(facts);
  const explanation = create(ExplanationSchema, {
    name: record.name,
    state: projectState(record.state),
    summary: summaryOf(
      record,
      reasons.map(({ text }) => text),
    ),
    reasons: reasons.map(({ code, text, about }) => ({ code, text, about: [...about] })),
  });
  const step = earliest(next);
  if (step !== undefined) explanation.nextStep = step.step;
  if (step !== undefined && step.time !== null) explanation.nextTime = timestampOf(step.time);
  return explanation;
}

function explain(facts: ExplainFacts): Explained {
  const { record } = facts.detail;
  switch (record.state) {
    case "PENDING":
      return explainPending(facts);
    case "RUNNING":
      return explainRunning(facts);
    case "CANCELLING":
      return record.cancel === null ? explainRunning(facts) : explainCancelling(facts, record.cancel);
    default:
      return explainDone(facts);
  }
}

const states: Readonly<Record<OperationRecord["state"], string>> = {
  PENDING: "It has not started",
  RUNNING: "It is running",
  CANCELLING: "It is being cancelled",
  SUCCEEDED: "It is done",
  FAILED: "It is done",
  CANCELLED: "It is done",
};

/** One sentence: the state, and the first reason. */
function summaryOf({ state }: OperationRecord, [first]: readonly string[]): string {
  return first === undefined ? `${states[state]}.` : `${states[state]}: ${first}.`;
}

/** What has a time comes first, the earliest of all; else what is known to come at some time. */
function earliest(next: readonly NextStep[]): NextStep | undefined {
  const timed = next.filter(({ time }) => time !== null);
  timed.sort((a, b) => (a.time ?? 0) - (b.time ?? 0));
  return timed[0] ?? next[0];
}
