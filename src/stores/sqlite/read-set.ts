// Loads what a batch of commands may look at: the read set of `decide`, and what the store itself needs beside it.

import type { DatabaseSync, StatementSync } from "node:sqlite";
import type { Instant } from "../../base/clock.ts";
import { dropOldest } from "../../base/drop-oldest.ts";
import type { AcquireCommand, Command, StartCommand } from "../../engine/commands.ts";
import {
  byStartOrder,
  keyText,
  type ReadSet,
  type RequestKeyRecord,
  requestKeyText,
  type SessionRecord,
  type SlotKey,
  slotsOf,
  slotText,
} from "../../engine/decision.ts";
import type { OperationKey, OperationRecord, Payload, StoredOperation } from "../../engine/operation.ts";
import { grantedPayloads, rowToStoredOperation, type SqlValue, type StoredRow } from "../operation-rows.ts";
import { rowToSession, type SessionRow } from "../session-rows.ts";
import { type SlotGroup, SlotRoom } from "../slot-room.ts";
import * as statements from "./commit-statements.ts";
import { allRows, getRow, prepareRows } from "./database.ts";
import { PendingSearch } from "./pending-search.ts";
import { getOperation } from "./statements.ts";

/** What a grant carries beside its record. */
export interface GrantPayloads {
  request: Payload | null;
  checkpoint: Payload | null;
}

export interface LoadedReadSet extends ReadSet {
  /** The operations of the read set with their response and metadata, by keyText. */
  stored: ReadonlyMap<string, StoredOperation>;
  /** For the targets of acquires, by keyText. */
  grants: ReadonlyMap<string, GrantPayloads>;
}

/**
 * Held operations that are kept in memory; a record takes about 2 kB. A worker with 10,000 of them is meant to be no slower
 * than one with a hundred: each report that misses costs 12 us for the row, and 5 for the record of it.
 */
const HELD_MAX = 16_384;

/** Prepared once per connection. */
export class ReadSetLoader {
  /**
   * Operations that a session holds, as last committed: their reports come soon, and reading the row is a tenth of a
   * whole life's cost. This connection is the only writer, so they cannot change behind its back; a parent that changes
   * with its child is changed by the same commit.
   */
  readonly #held = new Map<string, StoredOperation>();
  readonly #pending: PendingSearch;
  readonly #getOperation: StatementSync;
  readonly #getRequestKey: StatementSync;
  readonly #getSession: StatementSync;
  readonly #getSlot: StatementSync;
  readonly #tickDue: StatementSync;
  readonly #closeSession: StatementSync;
  readonly #expiredSessions: StatementSync;
  readonly #sweepChildren: StatementSync;
  readonly #restartWatch: StatementSync;
  readonly #superseded: StatementSync;

  constructor(database: DatabaseSync) {
    const prepare = (sql: string): StatementSync => prepareRows(database, sql);
    this.#pending = new PendingSearch(database);
    this.#getOperation = prepare(getOperation);
    this.#getRequestKey = prepare(statements.getRequestKey);
    this.#getSession = prepare(statements.getSession);
    this.#getSlot = prepare(statements.getSlot);
    this.#tickDue = prepare(statements.tickDue);
    this.#closeSession = prepare(statements.closeSession);
    this.#expiredSessions = prepare(statements.expiredSessions);
    this.#sweepChildren = prepare(statements.sweepChildren);
    this.#restartWatch = prepare(statements.restartWatch);
    this.#superseded = prepare(statements.superseded);
  }

