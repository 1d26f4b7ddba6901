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

/** Texts that are kept, by name: about 200 bytes each. */
const TEXTS_MAX = 8192;

const texts = new Map<string, OperationKey & { text: string }>();

/**
 * One string for a key, for maps. The parts hold no line feed (checked at the door).
 *
 * A life asks for the same key some fifteen times. Made anew, the text would be copied and hashed each time before a map can
 * be asked: that was a sixth of a node's work for each operation (190 -> 160 us of CPU).
 */
export function keyText({ service, tenant, name }: OperationKey): string {
  const known = texts.get(name);
  if (known !== undefined && known.service === service && known.tenant === tenant) return known.text;
  if (texts.size >= TEXTS_MAX) texts.clear();
  const text = `${service}\n${tenant}\n${name}`;
  texts.set(name, { service, tenant, name, text });
  return text;
}

/**
 * A bounded number of operations that run at once: `type` of an operation, or `type` and its concurrency key. Used by
 * every operation that has a lease or is held.
 */
export interface SlotKey {
  service: string;
  tenant: string;
  type: string;
  /** "" for the type's own limit. */
  concurrencyKey: string;
}

/** What decides about the slots of an operation. */
type SlotUser = Pick<OperationRecord, "service" | "tenant" | "type" | "concurrencyKey" | "policy">;

/** The slots that an operation takes while it has a lease or is held, with their limits. */
export function slotsOf({ service, tenant, type, concurrencyKey, policy }: SlotUser): (SlotKey & {
  limit: number;
})[] {
  const slots: (SlotKey & { limit: number })[] = [];
  const { typeLimit, keyLimit } = policy;
  if (typeLimit > 0) slots.push({ service, tenant, type, concurrencyKey: "", limit: typeLimit });
  if (keyLimit > 0 && concurrencyKey !== "")
    slots.push({ service, tenant, type, concurrencyKey, limit: keyLimit });
  return slots;
}

/** One string for a slot, for maps. */
export function slotText(slot: SlotKey): string {
  return `${slot.service}\n${slot.tenant}\n${slot.type}\n${slot.concurrencyKey}`;
}

/** The key alone of what carries one. */
export function keyOf({ service, tenant, name }: OperationKey): OperationKey {
  return { service, tenant, name };
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

/** The order in which pending operations are granted: highest priority first, then the oldest start. */
export function byStartOrder<T extends Pick<OperationRecord, "priority" | "startAfter">>(a: T, b: T): number {
  return b.priority - a.priority || a.startAfter - b.startAfter;
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

/**
 * What a batch of commands may look at. The store loads it; `decide` writes into copies.
 *
 * Loaded for each command:
 * - one that names an operation (`key`): that operation.
 * - start: its request key, if it has one, and the operation that this names; with a parentAttempt the parent; with a
 *   supersedeKey its targets.
 * - acquire, closeSession: the session, and its targets. heartbeat: the session. openSession: nothing.
 * - tickDue, sweepChildren, restartWatch: the targets. expireSessions: the sessions (see `expired`) and the targets.
 *
 * With every operation that is loaded, whatever the reason: all of its ancestors (the operations of its `parents` that are
 * not detached, and theirs, done ones too), since its end may be theirs; and of its policy's limits the slots (see
 * `slots`), since whatever happens to it may take or free one. Also the slots of operations that the batch starts.
 */
export interface ReadSet {
  /** By keyText. A key that was looked up and not found is absent. */
  operations: ReadonlyMap<string, OperationRecord>;
  /** By requestKeyText. */
  requestKeys: ReadonlyMap<string, RequestKeyRecord>;
  sessions: ReadonlyMap<string, SessionRecord>;
  /**
   * How many operations use each slot, by slotText; absent: none. Those named by `slotsOf` of every loaded operation and
   * of every start: a counter that exists and was not loaded would be written wrong.
   */
  slots: ReadonlyMap<string, number>;
  /**
   * The keys that the store found for a command, by its index in the batch, in order; as they are before the batch.
   * - acquire, but for `onlyStarted`: PENDING operations of the types without lease, `start_after` <= now, not all slots of which are full,
   *   priority descending, then start_after. It may name more than `limit`: those that turn out to have no slot
   *   left are passed over, and the first `limit` others are granted. What the batch itself has started is none of the
   *   store's business: `decide` adds it.
   * - closeSession: everything whose lease, or held lease, is the session's.
   * - expireSessions: the same, of all the sessions in `expired`.
   * - tickDue: operations whose `nextTimer` is due.
   * - sweepChildren: operations that are not done, of which some parent link with the policy "cancel", not detached, names
   *   an operation that is CANCELLING or done; those that have a cancel only if it is gentler than the urgency of that
   *   operation (see urgencyOf, isGentler). At most `limit`.
   * - restartWatch: PENDING and RUNNING operations with watchDeadline < before. At most `limit`.
   * - start with a supersedeKey: operations that are not done and have no cancel, of the same service, tenant,
   *   type and supersedeKey.
   */
  targets: ReadonlyMap<number, readonly OperationKey[]>;
  /**
   * For each expireSessions, by its index: the sessions with a timed lease (leaseMs > 0) and heartbeatTime + leaseMs <= now,
   * at most `limit` (they are in `sessions`, too).
   */
  expired: ReadonlyMap<number, readonly string[]>;
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
  action: "start" | "cancel" | "delete" | "override";
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
  /** Rows that changed, or got a line of their receipt; the last version of each. */
  updated: readonly OperationRecord[];
  payloads: readonly PayloadWrite[];
  attempts: readonly AttemptWrite[];
  /** Receipt lines; the receipt's head is written from the operation's record. */
  receipts: readonly ReceiptWrite[];
  requestKeys: readonly RequestKeyRecord[];
  sessionsOpened: readonly SessionRecord[];
  /** With a `node`, the session is that node's from now on; without, it stays where it is. */
  sessionsBeaten: readonly { session: string; heartbeatTime: Instant; node?: string }[];
  sessionsClosed: readonly string[];
  /** The new number of users of each slot that changed; 0 for one that nobody uses any more. */
  slots: readonly (SlotKey & { used: number })[];
  events: readonly FeedEvent[];
  audits: readonly AuditEntry[];
}
