// Parents and children: what a parent's record keeps of its children, and what the end of one means to it.
// Which operations are whose is for src/engine/batch/ to follow; here is one record at a time.
import type { Instant } from "../../base/clock.ts";
import { StatusCode } from "../../base/status-code.ts";
import type { ChildEndedCommand, ParentAttempt, Refusal } from "../commands.ts";
import {
  type ChildCounts,
  type ChildPolicy,
  isDone,
  type OperationRecord,
  type ParentLink,
  type ReceiptEvent,
} from "../operation.ts";
import { accept, fence, refuse, type Transition, touched, unchanged } from "./change.ts";
import { settled } from "./settle.ts";
import { isAwaitingChildren } from "./stop.ts";

/** Children of one operation; operations above one another, the first included; parents of a shared child. */
export const childLimits = { children: 1000, generations: 16, parents: 16 } as const;

/** The link that a child keeps of the attempt that starts it. */
export function linkTo({ key, policy }: ParentAttempt): ParentLink {
  return { service: key.service, name: key.name, policy, detached: false };
}

/** Why this attempt may start no child, or null. An operation takes children while it runs, and only from its own attempt. */
export function closedToChildren(
  parent: OperationRecord,
  attempt: Pick<ParentAttempt, "session" | "token">,
): Refusal | null {
  if (isDone(parent.state)) return refuse(parent, "PARENT_CLOSED");
  const refusal = fence(parent, attempt);
  if (refusal) return refusal;
  return parent.state === "RUNNING" ? null : refuse(parent, "PARENT_CLOSED");
}

/** The longest time from a cancel of the parent to the end of this child and its own children, in milliseconds. */
export function childStopMs(child: OperationRecord, policy: ChildPolicy, now: Instant): number {
  if (policy === "abandon") return 0;
  const { graceMs, criticalMs, cleanupMs, killMs } = child.policy.cancel;
  const stopMs = Math.max(graceMs + criticalMs + cleanupMs + killMs, child.children?.stopMs ?? 0);
  // A child that is waited for is not told: it may use up its own time first.
  const runMs = policy === "wait" && child.deadline !== null ? (child.deadline - now) / 1000 : 0;
  return Math.max(0, Math.ceil(runMs)) + stopMs;
}

const noChildren: ChildCounts = { started: 0, awaited: 0, unconfirmed: 0, stopMs: 0 };

/** The parent with one child more. */
export function withChild(
  parent: OperationRecord,
  child: OperationRecord,
  policy: ChildPolicy,
  now: Instant,
): OperationRecord {
  const { started, awaited, unconfirmed, stopMs } = parent.children ?? noChildren;
  const children: ChildCounts = {
    ...parent.children,
    started: started + 1,
    awaited: awaited + (policy === "abandon" ? 0 : 1),
    unconfirmed,
    stopMs: Math.max(stopMs, childStopMs(child, policy, now)),
  };
  return { ...parent, ...touched(parent, now), children };
}

/** True when an operation and all that it awaits have ended: what its own parents wait for. */
export function isSettled({ state, children }: OperationRecord): boolean {
  return isDone(state) && (children?.awaited ?? 0) === 0;
}

/** True if nobody knows whether all work of a settled operation has stopped. */
export function mayStillRun({ held, children }: OperationRecord): boolean {
  return held !== null || (children?.unconfirmed ?? 0) > 0;
}

/** How many unconfirmed children are named, and how long all of their names may be: the counts are part of the hot row. */
const namedMax = { children: 3, characters: 600 } as const;

function namesAfter(names: readonly string[], { child, ...command }: ChildEndedCommand): readonly string[] {
  if (command.wasUnconfirmed && !command.unconfirmed) return names.filter((name) => name !== child.name);
  if (!command.unconfirmed || names.includes(child.name) || names.length >= namedMax.children) return names;
  const all = [...names, child.name];
  return all.join("").length > namedMax.characters ? names : all;
}

function countsAfter(children: ChildCounts, command: ChildEndedCommand): ChildCounts {
  const { awaited, unconfirmed, unconfirmedNames: known = [], ...rest } = children;
  const unconfirmedNames = namesAfter(known, command);
  return {
    ...rest,
    ...(unconfirmedNames.length > 0 && { unconfirmedNames }),
    awaited: command.wasUnconfirmed ? awaited : awaited - 1,
    unconfirmed: unconfirmed + (command.unconfirmed ? 1 : 0) - (command.wasUnconfirmed ? 1 : 0),
  };
}

function childDetail({ child, outcome, unconfirmed, wasUnconfirmed }: ChildEndedCommand): string {
  if (outcome === "DETACHED") return `${child.name} left alone: others want it`;
  if (wasUnconfirmed) return `${child.name} is known to have stopped, after all`;
  return `${child.name} ended ${outcome}${unconfirmed ? ", its stop is not confirmed" : ""}`;
}

/** Ended with its own stop confirmed, and not that of its children. */
function isUnconfirmedByChildren({ state, cancel, outcome }: OperationRecord): boolean {
  const code = outcome?.kind === "error" ? outcome.status.code : null;
  // With evidence set, the code is ours: CANCELLED, DEADLINE_EXCEEDED or this.
  const isOurs = cancel !== null && cancel.evidence !== null && cancel.stopConfirmedTime === null;
  return isOurs && state === "FAILED" && code === StatusCode.UNKNOWN;
}

/**
 * A child has ended or was detached. A parent whose own work stopped ends with its last child; one that has ended
 * already keeps its result (S1), and its receipt learns of it.
 */
export function childEnded(record: OperationRecord, command: ChildEndedCommand, now: Instant): Transition {
  if (record.children === null) return unchanged(record);
  const children = countsAfter(record.children, command);
  const next = { ...record, children };
  const receipt: ReceiptEvent[] = record.cancel
    ? [{ time: now, kind: "CHILD", detail: childDetail(command), by: "" }]
    : [];
  const isLast = children.awaited === 0;
  if (isLast && isAwaitingChildren(record)) return settled(next, now, { receipt });
  if (isLast && children.unconfirmed === 0 && record.cancel && isUnconfirmedByChildren(record)) {
    const cancel = { ...record.cancel, stopConfirmedTime: now };
    receipt.push({ time: now, kind: "CONFIRMED_LATER", detail: "all children have stopped", by: "" });
    return accept({ ...next, ...touched(record, now), cancel }, { visible: true, receipt });
  }
  return accept(next, { visible: false, receipt });
}
