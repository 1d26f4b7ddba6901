// StartOptions as the message that goes to the server. An absent option is an absent field: the type's value counts.
import type { MessageInitShape } from "@bufbuild/protobuf";
import { type Duration, durationFromMs, timestampFromDate } from "@bufbuild/protobuf/wkt";
import { RpcError } from "../base/rpc-error.ts";
import type { StartOperationRequestSchema } from "../protocol/gen/belay/v1/operations_pb.ts";
import type { RunPolicySchema } from "../protocol/gen/belay/v1/policies_pb.ts";
import { checkJsonLimits } from "../protocol/json-limits.ts";
import { BelayError } from "./belay-error.ts";
import type { RunOptions, StartFields } from "./call-options.ts";

/** The request of a start. */
export function startMessage(
  type: string,
  fields: StartFields,
): MessageInitShape<typeof StartOperationRequestSchema> {
  const { payload, deadline, graceMs, cancellable, keyLimit, startDelayMs, unwatchedTimeoutMs } = fields;
  if (payload) checkJson(payload);
  const hasCancelPolicy = graceMs !== undefined || cancellable !== undefined;
  const runPolicy = runPolicyOf(fields);
  return {
    type,
    ...(payload && { payload }),
    requestId: fields.requestId ?? "",
    labels: fields.labels ?? {},
    description: fields.description ?? "",
    parent: fields.parent ?? "",
    ...(deadline && { deadline: timestampFromDate(deadline) }),
    ...(hasCancelPolicy && {
      cancelPolicy: {
        ...(cancellable !== undefined && { cancellable }),
        ...(graceMs !== undefined && { grace: durationOf(graceMs) }),
      },
    }),
    priority: fields.priority ?? 0,
    ...(startDelayMs !== undefined && { startDelay: durationOf(startDelayMs) }),
    concurrencyKey: fields.concurrencyKey ?? "",
    ...(keyLimit !== undefined && { keyLimit }),
    supersedeKey: fields.supersedeKey ?? "",
    ...(unwatchedTimeoutMs !== undefined && { unwatchedTimeout: durationOf(unwatchedTimeoutMs) }),
    ...(Object.keys(runPolicy).length > 0 && { runPolicy }),
  };
}

/** How much of it is allowed is the server's to say. */
const anySize = { depthMax: 10_000, keysMax: Number.POSITIVE_INFINITY, bytesMax: Number.POSITIVE_INFINITY };

/** What JSON cannot carry would be left out without a word: a bigint, a Date. */
function checkJson(payload: object): void {
  try {
    checkJsonLimits(payload, "payload", anySize);
  } catch (error) {
    if (!(error instanceof RpcError)) throw error;
    throw new BelayError(error.message, { code: "INVALID_ARGUMENT", reason: error.reason });
  }
}

/** Milliseconds, whole ones, as a Duration. */
export function durationOf(durationMs: number): Duration {
  return durationFromMs(Math.round(durationMs));
}

function runPolicyOf(run: RunOptions): MessageInitShape<typeof RunPolicySchema> {
  return {
    ...(run.maxAttempts !== undefined && { maxAttempts: run.maxAttempts }),
    ...(run.backoffMs !== undefined && { backoff: durationOf(run.backoffMs) }),
    ...(run.backoffMaxMs !== undefined && { backoffMax: durationOf(run.backoffMaxMs) }),
    ...(run.attemptTimeoutMs !== undefined && { attemptTimeout: durationOf(run.attemptTimeoutMs) }),
    ...(run.stallTimeoutMs !== undefined && { stallTimeout: durationOf(run.stallTimeoutMs) }),
    ...(run.retentionMs !== undefined && { retention: durationOf(run.retentionMs) }),
  };
}
