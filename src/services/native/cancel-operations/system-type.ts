// The operation types that are the server's own. Their names begin with `belay.`: no caller starts them by type, and no
// worker serves them.
import type { OperationPolicy } from "../../../engine/operation.ts";

const SYSTEM_PREFIX = "belay.";

/** The type of the operations that CancelOperations makes. */
export const CANCEL_OPERATIONS_TYPE = "belay.cancel-operations";

/** True for the server's own types. */
export function isSystemType(type: string): boolean {
  return type.startsWith(SYSTEM_PREFIX);
}

const SECOND_MS = 1000;
const DAY_MS = 86_400 * SECOND_MS;

/**
 * It runs again after every restart of the server, from its checkpoint. A cancel of it waits for the batch under way:
 * 10,000 cancels take some seconds.
 */
export const cancelOperationsPolicy: OperationPolicy = {
  cancel: { cancellable: true, graceMs: 30 * SECOND_MS, criticalMs: 0, cleanupMs: 0, killMs: 5 * SECOND_MS },
  maxAttempts: 100,
  backoffMs: 200,
  backoffMaxMs: 30 * SECOND_MS,
  attemptTimeoutMs: DAY_MS,
  stallTimeoutMs: 0,
  retentionMs: 30 * DAY_MS,
  onDelete: "keep",
  typeLimit: 0,
  keyLimit: 0,
  unwatchedMs: 0,
};
