// The policies of children, as they are on the wire.
import { ChildPolicy } from "./gen/belay/v1/policies_pb.ts";
import type { ChildStart } from "./worker-connection.ts";

type PolicyName = ChildStart["policy"];

/** By name. */
export const wireChildPolicies: Readonly<Record<PolicyName, ChildPolicy>> = {
  cancel: ChildPolicy.CANCEL,
  abandon: ChildPolicy.ABANDON,
  wait: ChildPolicy.WAIT,
};
