// start, over a batch: request ids, children and their limits, superseding.
import type { CommandOutcome, ParentAttempt, Refusal, StartCommand } from "../commands.ts";
import { keyText } from "../decision.ts";
import { isDone, type OperationKey, type OperationRecord } from "../operation.ts";
import { askedByRule } from "../transitions/cancel-request.ts";
import { touched } from "../transitions/change.ts";
import { childLimits, childStopMs, closedToChildren, linkTo, withChild } from "../transitions/children.ts";
import type { Fold } from "./fold.ts";
import { reasonText } from "./sweep-children.ts";

/**
 * A request id that was used answers the operation it made, whatever became of it (AIP-155); never a second one (S4).
 * A child is first fenced by its parent's attempt, and is its parent's creator's.
 */
export function startOperation(fold: Fold, command: StartCommand, index: number): CommandOutcome {
  const attempt = command.parentAttempt;
  const parent = attempt === null ? null : fold.find(attempt.key);
  if (attempt !== null && (parent === null || parent.tenant !== command.key.tenant))
    return { type: "refused", reason: "NOT_FOUND", record: null };
  const closed = attempt !== null && parent !== null ? closedToChildren(parent, attempt) : null;
  const known = knownOperation(fold, command);
  if (known?.type === "refused") return known;
  if (known?.type === "operation") return repeatedStart(fold, command, known.record, parent, closed);
  if (closed !== null) return closed;
  return parent === null ? startNew(fold, command, index) : startChild(fold, command, index, parent);
}

/** The operation that this request id has made, if it was used. */
function knownOperation(fold: Fold, { key, requestKey }: StartCommand): CommandOutcome | null {
  if (requestKey === null) return null;
  const { service, tenant } = key;
  const known = fold.findRequest({ service, tenant, ...requestKey });
  if (known === null) return null;
  const record = fold.find({ service, tenant, name: known.name });
  if (known.digest !== requestKey.digest) return { type: "refused", reason: "REQUEST_ID_REUSED", record };
  if (record === null) return { type: "refused", reason: "NOT_FOUND", record: null };
  return { type: "operation", record, changed: false };
}

/** Answers the operation that is there; one more parent, or a caller of its own, is noted with it. */
function repeatedStart(
  fold: Fold,
  command: StartCommand,
  record: OperationRecord,
  parent: OperationRecord | null,
  closed: Refusal | null,
): CommandOutcome {
  const answer = { type: "operation", record, changed: false } as const;
  if (command.parentAttempt === null) {
    if (record.hasOwnCaller || isDone(record.state)) return answer;
    const next = { ...record, hasOwnCaller: true };
    fold.put(record, next, { visible: false });
    return { ...answer, record: next };
  }
  const link = linkTo(command.parentAttempt);
  const isChild = record.parents.some(({ service, name }) => service === link.service && name === link.name);
  // The lost answer of an earlier start: it is this parent's child, also when the parent has been cancelled since.
  if (isChild && (closed === null || closed.reason === "PARENT_CLOSED")) return answer;
  if (closed !== null) return closed;
  if (!command.shared) return { type: "refused", reason: "REQUEST_ID_REUSED", record };
  if (parent === null || isDone(record.state)) return answer;
  return share(fold, record, parent, command.parentAttempt);
}

/** A live operation becomes one more parent's child. */
function share(
  fold: Fold,
  record: OperationRecord,
  parent: OperationRecord,
  attempt: ParentAttempt,
): CommandOutcome {
  const refusal = limitRefusal(fold, parent);
  if (refusal) return refusal;
  const above = ancestorsOf(fold, parent);
  // A child above its own parent would wait for itself.
  const isCycle = above.has(keyText(record)) || keyText(record) === keyText(parent);
  if (isCycle || record.parents.length >= childLimits.parents)
    return { type: "refused", reason: "CHILD_LIMIT", record };
  const next = {
    ...record,
    ...touched(record, fold.now),
    parents: [...record.parents, linkTo(attempt)],
  };
  fold.put(record, next, { visible: true });
  adopt(fold, parent, next, attempt);
  return { type: "operation", record: next, changed: false };
}

