// Links of children to parents, and which children the sweep must tell. After all rows: it reads their last state.
import { type Decision, keyText } from "../../engine/decision.ts";
import { isGentler, type OperationRecord, type ParentLink, urgencyOf } from "../../engine/operation.ts";
import type { SqlValue } from "../operation-rows.ts";
import * as statements from "./commit-statements.ts";
import type { Step } from "./postgres-burst.ts";
import type { LoadedReadSet } from "./read-set.ts";

export function kinSteps(decision: Decision, loaded: LoadedReadSet): Step[] {
  const records = [...decision.inserted.map(({ record }) => record), ...decision.updated];
  const kin = records.filter(({ parents, children }) => parents.length > 0 || children !== null);
  const written = new Map(kin.map((record) => [keyText(record), record]));
  const find = (text: string): OperationRecord | undefined =>
    written.get(text) ?? loaded.operations.get(text);
  const linked: SqlValue[][] = [];
  const closed: SqlValue[][] = [];
  const swept: SqlValue[][] = [];
  const pressed: SqlValue[][] = [];
  for (const record of kin) {
    const before = loaded.operations.get(keyText(record));
    linked.push(...linkRows(record, before?.parents ?? []));
    if (!isClosed(record)) continue;
    const { service, tenant, name, parents, children } = record;
    const { force, graceEndTime } = urgencyOf(record);
    if (children !== null && !(before && isClosed(before) && isAsUrgent(before, record)))
      closed.push([tenant, service, name, force ? 1 : 0, graceEndTime]);
    if (parents.length === 0) continue;
    swept.push([service, tenant, name]);
    // Told by one parent, and pressed by another: the ancestors are in the read set, or in what is written.
    for (const link of pressingLinks(record, find))
      pressed.push([tenant, link.service, link.name, service, name]);
  }
  return [
    ...(linked.length > 0 ? [statements.putChildLinks.step(linked)] : []),
    ...(closed.length > 0 ? [statements.closeParents.step(closed)] : []),
    ...(swept.length > 0 ? [statements.sweptChildren.step(swept)] : []),
    ...(pressed.length > 0 ? [statements.pressedChildren.step(pressed)] : []),
  ];
}

function linkRows(
  { service, tenant, name, parents }: OperationRecord,
  before: readonly ParentLink[],
): SqlValue[][] {
  return parents.flatMap((link, index) => {
    const known = before[index];
    const isSame =
      known !== undefined &&
      known.name === link.name &&
      known.service === link.service &&
      known.detached === link.detached;
    if (isSame) return [];
    return [[tenant, link.service, link.name, service, name, link.policy, link.detached ? 1 : 0]];
  });
}

/** Cancelling or done: it takes no children, and what it had is to stop. */
function isClosed({ cancel, doneTime }: OperationRecord): boolean {
  return cancel !== null || doneTime !== null;
}

function isAsUrgent(before: OperationRecord, after: OperationRecord): boolean {
  const [old, now] = [urgencyOf(before), urgencyOf(after)];
  return old.force === now.force && old.graceEndTime === now.graceEndTime;
}

/** The closed parents of a child whose cancel is gentler than theirs asks for. */
function pressingLinks(
  { tenant, cancel, doneTime, parents }: OperationRecord,
  find: (key: string) => OperationRecord | undefined,
): ParentLink[] {
  if (cancel === null || doneTime !== null || cancel.force) return [];
  return parents.filter(({ service, name, policy, detached }) => {
    const parent = detached || policy !== "cancel" ? undefined : find(keyText({ service, tenant, name }));
    return parent !== undefined && isClosed(parent) && isGentler(cancel, urgencyOf(parent));
  });
}
