// Rows of receipts, their events and chains -> what the port answers.
import type { Instant } from "../base/clock.ts";
import type {
  CancelRequest,
  OperationKey,
  OperationState,
  ReceiptEvent,
  StoredReceipt,
} from "../engine/operation.ts";
import type { ChainCheckpoint, ChainEntry, UnchainedEvent } from "../engine/store.ts";
import { type PayloadRow, rowToPayload } from "./operation-rows.ts";

/** A receipt without its events. */
export type ReceiptRow = [
  type: string,
  cancel: string,
  outcome: string | null,
  doneTime: Instant | null,
  attempt: number,
  session: string,
  ...checkpoint: PayloadRow,
];

/** A receipt's event as columns: time, kind, detail, by, on_behalf_of, request_id. */
export type ReceiptEventRow = [Instant, string, string, string, string | null, string | null];

export type UnchainedRow = [
  position: number,
  service: string,
  tenant: string,
  name: string,
  type: string,
  ...ReceiptEventRow,
];

export type ChainEntryRow = [
  service: string,
  tenant: string,
  sequence: number,
  name: string,
  content: string,
  hash: string,
];

export type ChainCheckpointRow = [
  service: string,
  tenant: string,
  sequence: number,
  hash: string,
  time: Instant,
  keyId: string,
  signature: string,
];

/** The receipt of its row and those of its events. */
export function rowToReceipt(
  { service, tenant, name }: OperationKey,
  row: ReceiptRow,
  events: readonly ReceiptEventRow[],
): StoredReceipt {
  const [type, cancel, outcome, doneTime, attempt, session, ...checkpoint] = row;
  return {
    service,
    tenant,
    name,
    type,
    cancel: JSON.parse(cancel) as CancelRequest,
    outcome: outcome as OperationState | null,
    doneTime,
    attempt,
    session,
    checkpoint: rowToPayload(checkpoint),
    events: events.map(rowToReceiptEvent),
  };
}

/** The event of its columns. */
export function rowToReceiptEvent(row: ReceiptEventRow): ReceiptEvent {
  const [time, kind, detail, by, onBehalfOf, requestId] = row;
  return {
    time,
    kind: kind as ReceiptEvent["kind"],
    detail,
    by,
    ...(onBehalfOf === null ? {} : { onBehalfOf }),
    ...(requestId === null ? {} : { requestId }),
  };
}

export function rowToUnchained([
  position,
  service,
  tenant,
  name,
  type,
  ...event
]: UnchainedRow): UnchainedEvent {
  return { position, service, tenant, name, type, event: rowToReceiptEvent(event) };
}

export function rowToChainEntry(row: ChainEntryRow): ChainEntry {
  const [service, tenant, sequence, name, content, hash] = row;
  return { service, tenant, sequence, name, content, hash };
}

export function rowToChainCheckpoint(row: ChainCheckpointRow): ChainCheckpoint {
  const [service, tenant, sequence, hash, time, keyId, signature] = row;
  return { service, tenant, sequence, hash, time, keyId, signature };
}
