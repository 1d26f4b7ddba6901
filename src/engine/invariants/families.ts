// What must hold of all rows together: parents with their children, and slots with their users. They are recounted from
// the rows, as if there were no counters.
import { type SlotKey, slotText } from "../decision.ts";
import { isDone, type OperationRecord } from "../operation.ts";
import { isWaiting, type Step } from "./step.ts";

/** One parent, as its own row tells it. */
export function parentSettlesLast({ before, after }: Step): string | null {
  if (after === null || after.children === null) return null;
  const { started, awaited, unconfirmed, stopMs } = after.children;
  if (awaited < 0 || unconfirmed < 0 || awaited + unconfirmed > started)
    return `${awaited} awaited, ${unconfirmed} unconfirmed of ${started} children`;
  if (before?.children && (started < before.children.started || stopMs < before.children.stopMs))
    return "children were uncounted";
  if (after.state === "CANCELLED" && awaited + unconfirmed > 0)
    return `CANCELLED before its children: ${awaited} awaited, ${unconfirmed} unconfirmed`;
  return isWaiting(after) && awaited === 0 ? "it waits, and no child is awaited" : null;
}

/** All rows of a store. */
export interface Rows {
  operations: readonly OperationRecord[];
  /** Users by slotText. */
  slots: ReadonlyMap<string, number>;
}

function placeOf({ service, tenant, name }: { service: string; tenant: string; name: string }): string {
  return `${service}\n${tenant}\n${name}`;
}

interface Family {
  parent: OperationRecord;
  /** Every child with a link to it. */
  started: number;
  /** Its children by links that count: not detached, not abandoned. */
  counted: OperationRecord[];
}

function familiesOf(operations: readonly OperationRecord[]): Map<string, Family> {
  const families = new Map<string, Family>();
  for (const parent of operations) families.set(placeOf(parent), { parent, started: 0, counted: [] });
  for (const child of operations) {
    for (const { service, name, policy, detached } of child.parents) {
      const family = families.get(placeOf({ service, tenant: child.tenant, name }));
      if (!family) continue;
      family.started++;
      if (!detached && policy !== "abandon") family.counted.push(child);
    }
  }
  return families;
}

/** The children of every parent are those that its counters say, and none that was cancelled has any left. */
export function familyViolations(rows: Rows): string[] {
  const found: string[] = [];
  const families = familiesOf(rows.operations);
  const childrenOf = (record: OperationRecord): OperationRecord[] =>
    families.get(placeOf(record))?.counted ?? [];
  const isLive = (record: OperationRecord): boolean =>
    !isDone(record.state) || childrenOf(record).some((child) => isLive(child));
  const mayRun = (record: OperationRecord): boolean =>
    record.held !== null || childrenOf(record).some((child) => mayRun(child));
  for (const { parent, started, counted } of families.values()) {
    const live = counted.filter(isLive).length;
    const unconfirmed = counted.filter((child) => !isLive(child) && mayRun(child)).length;
    const { children, name, state } = parent;
    const counts = [children?.started ?? 0, children?.awaited ?? 0, children?.unconfirmed ?? 0].join(", ");
    const real = [started, live, unconfirmed].join(", ");
    // A child that was attached when it had ended already is not counted: none of these models has one.
    if (counts !== real) found.push(`C3: ${name} counts ${counts} children, and has ${real}`);
    if (state === "CANCELLED" && live + unconfirmed > 0)
      found.push(`C1: ${name} is CANCELLED, and ${live + unconfirmed} of its children may still run`);
  }
  return found;
}

/** A parent that is told to stop has time enough for what its children may need (G3). */
export function boundViolations(before: Rows, after: Rows): string[] {
  const found: string[] = [];
  const old = new Map(before.operations.map((record) => [placeOf(record), record]));
  for (const [place, { parent, counted }] of familiesOf(after.operations)) {
    if (parent.state !== "CANCELLING" || old.get(place)?.state === "CANCELLING" || !parent.cancel) continue;
    for (const child of counted) {
      const { graceMs, criticalMs, cleanupMs, killMs } = child.policy.cancel;
      const need = parent.cancel.requestTime + (graceMs + criticalMs + cleanupMs + killMs) * 1000;
      if (!isDone(child.state) && parent.cancel.deadline < need)
        found.push(`G3: ${parent.name} ends before its child ${child.name} needs to`);
    }
  }
  return found;
}

/** No operation becomes the child of one that does not run. */
export function closedParentViolations(before: Rows, after: Rows): string[] {
  const found: string[] = [];
  const old = new Map(before.operations.map((record) => [placeOf(record), record]));
  for (const child of after.operations) {
    const known = old.get(placeOf(child))?.parents ?? [];
    for (const { service, name } of child.parents) {
      if (known.some((link) => link.service === service && link.name === name)) continue;
      const parent = old.get(placeOf({ service, tenant: child.tenant, name }));
      if (parent?.state !== "RUNNING")
        found.push(`C2: ${child.name} started under a ${parent?.state} parent`);
    }
  }
  return found;
}

