// start: nothing -> PENDING.
import type { Instant } from "../../base/clock.ts";
import type { Refusal, StartCommand } from "../commands.ts";
import type { OperationRecord, Payload, PayloadKind } from "../operation.ts";
import { accept, refuse, type Transition } from "./change.ts";
import { linkTo } from "./children.ts";
import { watchDeadlineFrom } from "./watch.ts";

/** Creates a pending operation. A name that exists is refused: names are never reused (S18). Its parent is not looked at here. */
export function start(
  record: OperationRecord | null,
  command: StartCommand,
  now: Instant,
): Transition | Refusal {
  if (record !== null) return refuse(record, "ALREADY_EXISTS");
  const payloads: { kind: PayloadKind; payload: Payload }[] = [];
  if (command.request) payloads.push({ kind: "request", payload: command.request });
  if (command.metadata) payloads.push({ kind: "metadata", payload: command.metadata });
  return accept(
    {
      ...command.key,
      id: command.id,
      parent: command.parent,
      type: command.operationType,
      state: "PENDING",
      revision: 1,
      createTime: now,
      updateTime: now,
      createdBy: command.createdBy,
      description: command.description,
      policy: command.policy,
      priority: command.priority,
      concurrencyKey: command.concurrencyKey,
      supersedeKey: command.supersedeKey,
      rerunOf: command.rerunOf,
      watchDeadline: watchDeadlineFrom(now, command.policy),
      parents: command.parentAttempt ? [linkTo(command.parentAttempt)] : [],
      hasOwnCaller: command.parentAttempt === null,
      children: null,
      startAfter: Math.max(now, command.startAfter),
      deadline: command.deadline,
      attempt: 0,
      leaseToken: 0,
      lease: null,
      held: null,
      attemptStartTime: null,
      activityTime: null,
      progress: null,
      cancel: null,
      outcome: null,
      doneTime: null,
      deleteTime: null,
    },
    { visible: true, payloads },
  );
}
