// A commit's result on its way from the writer's thread: records travel as rows, each once, and are named by index.
import type { CommandOutcome, Grant } from "../../engine/commands.ts";
import type { OperationRecord, Payload, StoredOperation } from "../../engine/operation.ts";
import type { CommitFailure, CommitResult } from "../../engine/store.ts";
import { type OperationRow, recordToRow, rowToRecord } from "../operation-rows.ts";

type WithIndex<T> = T extends { record: infer R }
  ? Omit<T, "record"> & { record: number | Extract<R, null> }
  : T;
type GrantedOutcome = Extract<CommandOutcome, { type: "granted" }>;

type EncodedOutcome =
  | WithIndex<Exclude<CommandOutcome, GrantedOutcome>>
  | { type: "granted"; grants: readonly WithIndex<Grant>[] }
  | CommitFailure;

/** A CommitResult that is cheap to clone. */
export interface CommitMessage {
  rows: readonly OperationRow[];
  outcomes: readonly EncodedOutcome[];
  changed: readonly { record: number; response: Payload | null; metadata: Payload | null }[];
}

/** For the way to the main thread. */
export function encodeCommitResult(result: CommitResult): CommitMessage {
  const rows: OperationRow[] = [];
  const indexes = new Map<OperationRecord, number>();
  const indexOf = (record: OperationRecord): number => {
    const known = indexes.get(record);
    if (known !== undefined) return known;
    indexes.set(record, rows.length);
    return rows.push(recordToRow(record)) - 1;
  };
  const changed = result.changed.map((stored) => ({ ...stored, record: indexOf(stored.record) }));
  const outcomes = result.outcomes.map((outcome): EncodedOutcome => {
    if (outcome.type === "granted") {
      return {
        type: "granted",
        grants: outcome.grants.map((grant) => ({ ...grant, record: indexOf(grant.record) })),
      };
    }
    if (!("record" in outcome)) return outcome;
    return { ...outcome, record: outcome.record === null ? null : indexOf(outcome.record) } as EncodedOutcome;
  });
  return { rows, outcomes, changed };
}

/** On the main thread. */
export function decodeCommitResult({ rows, outcomes, changed }: CommitMessage): CommitResult {
  const records = rows.map(rowToRecord);
  const recordAt = (index: number): OperationRecord => {
    const record = records[index];
    if (record === undefined) throw new RangeError(`the message has no row ${index}`);
    return record;
  };
  return {
    changed: changed.map((stored): StoredOperation => ({ ...stored, record: recordAt(stored.record) })),
    outcomes: outcomes.map((outcome): CommandOutcome | CommitFailure => {
      if (outcome.type === "granted") {
        return {
          type: "granted",
          grants: outcome.grants.map((grant) => ({ ...grant, record: recordAt(grant.record) })),
        };
      }
      if (!("record" in outcome)) return outcome;
      const record = outcome.record === null ? null : recordAt(outcome.record);
      return { ...outcome, record } as CommandOutcome;
    }),
  };
}
