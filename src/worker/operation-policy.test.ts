import assert from "node:assert/strict";
import { test } from "node:test";
import { policyLimits } from "../base/policy-limits.ts";
import type { OperationPolicy } from "../engine/operation.ts";
import { defineOperation, type OperationOptions } from "./define-operation.ts";
import { policyOf } from "./operation-policy.ts";

function policyFor(options: OperationOptions): OperationPolicy {
  // The assignment also holds the two shapes equal at compile time.
  return policyOf(defineOperation({ type: "a.b", ...options }, async () => undefined));
}

test("an operation without options has the documented defaults", () => {
  assert.deepEqual(policyFor({}), {
    cancel: { cancellable: true, graceMs: 10_000, criticalMs: 0, cleanupMs: 0, killMs: 5_000 },
    maxAttempts: 1,
    backoffMs: 1_000,
    backoffMaxMs: 60_000,
    attemptTimeoutMs: 3_600_000,
    stallTimeoutMs: 0,
    retentionMs: 30 * 86_400_000,
    onDelete: "keep",
    typeLimit: 0,
    keyLimit: 0,
    unwatchedMs: 0,
  });
});

for (const [field, { min, max, zeroIsNone = false }] of Object.entries(policyLimits)) {
  test(`${field} is taken from ${min} to ${max} and refused beyond, by name, value and limit`, () => {
    for (const value of [min, max, ...(zeroIsNone ? [0] : [])]) policyFor({ [field]: value });
    const refused = [min - 1, max + 1, min + 0.5, Number.NaN, Number.POSITIVE_INFINITY];
    for (const value of refused.filter((each) => !zeroIsNone || each !== 0)) {
      const limits = `from ${min} to ${max}${zeroIsNone ? ", or 0 for none" : ""}`;
      const message = `operation type a.b: ${field} ${value} is not a whole number ${limits}`;
      assert.throws(() => policyFor({ [field]: value }), new TypeError(message));
    }
  });
}

test("an unknown onDelete is refused", () => {
  const options = { onDelete: "drop" } as unknown as OperationOptions;
  assert.throws(
    () => policyFor(options),
    new TypeError('operation type a.b: onDelete "drop" is none of keep, cancel, refuse'),
  );
});