function startChild(
  fold: Fold,
  command: StartCommand,
  index: number,
  parent: OperationRecord,
): CommandOutcome {
  const refusal = limitRefusal(fold, parent);
  if (refusal) return refusal;
  const outcome = startNew(fold, { ...command, createdBy: parent.createdBy }, index);
  if (outcome.type === "operation" && command.parentAttempt)
    adopt(fold, fold.find(parent) ?? parent, outcome.record, command.parentAttempt);
  return outcome;
}

function startNew(fold: Fold, command: StartCommand, index: number): CommandOutcome {
  const outcome = fold.applyAudited(command);
  if (outcome.type !== "operation") return outcome;
  const { service, tenant, name } = command.key;
  if (command.requestKey) fold.putRequest({ service, tenant, ...command.requestKey, name });
  if (command.supersedeKey !== "") supersede(fold, outcome.record, index);
  return outcome;
}

/**
 * A newer operation with the same supersede key cancels the older ones of its collection, whoever started them: a caller
 * whose grants end at one parent reaches nothing of another by a key.
 */
function supersede(fold: Fold, newer: OperationRecord, index: number): void {
  const { service, tenant, type, supersedeKey, name, createdBy } = newer;
  const keys = new Map<string, OperationKey>(fold.targets(index).map((key) => [keyText(key), key]));
  for (const record of fold.changed()) keys.set(keyText(record), record);
  for (const key of keys.values()) {
    const older = fold.find(key);
    if (older === null || older.name === name || isDone(older.state) || older.cancel !== null) continue;
    const isSame =
      older.service === service &&
      older.tenant === tenant &&
      older.type === type &&
      older.parent === newer.parent &&
      older.supersedeKey === supersedeKey;
    if (!isSame) continue;
    fold.apply({
      ...askedByRule("superseded", reasonText(`superseded by ${name}`)),
      cause: "superseded",
      type: "cancel",
      key: { service, tenant, name: older.name },
      requestedBy: createdBy,
      ifRevision: null,
      includeDeleted: true,
    });
  }
}

function limitRefusal(fold: Fold, parent: OperationRecord): Refusal | null {
  const isFull = (parent.children?.started ?? 0) >= childLimits.children;
  return isFull || generationOf(fold, parent) >= childLimits.generations
    ? { type: "refused", reason: "CHILD_LIMIT", record: parent }
    : null;
}

/** How many operations stand above one another down to this one; counted no further than the limit. */
function generationOf(fold: Fold, record: OperationRecord): number {
  let generation = 1;
  let level = [record];
  while (generation < childLimits.generations) {
    level = [...new Set(level.flatMap((below) => parentsOf(fold, below)))];
    if (level.length === 0) break;
    generation++;
  }
  return generation;
}

function parentsOf(fold: Fold, child: OperationRecord): OperationRecord[] {
  return child.parents.flatMap((link) => (link.detached ? [] : (fold.findParent(child, link) ?? [])));
}

function ancestorsOf(fold: Fold, record: OperationRecord): Set<string> {
  const found = new Set<string>();
  const open = parentsOf(fold, record);
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    if (found.has(keyText(next))) continue;
    found.add(keyText(next));
    open.push(...parentsOf(fold, next));
  }
  return found;
}

/** Counts the child with its parent, and lets all above know how long a cancel may take now (G3). */
function adopt(fold: Fold, parent: OperationRecord, child: OperationRecord, attempt: ParentAttempt): void {
  const next = withChild(parent, child, attempt.policy, fold.now);
  fold.put(parent, next, { visible: true });
  if (attempt.policy !== "abandon") lengthen(fold, next);
}

function lengthen(fold: Fold, record: OperationRecord): void {
  for (const link of record.parents) {
    const parent = link.detached || link.policy === "abandon" ? null : fold.findParent(record, link);
    if (parent === null || parent.children === null) continue;
    const stopMs = childStopMs(record, link.policy, fold.now);
    if (stopMs <= parent.children.stopMs) continue;
    const next = { ...parent, children: { ...parent.children, stopMs } };
    fold.put(parent, next, { visible: false });
    lengthen(fold, next);
  }
}
