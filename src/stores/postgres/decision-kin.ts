// Links of children to parents, and which children the sweep must tell. After all rows: it reads their last state.
import { type Decision, keyText } from "../../engine/decision.ts";
import { type OperationRecord, type ParentLink, urgencyOf } from "../../engine/operation.ts";
import { isAsUrgent, isClosed, pressingLinks } from "../kin-pressure.ts";
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
