// What the cancel or end of a parent means to its children, as both stores note it for the sweep.
import { keyText } from "../engine/decision.ts";
import { isGentler, type OperationRecord, type ParentLink, urgencyOf } from "../engine/operation.ts";

/** Cancelling or done: it takes no children, and what it had is to stop. */
export function isClosed({ cancel, doneTime }: OperationRecord): boolean {
  return cancel !== null || doneTime !== null;
}

/** True if children are to be told nothing new of their parent's cancel. */
export function isAsUrgent(before: OperationRecord, after: OperationRecord): boolean {
  const [old, now] = [urgencyOf(before), urgencyOf(after)];
  return old.force === now.force && old.graceEndTime === now.graceEndTime;
}

/** The closed parents of a child whose cancel is gentler than theirs asks for. */
export function pressingLinks(
  { tenant, cancel, doneTime, parents }: OperationRecord,
  find: (key: string) => OperationRecord | undefined,
): ParentLink[] {
  if (cancel === null || doneTime !== null || cancel.force) return [];
  return parents.filter(({ service, name, policy, detached }) => {
    const parent = detached || policy !== "cancel" ? undefined : find(keyText({ service, tenant, name }));
    return parent !== undefined && isClosed(parent) && isGentler(cancel, urgencyOf(parent));
  });
}
