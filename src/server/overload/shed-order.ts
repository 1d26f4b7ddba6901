// Which calls an overloaded server refuses first. Refused is what costs most and is missed least; never what frees work:
// cancels, deletes, releases, a worker's stream with its heartbeats and reports.
import type { MethodKind } from "../../services/service-declaration.ts";

/**
 * Up to which part of a limit each kind of call is let in. Lists and the opening of watches go first, then waits, gets and
 * starts. A kind without a number is always let in, and does not count.
 */
const sharesByKind: Readonly<Partial<Record<MethodKind, number>>> = {
  list: 0.6,
  watch: 0.6,
  wait: 0.75,
  get: 0.9,
  start: 1,
};

/** The part of a limit that calls of this kind may use up, 0 to 1; null: such calls are never refused. */
export function shedShareOf(kind: MethodKind): number | null {
  return sharesByKind[kind] ?? null;
}
