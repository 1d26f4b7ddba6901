// What `decide` reads and what it answers: the contract between the pure core and the stores.
import type { Instant } from "../base/clock.ts";
import type { CommandOutcome, OpenSessionCommand } from "./commands.ts";
import type {
  AttemptRecord,
  OperationKey,
  OperationRecord,
  Payload,
  PayloadKind,
  ReceiptEvent,
} from "./operation.ts";

/** One string for a key, for maps. The parts hold no line feed (checked at the door). */
export function keyText(key: OperationKey): string {
  return `${key.service}\n${key.tenant}\n${key.name}`;
}

/** A stored request id. */
export interface RequestKeyRecord {
  service: string;
  tenant: string;
  method: string;
  requestId: string;
  digest: string;
  name: string;
}

/** One string for a request key, for maps. */
export function requestKeyText(key: Omit<RequestKeyRecord, "digest" | "name">): string {
  return `${key.service}\n${key.tenant}\n${key.method}\n${key.requestId}`;
}

/** A connected worker, as stored. */
export interface SessionRecord extends Omit<OpenSessionCommand, "type"> {
  openTime: Instant;
  heartbeatTime: Instant;
}

/** What a batch of commands may look at. The store loads it; `decide` writes into copies. */
export interface ReadSet {
  /** By keyText. A key that was looked up and not found is absent. */
  operations: ReadonlyMap<string, OperationRecord>;
  /** By requestKeyText. */
  requestKeys: ReadonlyMap<string, RequestKeyRecord>;
  sessions: ReadonlyMap<string, SessionRecord>;
  /** For each acquire, tickDue and closeSession of the batch, by its index: the keys the store found for it, in order. */
  targets: ReadonlyMap<number, readonly OperationKey[]>;
}

/** One entry of the feed: a visible change of one operation. */
export interface FeedEvent extends OperationKey {
  revision: number;
  state: OperationRecord["state"];
  time: Instant;
}

export interface PayloadWrite extends OperationKey {
  kind: PayloadKind;
  payload: Payload;
}

export interface AttemptWrite extends OperationKey {
  attempt: AttemptRecord;
}

export interface ReceiptWrite extends OperationKey {
  event: ReceiptEvent;
}

/** Who did what from where; one for each mutating call of a client. */
export interface AuditEntry extends OperationKey {
  time: Instant;
  action: "start" | "cancel" | "delete";
  principal: string;
  origin: string;
  reason: string;
  revisionBefore: number;
  revisionAfter: number;
}

/** The rows that one transaction writes, and the answers that may be sent once it is durable. */
export interface Decision {
  /** One for each command, in order. */
  outcomes: readonly CommandOutcome[];
  /** Rows that did not exist before. */
  inserted: readonly { record: OperationRecord; labels: Readonly<Record<string, string>> }[];
  /** Rows that changed; the last version of each. */
  updated: readonly OperationRecord[];
  payloads: readonly PayloadWrite[];
  attempts: readonly AttemptWrite[];
  /** Receipt lines; the receipt's head is written from the operation's record. */
  receipts: readonly ReceiptWrite[];
  requestKeys: readonly RequestKeyRecord[];
  sessionsOpened: readonly SessionRecord[];
  sessionsBeaten: readonly { session: string; heartbeatTime: Instant }[];
  sessionsClosed: readonly string[];
  events: readonly FeedEvent[];
  audits: readonly AuditEntry[];
}
