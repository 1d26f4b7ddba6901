// policyOf: the timing and retry of a declared type as plain data, defaults filled in and limits checked. The engine
// stores such a policy with each operation; this file knows its shape, not the engine.
import { type DeclaredPolicy, limitProblem, type PolicyNumber, policyLimits } from "../base/policy-limits.ts";
import type { OperationDefinition } from "./define-operation.ts";

const deleteRules: readonly string[] = ["keep", "cancel", "refuse"];

/**
 * The policy of a definition. Throws a TypeError that names the type, the field, the value and its limits for a
 * number that is not whole or out of its limits, or an unknown `onDelete`.
 */
export function policyOf(definition: OperationDefinition): DeclaredPolicy {
  const read = (field: PolicyNumber): number => numberOf(definition, field);
  const onDelete = definition.onDelete ?? "keep";
  if (!deleteRules.includes(onDelete)) {
    throw new TypeError(
      `operation type ${definition.type}: onDelete ${JSON.stringify(onDelete)} is none of ${deleteRules.join(", ")}`,
    );
  }
  return {
    cancel: {
      cancellable: definition.cancellable ?? true,
      graceMs: read("graceMs"),
      criticalMs: read("criticalMs"),
      cleanupMs: read("cleanupMs"),
      killMs: read("killMs"),
    },
    maxAttempts: read("maxAttempts"),
    backoffMs: read("backoffMs"),
    backoffMaxMs: read("backoffMaxMs"),
    attemptTimeoutMs: read("attemptTimeoutMs"),
    stallTimeoutMs: read("stallTimeoutMs"),
    retentionMs: read("retentionMs"),
    onDelete,
    typeLimit: read("typeLimit"),
    keyLimit: read("keyLimit"),
    unwatchedMs: read("unwatchedMs"),
  };
}

function numberOf(definition: OperationDefinition, field: PolicyNumber): number {
  const value = definition[field] ?? policyLimits[field].default;
  const problem = limitProblem(value, policyLimits[field]);
  if (problem === null) return value;
  throw new TypeError(`operation type ${definition.type}: ${field} ${value} ${problem}`);
}
