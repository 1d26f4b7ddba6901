// Loads what a batch of commands may look at: the read set of `decide`, and what the store itself needs beside it.
import type { DatabaseSync, StatementSync } from "node:sqlite";
import type { Instant } from "../../base/clock.ts";
import type { AcquireCommand, Command, OpenSessionCommand } from "../../engine/commands.ts";
import {
  keyText,
  type ReadSet,
  type RequestKeyRecord,
  requestKeyText,
  type SessionRecord,
} from "../../engine/decision.ts";
import type { OperationKey, OperationRecord, Payload, StoredOperation } from "../../engine/operation.ts";
import { allRows, getRow, prepareRows } from "./database.ts";
import { type PayloadRow, rowToPayload, rowToStoredOperation, type StoredRow } from "./rows.ts";
import * as statements from "./statements.ts";

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

type SessionRow = [string, string, string, string, number, number, string, number, Instant, Instant];

/** Held operations that are kept in memory; a record takes about 2 kB. */
const HELD_MAX = 4096;

/** Prepared once per connection. */
export class ReadSetLoader {
  /**
   * Operations that a session holds, as last committed: their reports come soon, and reading the row is a tenth of a
   * whole life's cost. This connection is the only writer, so they cannot change behind its back.
   */
  readonly #held = new Map<string, StoredOperation>();
  readonly #getOperation: StatementSync;
  readonly #getRequestKey: StatementSync;
  readonly #getSession: StatementSync;
  readonly #acquire: StatementSync;
  readonly #tickDue: StatementSync;
  readonly #closeSession: StatementSync;

  constructor(database: DatabaseSync) {
    this.#getOperation = prepareRows(database, statements.getOperation);
    this.#getRequestKey = prepareRows(database, statements.getRequestKey);
    this.#getSession = prepareRows(database, statements.getSession);
    this.#acquire = prepareRows(database, statements.acquire);
    this.#tickDue = prepareRows(database, statements.tickDue);
    this.#closeSession = prepareRows(database, statements.closeSession);
  }

  /** Call it with what a commit changed, once it is durable. */
  committed(changed: readonly StoredOperation[]): void {
    for (const stored of changed) {
      const text = keyText(stored.record);
      this.#held.delete(text);
      if (stored.record.lease !== null) this.#held.set(text, stored);
    }
    for (const oldest of this.#held.keys()) {
      if (this.#held.size <= HELD_MAX) break;
      this.#held.delete(oldest);
    }
  }

  /** Call it inside the transaction that writes the decision. */
  load(commands: readonly Command[], now: Instant): LoadedReadSet {
    const loading = new Loading();
    let takers = 0;
    for (const [index, command] of commands.entries()) {
      if ("session" in command) this.#loadSession(loading, command.session);
      if ("key" in command) this.#loadOperation(loading, command.key);
      if (command.type === "start" && command.requestKey) {
        this.#loadRequestKey(loading, { ...command.key, ...command.requestKey });
      }
      if (command.type === "cancel" || command.type === "delete" || command.type === "assign") takers++;
      if (command.type === "acquire") this.#findPending(loading, index, command, takers, now);
      if (command.type === "tickDue") {
        loading.target(index, allRows<StoredRow>(this.#tickDue, now, command.limit));
      }
      if (command.type === "closeSession") {
        loading.target(index, allRows<StoredRow>(this.#closeSession, command.session));
      }
    }
    return loading;
  }

  /**
   * Due pending operations that no earlier acquire of the batch was given. One more for each command before it that
   * may take one away: a session that gets fewer than it asked for believes that there is no more.
   */
  #findPending(loading: Loading, index: number, command: AcquireCommand, takers: number, now: Instant): void {
    const wanted = command.limit + takers;
    const found: [...StoredRow, ...PayloadRow, ...PayloadRow][] = [];
    for (const type of new Set(command.types)) {
      const limit = wanted + loading.given.size;
      found.push(
        ...allRows<[...StoredRow, ...PayloadRow, ...PayloadRow]>(this.#acquire, type, now, now, limit),
      );
    }
    const free = found.filter((row) => !loading.given.has(rowKeyText(row)));
    if (command.types.length > 1) free.sort((a, b) => startAfter(a) - startAfter(b));
    const rows = free.slice(0, wanted);
    for (const row of rows) {
      const payloads = row.slice(-6) as [...PayloadRow, ...PayloadRow];
      const [requestType, requestBytes, requestEncoding, ...checkpoint] = payloads;
      const request = rowToPayload([requestType, requestBytes, requestEncoding]);
      loading.grants.set(rowKeyText(row), { request, checkpoint: rowToPayload(checkpoint) });
      loading.given.add(rowKeyText(row));
    }
    loading.target(index, rows as unknown as StoredRow[]);
  }

  #loadOperation(loading: Loading, key: OperationKey): void {
    const text = keyText(key);
    if (loading.stored.has(text)) return;
    const held = this.#held.get(text);
    if (held) {
      loading.put(text, held);
      return;
    }
    const row = getRow<StoredRow>(this.#getOperation, key.service, key.tenant, key.name);
    if (row) loading.add(row);
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
}

function rowKeyText(row: readonly unknown[]): string {
  const [service, tenant, name] = row as [string, string, string];
  return keyText({ service, tenant, name });
}

function startAfter(row: readonly unknown[]): Instant {
  return row[24] as Instant;
}

function rowToSession(row: SessionRow): SessionRecord {
  const [session, kind, worker, types, slots, guarded, bootId, leaseMs, openTime, heartbeatTime] = row;
  return {
    session,
    kind: kind as OpenSessionCommand["kind"],
    worker,
    types: JSON.parse(types) as string[],
    slots,
    guarded: guarded === 1,
    bootId,
    leaseMs,
    openTime,
    heartbeatTime,
  };
}

class Loading implements LoadedReadSet {
  readonly operations = new Map<string, OperationRecord>();
  readonly stored = new Map<string, StoredOperation>();
  readonly requestKeys = new Map<string, RequestKeyRecord>();
  readonly sessions = new Map<string, SessionRecord>();
  readonly targets = new Map<number, readonly OperationKey[]>();
  readonly grants = new Map<string, GrantPayloads>();
  /** What acquires of this batch have found. */
  readonly given = new Set<string>();

  target(index: number, rows: readonly StoredRow[]): void {
    this.targets.set(
      index,
      rows.map((row) => this.add(row)),
    );
  }

  add(row: StoredRow): OperationRecord {
    const text = rowKeyText(row);
    const known = this.operations.get(text);
    if (known) return known;
    const stored = rowToStoredOperation(row);
    this.put(text, stored);
    return stored.record;
  }

  put(text: string, stored: StoredOperation): void {
    this.operations.set(text, stored.record);
    this.stored.set(text, stored);
  }
}
