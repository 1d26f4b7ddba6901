// A commit's result on its way from the writer's thread: records travel as packed rows, each once, and are named by index.
import type { CommandOutcome, Grant } from "../../engine/commands.ts";
import type { OperationRecord, Payload, StoredOperation } from "../../engine/operation.ts";
import type { CommitFailure, CommitResult } from "../../engine/store.ts";
import { type OperationRow, recordToRow, rowBytes, rowToRecord } from "../operation-rows.ts";
import { mapRows, type PackedRows, packRows } from "./packed-rows.ts";

type WithIndex<T> = T extends { record: infer R }
  ? Omit<T, "record"> & { record: number | Extract<R, null> }
  : T;
type GrantedOutcome = Extract<CommandOutcome, { type: "granted" }>;

type EncodedOutcome =
  | WithIndex<Exclude<CommandOutcome, GrantedOutcome>>
  /** `grants` are GrantRows. */
  | (Omit<GrantedOutcome, "grants"> & { grants: PackedRows })
  | CommitFailure;

type GrantRow = [record: number, request: Payload | null, checkpoint: Payload | null];
type ChangedRow = [record: number, response: Payload | null, metadata: Payload | null];

/** A CommitResult that is cheap to clone. */
export interface CommitMessage {
  /** OperationRows. */
  rows: PackedRows;
  /** For each outcome of type `operation` its record, times two, and one more if it is changed; -1 for another. */
  operations: readonly number[];
  /** The other outcomes, in order. */
  others: readonly EncodedOutcome[];
  /** ChangedRows. */
  changed: PackedRows;
}

/** A decoded result, and how large each changed operation is. */
export interface DecodedCommit extends CommitResult {
  /** By the index in `changed`: about how many bytes. */
  changedBytes: readonly number[];
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
  const changed = result.changed.map(
    ({ record, response, metadata }): ChangedRow => [indexOf(record), response, metadata],
  );
  const others: EncodedOutcome[] = [];
  const operations = result.outcomes.map((outcome) => {
    if (outcome.type === "operation") return 2 * indexOf(outcome.record) + (outcome.changed ? 1 : 0);
    others.push(encodeOther(outcome, indexOf));
    return -1;
  });
  return { rows: packRows(rows), operations, others, changed: packRows(changed) };
}

function encodeOther(
  outcome: CommandOutcome | CommitFailure,
  indexOf: (record: OperationRecord) => number,
): EncodedOutcome {
  if (outcome.type === "granted") {
    const grants = outcome.grants.map(
      ({ record, request, checkpoint }): GrantRow => [indexOf(record), request, checkpoint],
    );
    return { ...outcome, grants: packRows(grants) };
  }
  if (!("record" in outcome)) return outcome;
  return { ...outcome, record: outcome.record === null ? null : indexOf(outcome.record) } as EncodedOutcome;
}

/** On the main thread. */
export function decodeCommitResult({ rows, operations, others, changed }: CommitMessage): DecodedCommit {
  const bytes: number[] = [];
  const records = mapRows(rows, (row: OperationRow) => {
    bytes.push(rowBytes(row));
    return rowToRecord(row);
  });
  const recordAt = (index: number): OperationRecord => {
    const record = records[index];
    if (record === undefined) throw new RangeError(`the message has no row ${index}`);
    return record;
  };
  const changedBytes: number[] = [];
  const rest = others.values();
  return {
    changed: mapRows(changed, ([index, response, metadata]: ChangedRow): StoredOperation => {
      changedBytes.push((bytes[index] ?? 0) + payloadBytes(response) + payloadBytes(metadata));
      return { record: recordAt(index), response, metadata };
    }),
    changedBytes,
    outcomes: operations.map((operation) => {
      if (operation >= 0)
        return { type: "operation", record: recordAt(operation >> 1), changed: (operation & 1) === 1 };
      const { value: other, done } = rest.next();
      if (done) throw new RangeError(`the message has only ${others.length} other outcomes`);
      return decodeOther(other, recordAt);
    }),
  };
}

function decodeOther(
  outcome: EncodedOutcome,
  recordAt: (index: number) => OperationRecord,
): CommandOutcome | CommitFailure {
  if (outcome.type === "granted") {
    const grants = mapRows(
      outcome.grants,
      ([index, request, checkpoint]: GrantRow): Grant => ({ record: recordAt(index), request, checkpoint }),
    );
    return { ...outcome, grants };
  }
  if (!("record" in outcome)) return outcome;
  const record = outcome.record === null ? null : recordAt(outcome.record);
  return { ...outcome, record } as CommandOutcome;
}

function payloadBytes(payload: Payload | null): number {
  return payload?.bytes.byteLength ?? 0;
}
