// How far a cancel of many has come: what its cancels met, counted, and where it goes on after a restart. It is the
// operation's checkpoint, written before each batch, so that every operation is counted once.
import type { Verdict } from "../../../engine/commands.ts";
import type { JsonObject } from "../../../protocol/worker-connection.ts";

/** A verdict, or that the operation was purged between the list and the cancel. */
export type Met = Verdict | "NOT_FOUND";

/** The place of an operation in the list, which is newest first by (create time, id). */
export interface ListPlace {
  createTime: number;
  id: string;
}

export interface CancelTally {
  counts: Partial<Record<Met, number>>;
  /** The last operation of the batch: what comes up to it in the list was met, or is in the batch. Null at the start. */
  place: ListPlace | null;
  /** The ids of the operations whose cancels are under way. */
  batch: readonly string[];
}

export const emptyTally: CancelTally = { counts: {}, place: null, batch: [] };

/** How many operations were met. */
export function metCount({ counts }: Pick<CancelTally, "counts">): number {
  return Object.values(counts).reduce((sum, count) => sum + count, 0);
}

/** The counts with those of a batch added. */
export function countMet(counts: CancelTally["counts"], met: readonly Met[]): CancelTally["counts"] {
  const sum = { ...counts };
  for (const verdict of met) sum[verdict] = (sum[verdict] ?? 0) + 1;
  return sum;
}

/** True for an operation that comes after `place` in the list. */
export function isAfter(place: ListPlace | null, { createTime, id }: ListPlace): boolean {
  if (place === null) return true;
  return createTime < place.createTime || (createTime === place.createTime && id < place.id);
}

/** What a caller sees at the end. */
export function tallyResponse(counts: CancelTally["counts"]): JsonObject {
  return { matched: metCount({ counts }), verdicts: { ...counts } };
}

/** The ids as one text: of 10,000 keys and elements in a checkpoint they would take one each. */
export function tallyCheckpoint({ counts, place, batch }: CancelTally): JsonObject {
  return {
    ...tallyResponse(counts),
    ...(place && { place: { ...place } }),
    ...(batch.length > 0 && { batch: batch.join(" ") }),
  };
}

/** The tally of a checkpoint that `tallyCheckpoint` wrote. */
export function tallyOf(checkpoint: JsonObject): CancelTally {
  const { verdicts, place, batch } = checkpoint as {
    verdicts?: CancelTally["counts"];
    place?: ListPlace;
    batch?: string;
  };
  return { counts: verdicts ?? {}, place: place ?? null, batch: batch?.split(" ") ?? [] };
}
