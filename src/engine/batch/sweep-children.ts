// What the cancel or the end of a parent means to its live children: told to stop, told to hurry, or left to the others that
// want them.
import type { CancelCommand } from "../commands.ts";
import {
  type CancelRequest,
  isDone,
  isGentler,
  type OperationRecord,
  type ParentLink,
  type Urgency,
  urgencyOf,
} from "../operation.ts";
import { touched } from "../transitions/change.ts";
import type { Fold } from "./fold.ts";

/** Reasons are stored with every cancel, and a chain of causes must not outgrow them: 1024 characters, as callers may send. */
const REASON_MAX = 1024;

/** A reason made by a rule, within the limit of reasons. */
export function reasonText(text: string): string {
  return text.length <= REASON_MAX ? text : text.slice(0, REASON_MAX).toWellFormed();
}

function isClosed(parent: OperationRecord | null): boolean {
  return parent === null || parent.state === "CANCELLING" || isDone(parent.state);
}

/** Sweeps up to `limit` of the children that the store found; answers how many it changed. */
export function sweepChildren(fold: Fold, index: number, limit: number): number {
  let count = 0;
  for (const key of fold.targets(index)) {
    if (count >= limit) break;
    const child = fold.find(key);
    if (child !== null && sweep(fold, child)) count++;
  }
  return count;
}

function sweep(fold: Fold, child: OperationRecord): boolean {
  if (isDone(child.state)) return false;
  const live = child.parents.filter((link) => !link.detached);
  const closing = live.filter((link) => link.policy === "cancel" && isClosed(fold.findParent(child, link)));
  const { cancel } = child;
  const telling =
    cancel === null ? closing : closing.filter((link) => isGentler(cancel, urgencyIn(fold, child, link)));
  if (telling.length === 0) return false;
  // A parent that said abandon or wait wants its child to run on, whatever becomes of it.
  const isWanted = child.hasOwnCaller || live.length > closing.length;
  if (isWanted) detach(fold, child, telling);
  else if (cancel === null) tell(fold, child, telling);
  else urge(fold, child, cancel, telling);
  return true;
}

function urgencyIn(fold: Fold, child: OperationRecord, link: ParentLink): Urgency {
  return urgencyOf(fold.findParent(child, link) ?? { cancel: null, policy: child.policy });
}

/** Of several parents the most urgent. */
function jointUrgency(fold: Fold, child: OperationRecord, links: readonly ParentLink[]): Urgency {
  const all = links.map((link) => urgencyIn(fold, child, link));
  const ends = all.flatMap(({ graceEndTime }) => graceEndTime ?? []);
  const force = all.some((urgency) => urgency.force);
  return { force, graceEndTime: force || ends.length === 0 ? null : Math.min(...ends) };
}

function detach(fold: Fold, child: OperationRecord, closing: readonly ParentLink[]): void {
  const parents = child.parents.map((link) => (closing.includes(link) ? { ...link, detached: true } : link));
  fold.put(child, { ...child, ...touched(child, fold.now), parents }, { visible: true });
  for (const link of closing) {
    const parent = fold.findParent(child, link);
    if (parent === null) continue;
    fold.apply({
      type: "childEnded",
      key: { service: parent.service, tenant: parent.tenant, name: parent.name },
      child: { service: child.service, name: child.name },
      outcome: "DETACHED",
      unconfirmed: false,
      wasUnconfirmed: false,
    });
  }
}

function causeText(parent: OperationRecord | null, { name }: ParentLink): string {
  const cancel = parent?.cancel ?? null;
  if (cancel === null) return `parent ${name} has ended`;
  if (cancel.cause === "deadline") return `the deadline of parent ${name} has passed`;
  return `parent ${name} was cancelled${cancel.reason === "" ? "" : `: ${cancel.reason}`}`;
}

/** Says on the receipts of parents what became of their child. */
function noteParents(
  fold: Fold,
  child: OperationRecord,
  links: readonly ParentLink[],
  said: (parent: OperationRecord) => string,
): void {
  for (const link of links) {
    const parent = fold.findParent(child, link);
    if (parent !== null)
      fold.note(parent, { time: fold.now, kind: "CHILD", detail: `${child.name} ${said(parent)}`, by: "" });
  }
}

/** Cancels the child in the name of whoever cancelled its parent, and says so on the parents' receipts first. */
function tell(fold: Fold, child: OperationRecord, closing: readonly ParentLink[]): void {
  noteParents(fold, child, closing, () => "told to stop");
  const first = closing.find((link) => urgencyIn(fold, child, link).force) ?? closing[0];
  if (first === undefined) return;
  const parent = fold.findParent(child, first);
  const by: Partial<CancelRequest> = parent?.cancel ?? {};
  const { force, graceEndTime } = jointUrgency(fold, child, closing);
  const leftMs = graceEndTime === null ? null : Math.max(0, graceEndTime - fold.now) / 1000;
  cancelBelow(fold, child, {
    requestedBy: by.requestedBy ?? "",
    onBehalfOf: by.onBehalfOf ?? "",
    force,
    reason: reasonText(causeText(parent, first)),
    graceMs: leftMs === null ? null : Math.min(child.policy.cancel.graceMs, leftMs),
  });
}

/**
 * Passes on that the cancel of a parent got stricter, or was so when this child was being cancelled already. In nobody's
 * name: the parent's record keeps who asked first, and its receipt tells who asked for more.
 */
function urge(
  fold: Fold,
  child: OperationRecord,
  cancel: CancelRequest,
  telling: readonly ParentLink[],
): void {
  noteParents(fold, child, telling, (parent) =>
    parent.cancel?.force ? "told to stop by force" : "told to stop within the shorter grace",
  );
  const { force, graceEndTime } = jointUrgency(fold, child, telling);
  const names = telling.map(({ name }) => name).join(", ");
  cancelBelow(fold, child, {
    requestedBy: "",
    onBehalfOf: "",
    force,
    reason: reasonText(
      force ? `parent ${names} is stopped by force` : `the grace of parent ${names} is shorter`,
    ),
    // To the very end of the parent's grace, passed or not: so the child is found by no later sweep.
    graceMs: graceEndTime === null ? null : (Math.max(graceEndTime, cancel.requestTime) - fold.now) / 1000,
  });
}

function cancelBelow(
  fold: Fold,
  { service, tenant, name }: OperationRecord,
  ask: Pick<CancelCommand, "requestedBy" | "onBehalfOf" | "force" | "reason" | "graceMs">,
): void {
  fold.apply({
    ...ask,
    type: "cancel",
    key: { service, tenant, name },
    cause: "parent",
    requestId: "",
    ifRevision: null,
    origin: "parent",
    includeDeleted: true,
  });
}