  /** Call it with what a commit changed, once it is durable. */
  committed(changed: readonly StoredOperation[]): void {
    for (const stored of changed) {
      const text = keyText(stored.record);
      this.#held.delete(text);
      if (stored.record.lease !== null) this.#held.set(text, stored);
    }
    dropOldest(this.#held, HELD_MAX);
  }

  /** Call it inside the transaction that writes the decision. */
  load(commands: readonly Command[], now: Instant): LoadedReadSet {
    const loading = new Loading((key) => this.#usedSlots(key));
    for (const [index, command] of commands.entries()) {
      if ("session" in command) this.#loadSession(loading, command.session);
      if ("key" in command) this.#loadOperation(loading, command.key);
      switch (command.type) {
        case "start":
          this.#loadStart(loading, index, command);
          break;
        case "cancel":
        case "delete":
        case "assign":
        case "tick":
          loading.takers++;
          break;
        case "openSession":
        case "heartbeat":
          loading.noteAlive(command.session, command.type === "openSession");
          break;
        case "acquire":
          if (loading.isOpen(command.session) && !command.onlyStarted)
            this.#findPending(loading, index, command, now);
          break;
        case "tickDue":
          loading.takers += this.#target(loading, index, this.#tickDue, now, command.limit);
          break;
        case "closeSession":
          this.#target(loading, index, this.#closeSession, command.session);
          loading.noteClosed(command.session);
          break;
        case "expireSessions":
          this.#findExpired(loading, index, command.limit, now);
          break;
        case "sweepChildren":
          loading.takers += this.#target(loading, index, this.#sweepChildren, command.limit);
          break;
        case "restartWatch":
          this.#target(loading, index, this.#restartWatch, command.before, command.limit);
          break;
        default:
      }
    }
    return loading;
  }

  #loadStart(loading: Loading, index: number, command: StartCommand): void {
    const { service, tenant } = command.key;
    if (command.requestKey) this.#loadRequestKey(loading, { ...command.key, ...command.requestKey });
    if (command.parentAttempt) this.#loadOperation(loading, command.parentAttempt.key);
    const { operationType: type, supersedeKey } = command;
    for (const slot of slotsOf({ ...command, service, tenant, type })) loading.used(slot);
    if (supersedeKey === "") return;
    loading.takers += this.#target(loading, index, this.#superseded, service, tenant, type, supersedeKey);
  }

  /**
   * Due pending operations that no earlier acquire of the batch was given. One more for each command and target before it
   * that may take one away, or free a slot: a session that gets fewer than it asked for believes that there is no more.
   */
  #findPending(loading: Loading, index: number, command: AcquireCommand, now: Instant): void {
    const wanted = command.limit + loading.takers + loading.loosened;
    const rows = this.#pending.find(command, wanted, now, loading.room, loading.given);
    for (const row of rows) loading.grants.set(rowKeyText(row), grantedPayloads(row));
    const found = rows.map((row) => this.#add(loading, row as unknown as StoredRow, true));
    // What an earlier acquire of the batch was given beyond its limit may be left over.
    const left = loading.spare.filter(({ type }) => command.types.includes(type));
    const targets = left.length === 0 ? found : [...left, ...found].sort(byStartOrder);
    if (found.length > command.limit) loading.spare.push(...found);
    loading.targets.set(index, targets);
  }

  #findExpired(loading: Loading, index: number, limit: number, now: Instant): void {
    const sessions = allRows<SessionRow>(this.#expiredSessions, now, limit).map(rowToSession);
    const targets: OperationRecord[] = [];
    for (const session of sessions) {
      loading.sessions.set(session.session, session);
      loading.noteExpired(session.session);
      const rows = allRows<StoredRow>(this.#closeSession, session.session);
      targets.push(...rows.map((row) => this.#add(loading, row)));
    }
    loading.expired.set(
      index,
      sessions.map(({ session }) => session),
    );
    loading.targets.set(index, targets);
  }

  /** How many it has found. */
  #target(loading: Loading, index: number, statement: StatementSync, ...values: SqlValue[]): number {
    const rows = allRows<StoredRow>(statement, ...values);
    loading.targets.set(
      index,
      rows.map((row) => this.#add(loading, row)),
    );
    return rows.length;
  }

  #add(loading: Loading, row: StoredRow, isGiven = false): OperationRecord {
    const text = rowKeyText(row);
    const known = loading.operations.get(text);
    if (known) return known;
    const stored = rowToStoredOperation(row);
    this.#put(loading, text, stored, isGiven);
    return stored.record;
  }

  /** With its slots and its ancestors: its end may be theirs. Links make no circle: a child is younger than its parents. */
  #put(loading: Loading, text: string, stored: StoredOperation, isGiven = false): void {
    const { record } = stored;
    loading.operations.set(text, record);
    loading.stored.set(text, stored);
    const slots = slotsOf(record);
    for (const slot of slots) loading.used(slot);
    if (slots.length > 0 && !isGiven) loading.loosen(record);
    for (const { service, name, detached } of record.parents) {
      if (!detached) this.#loadOperation(loading, { service, tenant: record.tenant, name });
    }
  }

  #loadOperation(loading: Loading, key: OperationKey): void {
    const text = keyText(key);
    if (loading.stored.has(text)) return;
    const held = this.#held.get(text);
    if (held) {
      this.#put(loading, text, held);
      return;
    }
    const row = getRow<StoredRow>(this.#getOperation, key.service, key.tenant, key.name);
    if (row) this.#add(loading, row);
  }

  /** A known request id brings the operation that it made. */
  #loadRequestKey(loading: Loading, key: Omit<RequestKeyRecord, "digest">): void {
    const { service, tenant, method, requestId } = key;
    const row = getRow<[string, string]>(this.#getRequestKey, service, tenant, method, requestId);
    if (!row) return;
    const [digest, name] = row;
    loading.requestKeys.set(requestKeyText(key), { service, tenant, method, requestId, digest, name });
    this.#loadOperation(loading, { service, tenant, name });
  }

  #loadSession(loading: Loading, id: string): void {
    if (loading.sessions.has(id)) return;
    const row = getRow<SessionRow>(this.#getSession, id);
    if (row) loading.sessions.set(id, rowToSession(row));
  }

  #usedSlots({ service, tenant, type, concurrencyKey }: SlotKey): number {
    return getRow<[number]>(this.#getSlot, service, tenant, type, concurrencyKey)?.[0] ?? 0;
  }
}

function rowKeyText(row: readonly unknown[]): string {
  const [service, tenant, name] = row as [string, string, string];
  return keyText({ service, tenant, name });
}

class Loading implements LoadedReadSet {
  readonly operations = new Map<string, OperationRecord>();
  readonly stored = new Map<string, StoredOperation>();
  readonly requestKeys = new Map<string, RequestKeyRecord>();
  readonly sessions = new Map<string, SessionRecord>();
  readonly slots = new Map<string, number>();
  readonly targets = new Map<number, readonly OperationKey[]>();
  readonly expired = new Map<number, readonly string[]>();
  readonly grants = new Map<string, GrantPayloads>();
  /** Row ids of what acquires of this batch have found. */
  readonly given = new Set<number>();
  /** Those of acquires that were given more than their limit. */
  readonly spare: OperationRecord[] = [];
  readonly room: SlotRoom;
  /** Commands and targets so far that may take a pending operation away from an acquire. */
  takers = 0;
  /** Loaded operations that may free a slot, or not take the one that an acquire has counted for them. */
  loosened = 0;
  readonly #read: (slot: SlotKey) => number;
  /** Sessions that the batch has opened (true) or closed so far. */
  readonly #opened = new Map<string, boolean>();
  readonly #beaten = new Set<string>();

  constructor(read: (slot: SlotKey) => number) {
    this.#read = read;
    this.room = new SlotRoom((_, group, concurrencyKey) => this.used({ ...group, concurrencyKey }));
  }

  /** How many use a slot, as the rows have it. */
  used(slot: SlotKey): number {
    const text = slotText(slot);
    const known = this.slots.get(text);
    if (known !== undefined) return known;
    const used = this.#read(slot);
    this.slots.set(text, used);
    return used;
  }

  noteAlive(session: string, isOpened: boolean): void {
    this.#beaten.add(session);
    if (isOpened) this.#opened.set(session, true);
  }

  noteClosed(session: string): void {
    this.#opened.set(session, false);
  }

  /** A heartbeat of the same batch comes first. */
  noteExpired(session: string): void {
    if (!this.#beaten.has(session)) this.noteClosed(session);
  }

  /** What an acquire that is refused was given, a later one of the batch would miss. */
  isOpen(session: string): boolean {
    return this.#opened.get(session) ?? this.sessions.has(session);
  }

  loosen({ service, tenant, type, concurrencyKey, policy }: OperationRecord): void {
    const { typeLimit, keyLimit } = policy;
    const group: SlotGroup = { service, tenant, type, typeLimit, concurrencyKey, keyLimit };
    this.room.loosen(group);
    this.loosened++;
  }
}
