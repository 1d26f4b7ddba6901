// What of a commit is news to a session's worker.
import type { RefusalReason } from "./commands.ts";
import type { CancelRequest } from "./operation.ts";

/** True if a worker that knows `told` must hear of this one: later cancels can only be stricter (G3, G4). */
export function isStricter(cancel: CancelRequest, told: CancelRequest): boolean {
  return (
    cancel.graceEndTime < told.graceEndTime ||
    cancel.deadline < told.deadline ||
    (cancel.force && !told.force)
  );
}

/** What a refused session is told: its lease has passed, or another node has it. */
export function whyLost(reason: RefusalReason): "expired" | "replaced" {
  return reason === "SESSION_MOVED" ? "replaced" : "expired";
}
