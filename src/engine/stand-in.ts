// Children in another database than their parent: there is no transaction over both. The parent's database has a stand-in, an
// ordinary child of a type of the server's own, to which all rules of families apply; its attempts run the child where it
// belongs (src/services/native/child-elsewhere/). Here is what is special about it to the engine.
import { invalidField } from "../base/rpc-error.ts";
import type { EngineChildStart } from "./children.ts";
import type { OperationPolicy, OperationRecord, Payload } from "./operation.ts";
import { systemPolicy } from "./system-policy.ts";

/** The type of stand-ins. No worker can declare it, and no caller starts it. */
export const CHILD_ELSEWHERE_TYPE = "belay.child-elsewhere";

/**
 * What is to be started elsewhere, as the stand-in's request. The engine does not read it. Throws PAYLOAD_TOO_LARGE.
 */
export type OrderElsewhere = (start: EngineChildStart) => Payload;

/** True for an operation that stands for one in another database. */
export function isStandIn({ type }: Pick<OperationRecord, "type">): boolean {
  return type === CHILD_ELSEWHERE_TYPE;
}

/** What the way there and back may take, beyond what the child itself takes to stop. */
export const ELSEWHERE_MS: number = 5000;

const DESCRIPTION_LENGTH_MAX = 256;

/**
 * The stand-in of a child, and its policy: that of the child's type, with some seconds more. Its attempts only wait: one
 * takes over where another was lost, as often as that happens. Throws INVALID_FIELD for a shared child: who shares it is
 * told in one transaction.
 */
export function standInOf(
  start: EngineChildStart,
  parent: OperationRecord,
  policy: OperationPolicy,
  order: Payload,
): { start: EngineChildStart; policy: OperationPolicy } {
  const { service, type, shared, deadline } = start;
  if (shared)
    throw invalidField("shared", `service ${service} is in another database: its children have one parent`);
  const { cancel } = policy;
  const stopMs = cancel.graceMs + cancel.criticalMs + cancel.cleanupMs + cancel.killMs;
  const about = `${type} in service ${service}, in another database`;
  const description = start.description === "" ? about : `${about}: ${start.description}`;
  return {
    start: {
      ...start,
      service: parent.service,
      idPrefix: parent.id.slice(0, 3),
      resource: parent.parent,
      type: CHILD_ELSEWHERE_TYPE,
      request: order,
      metadata: null,
      description: description.slice(0, DESCRIPTION_LENGTH_MAX).toWellFormed(),
      // The child's own deadline comes first, and is told as its end.
      deadline: deadline === null ? null : deadline + (stopMs + ELSEWHERE_MS) * 1000,
    },
    policy: {
      ...standInPolicy,
      cancel: { ...cancel, killMs: cancel.killMs + ELSEWHERE_MS },
      retentionMs: policy.retentionMs,
    },
  };
}

/** Of the type alone; the times of a cancel are those of the child that it stands for. */
export const standInPolicy: OperationPolicy = {
  ...systemPolicy,
  maxAttempts: 1_000_000,
  backoffMs: 100,
  backoffMaxMs: 2000,
};
