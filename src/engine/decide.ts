// decide: folds a batch of commands over what the store read, and answers the rows to write. Pure, like `transition`.
// Later commands of a batch see what earlier ones did. The store runs it inside its transaction.
import type { Instant } from "../base/clock.ts";
import { Fold } from "./batch/fold.ts";
import { acquire, closeSession, expireSessions, heartbeat, openSession } from "./batch/session-commands.ts";
import { startOperation } from "./batch/start-operation.ts";
import { sweepChildren } from "./batch/sweep-children.ts";
import type { Command, CommandOutcome, OperationCommand } from "./commands.ts";
import type { Decision, ReadSet } from "./decision.ts";
import type { OperationKey, OperationRecord } from "./operation.ts";

/**
 * Runs a batch in order at one instant. Each command gets its own outcome; a refused one changes nothing and does
 * not stop the others. Needs in the read set what its own comment says.
 */
export function decide(readSet: ReadSet, commands: readonly Command[], now: Instant): Decision {
  const fold = new Fold(readSet, now);
  const outcomes = commands.map((command, index) => run(fold, command, index));
  return fold.decision(outcomes);
}

function run(fold: Fold, command: Command, index: number): CommandOutcome {
  switch (command.type) {
    case "start":
      return startOperation(fold, command, index);
    case "openSession":
      return openSession(fold, command);
    case "heartbeat":
      return heartbeat(fold, command);
    case "closeSession":
      return closeSession(fold, command, index);
    case "expireSessions":
      return expireSessions(fold, command, index);
    case "acquire":
      return acquire(fold, command, index);
    case "tickDue":
      return settled(fold, fold.targets(index), (key) => ({ type: "tick", key }));
    case "sweepChildren":
      return { type: "settled", count: sweepChildren(fold, index, command.limit) };
    case "restartWatch": {
      const { before } = command;
      const isBefore = (record: OperationRecord | null): boolean =>
        record?.watchDeadline != null && record.watchDeadline < before;
      const keys = fold.targets(index).filter((key) => isBefore(fold.find(key)));
      return settled(fold, keys, (key) => ({ type: "watched", key }));
    }
    default:
      return fold.applyAudited(command);
  }
}

/** Runs one command on each target; answers how many were changed. */
function settled(
  fold: Fold,
  targets: readonly OperationKey[],
  make: (key: OperationKey) => OperationCommand,
): CommandOutcome {
  let count = 0;
  for (const key of targets) {
    const before = fold.find(key);
    if (before === null) continue;
    fold.apply(make(key));
    if (fold.find(key) !== before) count++;
  }
  return { type: "settled", count };
}
