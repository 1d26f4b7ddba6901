// Parents and children, from plain data to belay.v1.
import { create } from "@bufbuild/protobuf";
import type { ParentLink as EngineParentLink, OperationState } from "../../engine/operation.ts";
import type { ChildSummary } from "../../engine/store.ts";
import { wireChildPolicies } from "../../protocol/child-policy.ts";
import {
  type Child,
  ChildSchema,
  type ParentLink,
  ParentLinkSchema,
  State,
} from "../../protocol/gen/belay/v1/operations_pb.ts";

const states: Record<OperationState, State> = {
  PENDING: State.PENDING,
  RUNNING: State.RUNNING,
  CANCELLING: State.CANCELLING,
  SUCCEEDED: State.SUCCEEDED,
  FAILED: State.FAILED,
  CANCELLED: State.CANCELLED,
};

/** The state's number on the wire. */
export function projectState(state: OperationState): State {
  return states[state];
}

export function projectChild(child: ChildSummary): Child {
  const { service, name, type, state, policy, detached } = child;
  return create(ChildSchema, {
    ...{ service, name, type, detached },
    state: states[state],
    policy: wireChildPolicies[policy],
  });
}

export function projectParent({ service, name, policy, detached }: EngineParentLink): ParentLink {
  return create(ParentLinkSchema, { service, name, policy: wireChildPolicies[policy], detached });
}
