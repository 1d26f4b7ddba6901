// What a store answers to a batch, put together from what was decided and what was read.
import type { CommandOutcome } from "../engine/commands.ts";
import { type Decision, keyText } from "../engine/decision.ts";
import type { Payload, PayloadKind, StoredOperation } from "../engine/operation.ts";
import type { CommitResult } from "../engine/store.ts";

/** Payloads that were read beside the rows, by keyText of their operation. */
export type PayloadsRead = ReadonlyMap<string, Readonly<Partial<Record<PayloadKind, Payload | null>>>>;

/** A grant brings what its handler needs. */
export function withPayloads(outcome: CommandOutcome, read: PayloadsRead): CommandOutcome {
  if (outcome.type !== "granted") return outcome;
  const grants = outcome.grants.map(({ record, ...own }) => {
    const { request = own.request, checkpoint = own.checkpoint } = read.get(keyText(record)) ?? {};
    return { record, request, checkpoint };
  });
  return { type: "granted", grants };
}

/** Every operation of the decision as it now stands. `stored`: those that were loaded with their payloads, by keyText. */
export function changedBy(
  decision: Decision,
  stored: ReadonlyMap<string, StoredOperation>,
  read?: PayloadsRead,
): StoredOperation[] {
  const response = new Map<string, Payload>();
  const metadata = new Map<string, Payload>();
  for (const write of decision.payloads) {
    if (write.kind === "response") response.set(keyText(write), write.payload);
    if (write.kind === "metadata") metadata.set(keyText(write), write.payload);
  }
  const records = [...decision.inserted.map(({ record }) => record), ...decision.updated];
  return records.map((record) => {
    const text = keyText(record);
    const before = stored.get(text);
    return {
      record,
      response: response.get(text) ?? before?.response ?? null,
      metadata: metadata.get(text) ?? read?.get(text)?.metadata ?? before?.metadata ?? null,
    };
  });
}

/** Two commits, one after the other, as one. */
export function merged(first: CommitResult, second: CommitResult): CommitResult {
  const changed = new Map(
    [...first.changed, ...second.changed].map((stored) => [keyText(stored.record), stored]),
  );
  return { outcomes: [...first.outcomes, ...second.outcomes], changed: [...changed.values()] };
}