/** Only a child that nobody else wants is stopped with its parent. */
export function sweepViolations(before: Rows, after: Rows): string[] {
  const found: string[] = [];
  const old = new Map(before.operations.map((record) => [placeOf(record), record]));
  const isOpen = (place: string): boolean => {
    const state = old.get(place)?.state;
    return state === "PENDING" || state === "RUNNING";
  };
  for (const child of after.operations) {
    const known = old.get(placeOf(child));
    if (child.cancel?.cause !== "parent" || known?.cancel) continue;
    // As it was: who joins it later in the same batch has joined what was told to stop already.
    const { parents, hasOwnCaller } = known ?? child;
    const wants = parents.filter(
      ({ service, name, policy, detached }) =>
        !detached && (policy !== "cancel" || isOpen(placeOf({ service, tenant: child.tenant, name }))),
    );
    if (hasOwnCaller || wants.length > 0)
      found.push(`C4: ${child.name} was told to stop, and somebody wants it`);
  }
  return found;
}

/** True if the cancel of the parent asks for more than its child was told. */
function presses({ cancel: own, policy }: OperationRecord, { cancel }: OperationRecord): boolean {
  if (own === null || cancel === null || cancel.force) return false;
  if (own.force) return true;
  const isCut = own.graceEndTime - own.requestTime < policy.cancel.graceMs * 1000;
  return isCut && cancel.graceEndTime > own.graceEndTime && cancel.graceEndTime > cancel.requestTime;
}

/** Once a sweep has found nothing, no child is left that a closed parent has to tell something. */
export function unsweptViolations({ operations }: Rows): string[] {
  const found: string[] = [];
  const all = new Map(operations.map((record) => [placeOf(record), record]));
  for (const child of operations) {
    if (isDone(child.state)) continue;
    for (const { service, name, policy, detached } of child.parents) {
      const parent = all.get(placeOf({ service, tenant: child.tenant, name }));
      if (!parent || detached || policy !== "cancel") continue;
      if (parent.state !== "CANCELLING" && !isDone(parent.state)) continue;
      if (child.cancel === null) found.push(`C5: ${child.name} was not told that ${name} is closed`);
      else if (presses(parent, child))
        found.push(`C5: ${child.name} has more grace than ${name}, or is not forced`);
    }
  }
  return found;
}

/** What a sweep made stricter was pressed by a parent, and nobody else wants it. */
export function pressureViolations(before: Rows, after: Rows): string[] {
  const found: string[] = [];
  const old = new Map(before.operations.map((record) => [placeOf(record), record]));
  for (const child of after.operations) {
    const known = old.get(placeOf(child));
    if (!known?.cancel || !child.cancel) continue;
    const { force, graceEndTime } = known.cancel;
    if (child.cancel.force === force && child.cancel.graceEndTime === graceEndTime) continue;
    const parents = known.parents.filter(({ detached }) => !detached);
    const recordOf = (link: { service: string; name: string }): OperationRecord | undefined =>
      old.get(placeOf({ ...link, tenant: child.tenant }));
    const isPressed = parents.some((link) => {
      const parent = link.policy === "cancel" ? recordOf(link) : undefined;
      return parent !== undefined && presses(parent, known);
    });
    if (!isPressed) found.push(`C5: ${child.name} was told to hurry, and no parent of it is in a hurry`);
    const isWanted = parents.some((link) => {
      const state = recordOf(link)?.state;
      return link.policy !== "cancel" || state === "PENDING" || state === "RUNNING";
    });
    if (known.hasOwnCaller || isWanted)
      found.push(`C4: ${child.name} was told to hurry, and somebody wants it`);
  }
  return found;
}

/** Every slot counts its users, and has no more than its limit. */
export function slotViolations({ operations, slots }: Rows): string[] {
  const users = new Map<string, number>();
  const limits = new Map<string, number>();
  for (const { service, tenant, type, concurrencyKey, policy, lease, held } of operations) {
    const taken: [SlotKey, number][] = [];
    if (policy.typeLimit > 0) taken.push([{ service, tenant, type, concurrencyKey: "" }, policy.typeLimit]);
    if (policy.keyLimit > 0 && concurrencyKey !== "")
      taken.push([{ service, tenant, type, concurrencyKey }, policy.keyLimit]);
    for (const [slot, limit] of taken) {
      const text = slotText(slot);
      limits.set(text, Math.max(limit, limits.get(text) ?? 0));
      if (lease !== null || held !== null) users.set(text, (users.get(text) ?? 0) + 1);
    }
  }
  const found: string[] = [];
  for (const text of new Set([...users.keys(), ...slots.keys()])) {
    const real = users.get(text) ?? 0;
    const slot = text.split("\n").slice(2).join(" ");
    if ((slots.get(text) ?? 0) !== real)
      found.push(`R1: slot ${slot} counts ${slots.get(text)}, ${real} use it`);
    if (real > (limits.get(text) ?? 0)) found.push(`R1: ${real} use slot ${slot}, ${limits.get(text)} may`);
  }
  return found;
}
