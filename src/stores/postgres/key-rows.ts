// The keys of operations as columns, and the order in which their rows are locked.
import type { OperationKey } from "../../engine/operation.ts";

/** The columns of a key. */
export function keyRow({ service, tenant, name }: OperationKey): [string, string, string] {
  return [service, tenant, name];
}

/** In the order in which locks are taken. */
export function sortedKeys<T extends OperationKey>(keys: readonly T[]): T[] {
  return keys.toSorted(
    (a, b) =>
      compareText(a.service, b.service) || compareText(a.tenant, b.tenant) || compareText(a.name, b.name),
  );
}

/** Text in the order of COLLATE "C". */
export function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
