// What of an operation's end goes into its own row, instead of a row in another table: a response without bytes, and the
// attempt that succeeded. The two inserts took 12 of 117 us of PostgreSQL a life.
import { type Decision, keyText } from "../../engine/decision.ts";
import type { OperationRecord } from "../../engine/operation.ts";
import { isToldByRow } from "../ended-attempt.ts";
import type { LoadedReadSet } from "./read-set.ts";

/** Whether this change is the operation's end. */
export function endsHere(before: OperationRecord, record: OperationRecord): boolean {
  return before.doneTime === null && record.doneTime !== null;
}

/** Sorts the payloads and attempts of a decision: those that end in their operation's row, and the rest. */
export class EndedInRow {
  readonly payloads: Decision["payloads"];
  readonly attempts: Decision["attempts"];
  readonly #types = new Map<string, string>();
  readonly #sessions = new Map<string, string>();

  constructor(decision: Decision, loaded: LoadedReadSet) {
    const succeeded = new Map<string, OperationRecord>();
    for (const record of decision.updated) {
      if (record.outcome?.kind !== "response") continue;
      const text = keyText(record);
      const before = loaded.operations.get(text);
      if (before !== undefined && endsHere(before, record)) succeeded.set(text, record);
    }
    this.payloads = decision.payloads.filter((write) => {
      if (write.kind !== "response" || write.payload.bytes.length > 0) return true;
      const text = keyText(write);
      if (!succeeded.has(text)) return true;
      this.#types.set(text, write.payload.typeUrl);
      return false;
    });
    this.attempts = decision.attempts.filter((write) => {
      const text = keyText(write);
      const record = succeeded.get(text);
      if (record === undefined || !isToldByRow(record, write.attempt)) return true;
      this.#sessions.set(text, write.attempt.session);
      return false;
    });
  }

  /** The columns empty_response and end_session of an operation that ends. */
  valuesOf(text: string): [responseType: string | null, endSession: string | null] {
    return [this.#types.get(text) ?? null, this.#sessions.get(text) ?? null];
  }
}
