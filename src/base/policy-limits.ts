// How operations run, in numbers: default and limits of each. The one table for what a handler declares, what a remote
// worker says of its types, and what a start may ask for.

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

/** The numbers of a policy. Those that end in Ms are durations in milliseconds. */
export type PolicyNumber =
  | "graceMs"
  | "criticalMs"
  | "cleanupMs"
  | "killMs"
  | "maxAttempts"
  | "backoffMs"
  | "backoffMaxMs"
  | "attemptTimeoutMs"
  | "stallTimeoutMs"
  | "retentionMs"
  | "typeLimit"
  | "keyLimit"
  | "unwatchedMs";

/** How operations of a type run; the same shape as the engine's OperationPolicy. Durations in milliseconds. */
export interface DeclaredPolicy {
  cancel: { cancellable: boolean; graceMs: number; criticalMs: number; cleanupMs: number; killMs: number };
  maxAttempts: number;
  backoffMs: number;
  backoffMaxMs: number;
  attemptTimeoutMs: number;
  stallTimeoutMs: number;
  retentionMs: number;
  onDelete: "keep" | "cancel" | "refuse";
  /** 0 is no limit, and so is a keyLimit of 0; an unwatchedMs of 0 is never. */
  typeLimit: number;
  keyLimit: number;
  unwatchedMs: number;
}

/** A whole number from `min` to `max`. */
export interface PolicyLimit {
  default: number;
  min: number;
  max: number;
  /** 0 is taken, too, and means that there is none: no limit, no timeout. */
  zeroIsNone?: true;
}

/** Every number of a type's policy; as documented at OperationOptions of the worker and TypePolicy of belay.v1. */
export const policyLimits: Readonly<Record<PolicyNumber, PolicyLimit>> = {
  graceMs: { default: 10_000, min: 0, max: 10 * MINUTE_MS },
  criticalMs: { default: 0, min: 0, max: 10 * MINUTE_MS },
  cleanupMs: { default: 0, min: 0, max: 10 * MINUTE_MS },
  killMs: { default: 5_000, min: 100, max: MINUTE_MS },
  maxAttempts: { default: 1, min: 1, max: 100 },
  backoffMs: { default: 1_000, min: 0, max: HOUR_MS },
  backoffMaxMs: { default: MINUTE_MS, min: 0, max: DAY_MS },
  attemptTimeoutMs: { default: HOUR_MS, min: 100, max: 7 * DAY_MS },
  stallTimeoutMs: { default: 0, min: 0, max: 7 * DAY_MS },
  retentionMs: { default: 30 * DAY_MS, min: 1_000, max: 3_650 * DAY_MS },
  typeLimit: { default: 0, min: 1, max: 10_000, zeroIsNone: true },
  keyLimit: { default: 0, min: 1, max: 10_000, zeroIsNone: true },
  unwatchedMs: { default: 0, min: 1_000, max: 30 * DAY_MS, zeroIsNone: true },
};

/** What only a start has. */
export const startLimits: Readonly<Record<"priority" | "startDelayMs", PolicyLimit>> = {
  priority: { default: 0, min: -100, max: 100 },
  startDelayMs: { default: 0, min: 0, max: 365 * DAY_MS },
};

/** What is wrong with a value, in words that name the limits: "is not a whole number from 1 to 100"; null if it fits. */
export function limitProblem(value: number, { min, max, zeroIsNone }: PolicyLimit): string | null {
  if (Number.isInteger(value) && value >= min && value <= max) return null;
  if (zeroIsNone && value === 0) return null;
  return `is not a whole number from ${min} to ${max}${zeroIsNone ? ", or 0 for none" : ""}`;
}
