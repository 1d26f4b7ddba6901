// The state machine of one operation: pure, total over every (state, command). No await, no clock, no store.
// The search, the transcripts and production all run this function; docs/internals/state-machine.md is generated from it.
import { unreachable } from "../base/assert.ts";
import type { Instant } from "../base/clock.ts";
import type { OperationCommand, Refusal } from "./commands.ts";
import type { OperationRecord } from "./operation.ts";
import { cancelOperation, deleteOperation } from "./transitions/cancel.ts";
import type { Transition } from "./transitions/change.ts";
import { childEnded } from "./transitions/children.ts";
import { assign, begin, expireLease, giveBack, release } from "./transitions/lease.ts";
import { openEnd } from "./transitions/open-end.ts";
import { override } from "./transitions/override.ts";
import { complete, fail, storeCheckpoint, storeProgress } from "./transitions/report.ts";
import { start } from "./transitions/start.ts";
import { cancelPhase, stopped } from "./transitions/stop.ts";
import { tick } from "./transitions/tick.ts";
import { watched } from "./transitions/watch.ts";

export type { Transition } from "./transitions/change.ts";

/**
 * Applies one command to one operation (null: there is none) at an instant.
 * Answers the new record with its reply and effects, or a refusal that changes nothing. Never throws for any input
 * of the right shape; an accepted command that has nothing to do answers the same record with `changed: false`.
 */
export function transition(
  record: OperationRecord | null,
  command: OperationCommand,
  now: Instant,
): Transition | Refusal {
  if (command.type === "start") return start(record, command, now);
  if (record === null) return { type: "refused", reason: "NOT_FOUND", record: null };
  switch (command.type) {
    case "assign":
      return assign(record, command, now);
    case "begin":
      return begin(record, command, now);
    case "return":
      return giveBack(record, command);
    case "release":
      return release(record, command, now);
    case "progress":
      return storeProgress(record, command, now);
    case "checkpoint":
      return storeCheckpoint(record, command, now);
    case "cancelPhase":
      return cancelPhase(record, command, now);
    case "complete":
      return openEnd(record, command, now, complete(record, command, now));
    case "fail":
      return openEnd(record, command, now, fail(record, command, now));
    case "stopped":
      return stopped(record, command, now);
    case "cancel":
      return cancelOperation(record, command, now);
    case "delete":
      return deleteOperation(record, command, now);
    case "expireLease":
      return expireLease(record, command, now);
    case "override":
      return override(record, command, now);
    case "watched":
      return watched(record, now);
    case "childEnded":
      return childEnded(record, command, now);
    case "tick":
      return tick(record, now);
    default:
      return unreachable(command);
  }
}
