// The operation types that are the server's own. Their names begin with `belay.`: no caller starts them by type, and no
// worker serves them.

import type { OperationPolicy } from "../../../engine/operation.ts";
import { systemPolicy } from "../../../engine/system-policy.ts";

const SYSTEM_PREFIX = "belay.";

/** The type of the operations that CancelOperations makes. */
export const CANCEL_OPERATIONS_TYPE = "belay.cancel-operations";

/** True for the server's own types. */
export function isSystemType(type: string): boolean {
  return type.startsWith(SYSTEM_PREFIX);
}

/**
 * It runs again after every restart of the server, from its checkpoint. A cancel of it waits for the batch under way:
 * 10,000 cancels take some seconds.
 */
export const cancelOperationsPolicy: OperationPolicy = {
  ...systemPolicy,
  maxAttempts: 100,
  backoffMs: 200,
  backoffMaxMs: 30_000,
};
