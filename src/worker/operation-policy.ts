// policyOf: the timing and retry of a declared type as plain data, defaults filled in and limits checked. The engine
// stores such a policy with each operation; this file knows its shape, not the engine.
import type { OperationDefinition } from "./define-operation.ts";

/** A type's policy; the same shape as the engine's OperationPolicy. Durations in milliseconds. */
export interface DefinedPolicy {
  cancel: { cancellable: boolean; graceMs: number; criticalMs: number; cleanupMs: number; killMs: number };
  maxAttempts: number;
  backoffMs: number;
  backoffMaxMs: number;
  attemptTimeoutMs: number;
  stallTimeoutMs: number;
  retentionMs: number;
  onDelete: "keep" | "cancel" | "refuse";
}

type PolicyNumber =
  | "graceMs"
  | "killMs"
  | "maxAttempts"
  | "backoffMs"
  | "backoffMaxMs"
  | "attemptTimeoutMs"
  | "stallTimeoutMs"
  | "retentionMs";

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

/** Default and limits of every number, as documented at OperationOptions. */
export const policyLimits: Readonly<Record<PolicyNumber, { default: number; min: number; max: number }>> = {
  graceMs: { default: 10_000, min: 0, max: 10 * MINUTE_MS },
  killMs: { default: 5_000, min: 100, max: MINUTE_MS },
  maxAttempts: { default: 1, min: 1, max: 100 },
  backoffMs: { default: 1_000, min: 0, max: HOUR_MS },
  backoffMaxMs: { default: MINUTE_MS, min: 0, max: DAY_MS },
  attemptTimeoutMs: { default: HOUR_MS, min: 100, max: 7 * DAY_MS },
  stallTimeoutMs: { default: 0, min: 0, max: 7 * DAY_MS },
  retentionMs: { default: 30 * DAY_MS, min: 1_000, max: 3_650 * DAY_MS },
};

const deleteRules: readonly string[] = ["keep", "cancel", "refuse"];

/**
 * The policy of a definition. Throws a TypeError that names the type, the field, the value and its limits for a
 * number that is not whole or out of its limits, or an unknown `onDelete`.
 */
export function policyOf(definition: OperationDefinition): DefinedPolicy {
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
      criticalMs: 0,
      cleanupMs: 0,
      killMs: read("killMs"),
    },
    maxAttempts: read("maxAttempts"),
    backoffMs: read("backoffMs"),
    backoffMaxMs: read("backoffMaxMs"),
    attemptTimeoutMs: read("attemptTimeoutMs"),
    stallTimeoutMs: read("stallTimeoutMs"),
    retentionMs: read("retentionMs"),
    onDelete,
  };
}

function numberOf(definition: OperationDefinition, field: PolicyNumber): number {
  const limit = policyLimits[field];
  const value = definition[field] ?? limit.default;
  if (Number.isInteger(value) && value >= limit.min && value <= limit.max) return value;
  throw new TypeError(
    `operation type ${definition.type}: ${field} ${value} is not a whole number from ${limit.min} to ${limit.max}`,
  );
}
