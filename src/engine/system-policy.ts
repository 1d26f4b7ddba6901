// What the server's own operations have in common: they run again after every restart of it, and nothing limits them.
import type { OperationPolicy } from "./operation.ts";

const SECOND_MS = 1000;
const DAY_MS = 86_400 * SECOND_MS;

/** How often, and how soon, one is tried again is its type's to say. */
export const systemPolicy: Omit<OperationPolicy, "maxAttempts" | "backoffMs" | "backoffMaxMs"> = {
  cancel: { cancellable: true, graceMs: 30 * SECOND_MS, criticalMs: 0, cleanupMs: 0, killMs: 5 * SECOND_MS },
  attemptTimeoutMs: DAY_MS,
  stallTimeoutMs: 0,
  retentionMs: 30 * DAY_MS,
  onDelete: "keep",
  typeLimit: 0,
  keyLimit: 0,
  unwatchedMs: 0,
};
