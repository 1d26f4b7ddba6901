// Writes the receipts of a decision: the head of each, which follows its operation, and its lines. Runs inside the
// transaction of the decision.
import type { DatabaseSync, StatementSync } from "node:sqlite";
import type { Decision } from "../../engine/decision.ts";
import { keyText, type ReceiptWrite } from "../../engine/decision.ts";
import type { OperationKey, OperationRecord } from "../../engine/operation.ts";
import type { SqlValue } from "../operation-rows.ts";
import { insertReceiptEvents, lastReceiptSequence, putReceipt } from "./commit-statements.ts";
import { getRow, prepareRows } from "./database.ts";
import type { LoadedReadSet } from "./read-set.ts";

/** A stop that is told with its steps has four; more go into another statement. */
const LINES_MAX = 5;

/** Prepared once per connection. */
export class ReceiptWriter {
  readonly #putReceipt: StatementSync;
  readonly #lastSequence: StatementSync;
  /**
   * For one line, for two, and so on. One statement for all lines of a change takes half as long as one for each (28
   * instead of 58 us for four): the rows of one receipt lie together, and the table's last position is written once.
   */
  readonly #insertEvents: readonly StatementSync[];

  constructor(database: DatabaseSync) {
    this.#putReceipt = database.prepare(putReceipt);
    this.#lastSequence = prepareRows(database, lastReceiptSequence);
    this.#insertEvents = Array.from({ length: LINES_MAX }, (_, index) =>
      database.prepare(insertReceiptEvents(index + 1)),
    );
  }

  /** Every change of an operation that has a cancel is on its receipt. */
  write(decision: Decision, loaded: LoadedReadSet): void {
    for (const { record } of decision.inserted) this.#putHead(record, loaded);
    for (const record of decision.updated) this.#putHead(record, loaded);
    this.#appendLines(decision.receipts, loaded);
  }

  #putHead(record: OperationRecord, loaded: LoadedReadSet): void {
    if (record.cancel === null) return;
    const { service, tenant, name, type, cancel, doneTime, attempt } = record;
    const outcome = doneTime === null ? null : record.state;
    const lease = record.lease ?? record.held ?? loaded.operations.get(keyText(record))?.lease;
    const text = JSON.stringify(cancel);
    const head = [type, text, outcome, doneTime, stopMs(record), attempt, lease?.session ?? ""] as const;
    this.#putReceipt.run(service, tenant, name, ...head);
  }

  /** In their order, which is their place among all events; those of one receipt that follow each other at once. */
  #appendLines(lines: readonly ReceiptWrite[], loaded: LoadedReadSet): void {
    const last = new Map<string, number>();
    for (let from = 0; from < lines.length; ) {
      const first = lines[from];
      if (first === undefined) return;
      let to = from + 1;
      while (to < lines.length && to - from < LINES_MAX && isSameReceipt(first, lines[to])) to++;
      const text = keyText(first);
      const sequence = last.get(text) ?? this.#sequenceBefore(first, text, loaded);
      this.#insert(first, lines.slice(from, to), sequence);
      last.set(text, sequence + to - from);
      from = to;
    }
  }

  #insert({ service, tenant, name }: OperationKey, lines: readonly ReceiptWrite[], before: number): void {
    const values: SqlValue[] = [service, tenant, name];
    for (const [index, { event }] of lines.entries()) {
      const { time, kind, detail, by, onBehalfOf = null, requestId = null } = event;
      values.push(before + 1 + index, time, kind, detail, by, onBehalfOf, requestId);
    }
    this.#insertEvents[lines.length - 1]?.run(...values);
  }

  /** An operation without a cancel had no receipt. */
  #sequenceBefore({ service, tenant, name }: OperationKey, text: string, loaded: LoadedReadSet): number {
    const before = loaded.operations.get(text);
    if (before === undefined || before.cancel === null) return 0;
    return getRow<[number | null]>(this.#lastSequence, service, tenant, name)?.[0] ?? 0;
  }
}

function isSameReceipt(a: OperationKey, b: OperationKey | undefined): boolean {
  return a.name === b?.name && a.service === b.service && a.tenant === b.tenant;
}

/** How long it took to stop work, in milliseconds; null for what never ran, or is not known to have stopped. */
function stopMs({ cancel, doneTime }: OperationRecord): number | null {
  if (cancel === null || doneTime === null || cancel.stopTime === null) return null;
  return cancel.evidence === "NEVER_STARTED" ? null : (doneTime - cancel.requestTime) / 1000;
}
