// RunPolicy of a start: how the operation runs, as far as the caller says it. The limits are those of every type's policy.
import { policyLimits } from "../../base/policy-limits.ts";
import type { StartRequest } from "../../engine/engine.ts";
import type { RunPolicy } from "../../protocol/gen/belay/v1/policies_pb.ts";
import { readDuration, readNumber } from "./request-fields.ts";

/** The engine's form of it; what is absent is left out. Throws INVALID_FIELD with the field and its limits. */
export function readRunPolicy(policy: RunPolicy): NonNullable<StartRequest["runPolicy"]> {
  const { maxAttempts, backoff, backoffMax, attemptTimeout, stallTimeout, retention } = policy;
  const at = (field: string): string => `run_policy.${field}`;
  return {
    ...(maxAttempts !== undefined && {
      maxAttempts: readNumber(maxAttempts, at("max_attempts"), policyLimits.maxAttempts),
    }),
    ...(backoff && { backoffMs: readDuration(backoff, at("backoff"), policyLimits.backoffMs) }),
    ...(backoffMax && {
      backoffMaxMs: readDuration(backoffMax, at("backoff_max"), policyLimits.backoffMaxMs),
    }),
    ...(attemptTimeout && {
      attemptTimeoutMs: readDuration(attemptTimeout, at("attempt_timeout"), policyLimits.attemptTimeoutMs),
    }),
    ...(stallTimeout && {
      stallTimeoutMs: readDuration(stallTimeout, at("stall_timeout"), policyLimits.stallTimeoutMs),
    }),
    ...(retention && { retentionMs: readDuration(retention, at("retention"), policyLimits.retentionMs) }),
  };
}
