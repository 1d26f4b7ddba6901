// Loads what a batch of commands may look at, the read set of `decide`, in waves of one round trip: what the commands name
// and the store finds for them; then the ancestors of that, and what was found of it. What is read is locked, but for
// what this process remembers: writing that is a compare-and-set.
import type { Instant } from "../../base/clock.ts";
import type { AcquireCommand, Command } from "../../engine/commands.ts";
import {
  byStartOrder,
  keyText,
  type ReadSet,
  type RequestKeyRecord,
  requestKeyText,
  type SessionRecord,
  slotsOf,
  slotText,
} from "../../engine/decision.ts";
import type {
  OperationKey,
  OperationRecord,
  Payload,
  PayloadKind,
  StoredOperation,
} from "../../engine/operation.ts";
import {
  OPERATION_COLUMNS,
  type OperationRow,
  type PayloadRow,
  rowToPayload,
  rowToRecord,
  rowToStoredOperation,
  type SqlValue,
  type StoredRow,
} from "../operation-rows.ts";
import { rowToSession, type SessionRow } from "../session-rows.ts";
import { takeSlots } from "./commit-statements.ts";
import type { HeldOperations } from "./held-operations.ts";
import type { HeldSessions } from "./held-sessions.ts";
import { keyRow, sortedKeys } from "./key-rows.ts";
import { PendingPool } from "./pending-pool.ts";
import type { Rows, Step } from "./postgres-burst.ts";
import { columnArray } from "./postgres-values.ts";
import type { BindValue, ColumnValue, Statement } from "./queryable.ts";
import * as statements from "./read-statements.ts";

/** Where in a StoredRow with a version the version is; and in an OperationRow with one. */
const STORED_COLUMNS = OPERATION_COLUMNS.length + 6;
const BARE_COLUMNS = OPERATION_COLUMNS.length;

/** The payloads of an operation by their kinds. */
export type KindPayloads = Readonly<Partial<Record<PayloadKind, Payload | null>>>;

export interface LoadedReadSet extends ReadSet {
  /** The operations of the read set with their response and metadata, by keyText. */
  stored: ReadonlyMap<string, StoredOperation>;
  /** The version of each of them. */
  versions: ReadonlyMap<string, number>;
  /** Those that were taken from memory, without a lock. */
  remembered: ReadonlySet<string>;
  /** Sessions that were taken from memory, without a lock. */
  rememberedSessions: ReadonlyMap<string, SessionRecord>;
  isFromMemory: boolean;
  /** What acquires have found, by keyText: locked rows whose payloads are not read yet. */
  bare: ReadonlyMap<string, OperationRecord>;
  /** Slots that are locked: their counts are in `slots`. Others are not counted, and written as differences. */
  lockedSlots: readonly { row: SqlValue[]; used: number }[];
}

/** How a batch is read. `careful`: after a lost race, nothing from memory, and what is most likely new is looked up. */
export type LoadMode = "hopeful" | "careful";

export interface LoadScope {
  commands: readonly Command[];
  mode: LoadMode;
  held: HeldOperations;
  heldSessions: HeldSessions;
  now: Instant;
  /** How far apart the clocks of two nodes may be, in microseconds: what another one made ready is ready here. */
  toleranceUs: number;
  /** Sends the steps inside of the batch's transaction, which the first call begins. */
  ask(steps: readonly Step[]): Promise<Rows[]>;
}

interface Question {
  step: Step;
  take(rows: Rows): void;
}

/** Loads the read set of a batch. */
export async function loadReadSet(scope: LoadScope): Promise<LoadedReadSet> {
  const loading = new Loading(scope);
  loading.askForCommands();
  await loading.run();
  return loading;
}

class Loading implements LoadedReadSet {
  readonly operations = new Map<string, OperationRecord>();
  readonly stored = new Map<string, StoredOperation>();
  readonly versions = new Map<string, number>();
  readonly remembered = new Set<string>();
  readonly rememberedSessions = new Map<string, SessionRecord>();
  readonly requestKeys = new Map<string, RequestKeyRecord>();
  readonly sessions = new Map<string, SessionRecord>();
  readonly slots = new Map<string, number>();
  readonly targets = new Map<number, readonly OperationKey[]>();
  readonly expired = new Map<number, readonly string[]>();
  readonly bare = new Map<string, OperationRecord>();
  readonly lockedSlots: { row: SqlValue[]; used: number }[] = [];
  readonly #scope: LoadScope;
  readonly #pending: PendingPool;
  /** Of the next wave. */
  #questions: Question[] = [];
  readonly #wanted = new Map<string, OperationKey>();
  readonly #looked = new Set<string>();
  /** Whose payloads may be older than their rows. */
  readonly #doubtful = new Map<string, OperationKey>();
  /** Whether it was looked for what acquires may grant. */
  #isPoolAsked = false;
  /** Operations that commands may give a lease to by their name. */
  readonly #assigned: OperationKey[] = [];

  constructor(scope: LoadScope) {
    this.#scope = scope;
    this.#pending = new PendingPool(scope.now + scope.toleranceUs, () =>
      [...this.operations.values()].filter((record) => slotsOf(record).length > 0),
    );
  }

  get isFromMemory(): boolean {
    return this.remembered.size > 0;
  }

  async run(): Promise<void> {
    for (;;) {
      this.#askForWanted();
      if (this.#questions.length === 0) this.#questions.push(...this.#pending.lastSteps());
      if (this.#questions.length === 0) break;
      const questions = this.#questions;
      this.#questions = [];
      const results = await this.#scope.ask(questions.map(({ step }) => step));
      for (const [index, { take }] of questions.entries()) take(results[index] ?? []);
      this.#askForMore();
    }
    await this.#lockSlots();
    this.#shareOut();
  }

  askForCommands(): void {
    const { commands } = this.#scope;
    this.#askForSessions(commands);
    const requested: RequestKeyRecord[] = [];
    for (const [index, command] of commands.entries()) {
      const isHopeful = command.type === "start" && this.#scope.mode === "hopeful";
      if ("key" in command && !isHopeful) this.#want(command.key);
      if (command.type === "assign") this.#assigned.push(command.key);
      if (command.type === "start") {
        const { key, requestKey, parentAttempt } = command;
        if (requestKey && !isHopeful) requested.push({ ...key, ...requestKey });
        if (parentAttempt) this.#want(parentAttempt.key);
      }
      this.#askForTargets(index, command);
    }
    if (requested.length > 0) this.#askForRequestKeys(requested);
    // How many pending operations the batch ends by itself must be known first.
    this.#isPoolAsked = !commands.some(endsPending);
    if (this.#isPoolAsked) this.#askPool(0);
  }

  #askPool(targets: number): void {
    for (const step of this.#pending.steps(this.#scope.commands, targets)) this.#questions.push(step);
  }

  #askForSessions(commands: readonly Command[]): void {
    const ids = { kept: new Set<string>(), beaten: new Set<string>(), closed: new Set<string>() };
    for (const command of commands) {
      if (command.type === "acquire" && !this.#recalls(command)) ids.kept.add(command.session);
      // A session that moves to another node waits for what its former node is being granted for it, and is seen after it.
      if (command.type === "heartbeat") (command.takesOver ? ids.closed : ids.beaten).add(command.session);
      if (command.type === "closeSession") ids.closed.add(command.session);
    }
    const ask = (statement: Statement, sessions: ReadonlySet<string>): void => {
      if (sessions.size === 0) return;
      const values = [columnArray("text", [...sessions])];
      this.#ask(statement, values, (rows) => {
        for (const row of rows) this.#addSession(row);
      });
    };
    ask(statements.sessionsClosed, ids.closed);
    ask(statements.sessionsBeaten, ids.beaten);
    ask(statements.sessionsKept, ids.kept);
  }

  /** Whether the session can be taken from memory: nothing but the batch itself is looked at for it. */
  #recalls({ onlyStarted, session }: AcquireCommand): boolean {
    const { mode, heldSessions } = this.#scope;
    const held = onlyStarted && mode === "hopeful" ? heldSessions.get(session) : undefined;
    if (held === undefined) return false;
    this.sessions.set(session, held);
    this.rememberedSessions.set(session, held);
    return true;
  }

  #addSession(row: readonly ColumnValue[]): SessionRecord {
    const session = rowToSession(row as unknown as SessionRow);
    this.rememberedSessions.delete(session.session); // it is locked
    this.sessions.set(session.session, session);
    return session;
  }

  #askForTargets(index: number, command: Command): void {
    const { now } = this.#scope;
    switch (command.type) {
      case "start": {
        const { operationType, supersedeKey, key } = command;
        if (supersedeKey !== "")
          this.#target(index, statements.superseded, [key.service, key.tenant, operationType, supersedeKey]);
        break;
      }
      case "tickDue":
        this.#target(index, statements.tickDue, [now, command.limit]);
        break;
      case "sweepChildren":
        this.#target(index, statements.sweepChildren, [command.limit]);
        break;
      case "restartWatch":
        this.#target(index, statements.restartWatch, [command.before, command.limit]);
        break;
      case "closeSession":
        this.#askForHoldings(index, [command.session]);
        break;
      case "expireSessions":
        this.#ask(statements.expiredSessions, [now, command.limit], (rows) => {
          const sessions = rows.map((row) => this.#addSession(row).session);
          this.expired.set(index, sessions);
          this.targets.set(index, []);
          if (sessions.length > 0) this.#askForHoldings(index, sessions);
        });
        break;
      default:
    }
  }

  /** Which operations sessions have; asked behind the lock of the session, so that none is granted any more. */
  #askForHoldings(index: number, sessions: readonly string[]): void {
    this.#ask(statements.sessionOperations, [columnArray("text", sessions)], (rows) => {
      const keys = rows.map(([service, tenant, name]) => ({ service, tenant, name }) as OperationKey);
      this.targets.set(index, keys);
      for (const key of keys) this.#want(key, true);
    });
  }

  #target(index: number, statement: Statement, values: readonly BindValue[]): void {
    this.#ask(statement, values, (rows) => {
      this.targets.set(
        index,
        rows.map((row) => this.#addRow(row)),
      );
    });
  }

  #askForRequestKeys(keys: readonly RequestKeyRecord[]): void {
    const values = [
      columnArray(
        "text",
        keys.map(({ service }) => service),
      ),
      columnArray(
        "text",
        keys.map(({ tenant }) => tenant),
      ),
      columnArray(
        "text",
        keys.map(({ method }) => method),
      ),
      columnArray(
        "text",
        keys.map(({ requestId }) => requestId),
      ),
    ];
    this.#ask(statements.requestKeys, values, (rows) => {
      for (const row of rows) {
        const [service, tenant, method, requestId, digest, name] = row as [
          string,
          string,
          string,
          string,
          string,
          string,
        ];
        const key = { service, tenant, method, requestId, digest, name };
        this.requestKeys.set(requestKeyText(key), key);
        this.#want({ service, tenant, name });
      }
    });
  }

  #ask(statement: Statement, values: readonly BindValue[], take: (rows: Rows) => void): void {
    this.#questions.push({ step: { statement, values }, take });
  }

  /** From memory, or with the next wave. `isFresh`: only a row that is locked will do. */
  #want(key: OperationKey, isFresh = false): void {
    const text = keyText(key);
    if (this.stored.has(text) || this.#looked.has(text)) return;
    const held = this.#scope.mode === "hopeful" && !isFresh ? this.#scope.held.get(text) : undefined;
    if (held) {
      this.remembered.add(text);
      this.#put(text, held.stored, held.version);
    } else this.#wanted.set(text, key);
  }

  #askForWanted(): void {
    const keys = sortedKeys([...this.#wanted.values()].filter((key) => !this.stored.has(keyText(key))));
    this.#wanted.clear();
    if (keys.length === 0) return;
    for (const key of keys) this.#looked.add(keyText(key));
    this.#ask(statements.operationsByKey, keyArrays(keys), (rows) => {
      for (const row of rows) this.#addRow(row);
    });
  }

  /** What the last wave has made a question of. */
  #askForMore(): void {
    if (!this.#isPoolAsked) {
      this.#isPoolAsked = true;
      this.#askPool([...this.targets.values()].reduce((sum, { length }) => sum + length, 0));
    }
    for (const step of this.#pending.moreSteps()) this.#questions.push(step);
    for (const row of this.#pending.takeFound()) {
      const record = rowToRecord(row as unknown as OperationRow);
      const text = keyText(record);
      this.bare.set(text, record);
      // Another command names it: it is loaded, and locked, already.
      if (this.operations.has(text) && !this.remembered.has(text)) continue;
      this.remembered.delete(text);
      this.#put(text, { record, response: null, metadata: null }, row[BARE_COLUMNS] as number);
    }
    const doubtful = [...this.#doubtful.values()];
    this.#doubtful.clear();
    if (doubtful.length > 0)
      this.#ask(statements.payloadsByKey, keyArrays(doubtful), (rows) => this.#takePayloads(rows));
  }

  #takePayloads(rows: Rows): void {
    for (const [text, { response = null }] of payloadsOf(rows)) {
      const stored = this.stored.get(text);
      if (stored) this.stored.set(text, { ...stored, response });
    }
  }

  #addRow(row: readonly ColumnValue[]): OperationRecord {
    const stored = rowToStoredOperation(row as unknown as StoredRow);
    const text = keyText(stored.record);
    const known = this.operations.get(text);
    if (known && !this.remembered.has(text)) return known;
    // The row is newer than what is remembered, and locked.
    this.remembered.delete(text);
    this.#put(text, stored, row[STORED_COLUMNS] as number);
    // Ended between the statement's snapshot and the lock: its response is not in the snapshot.
    if (stored.response === null && stored.record.outcome?.kind === "response")
      this.#doubtful.set(text, stored.record);
    return stored.record;
  }

  /** With its ancestors: its end may be theirs. Links make no circle: a child is younger than its parents. */
  #put(text: string, stored: StoredOperation, version: number): void {
    const { record } = stored;
    this.operations.set(text, record);
    this.stored.set(text, stored);
    this.versions.set(text, version);
    for (const { service, name, detached } of record.parents) {
      if (!detached) this.#want({ service, tenant: record.tenant, name });
    }
  }

  /** Only where somebody may take one: then nobody else does. In the order of their keys, behind all operations. */
  async #lockSlots(): Promise<void> {
    const rows = new Map<string, SqlValue[]>();
    const assigned = this.#assigned.flatMap((key) => this.operations.get(keyText(key)) ?? []);
    const records = [...this.bare.values(), ...assigned];
    for (const record of records) {
      for (const slot of slotsOf(record))
        rows.set(slotText(slot), [slot.service, slot.tenant, slot.type, slot.concurrencyKey, 0]);
    }
    if (rows.size === 0) return;
    const sorted = [...rows].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([, row]) => row);
    const [counts = []] = await this.#scope.ask([takeSlots.step(sorted)]);
    for (const [service, tenant, type, concurrencyKey, used] of counts as [
      string,
      string,
      string,
      string,
      number,
    ][]) {
      this.slots.set(slotText({ service, tenant, type, concurrencyKey }), used);
      this.lockedSlots.push({ row: [service, tenant, type, concurrencyKey], used });
    }
  }

  /**
   * Every acquire may take of all that was found for its types, in order: `decide` passes over what an earlier one was
   * given. Where nothing else can take any, each begins behind what those before it take.
   */
  #shareOut(): void {
    const ordered = [...this.bare.values()].toSorted(byStartOrder);
    const isExact =
      this.lockedSlots.length === 0 && this.#scope.commands.every((command) => this.#isPlain(command));
    const taken = new Map<string, number>();
    for (const [index, command] of this.#scope.commands.entries()) {
      if (command.type !== "acquire" || command.onlyStarted) continue;
      const rest = ordered.filter(({ type }) => command.types.includes(type));
      const [type = ""] = command.types;
      const from = taken.get(type) ?? 0;
      taken.set(type, from + command.limit);
      this.targets.set(index, isExact ? rest.slice(from, from + command.limit) : rest);
    }
  }

  /** It takes no pending operation away from an acquire; or is an acquire that takes as many as it is given. */
  #isPlain(command: Command): boolean {
    switch (command.type) {
      case "acquire":
        return command.types.length === 1 && this.sessions.has(command.session);
      case "start":
        return command.supersedeKey === "";
      case "begin":
      case "complete":
      case "fail":
      case "heartbeat":
      case "progress":
      case "checkpoint":
        return true;
      default:
        return false;
    }
  }
}

/** It may end pending operations that it does not name: those that the first questions find for it. */
function endsPending(command: Command): boolean {
  if (command.type === "start") return command.supersedeKey !== "";
  return command.type === "tickDue" || command.type === "sweepChildren";
}

/** What `payloadsByKey` answered, by keyText. */
export function payloadsOf(rows: Rows): Map<string, KindPayloads> {
  const found = new Map<string, Partial<Record<PayloadKind, Payload | null>>>();
  for (const [service, tenant, name, kind, ...payload] of rows) {
    const text = keyText({ service, tenant, name } as OperationKey);
    const payloads = found.get(text) ?? {};
    payloads[kind as PayloadKind] = rowToPayload(payload as PayloadRow);
    found.set(text, payloads);
  }
  return found;
}

/** Keys as three arrays. */
export function keyArrays(keys: readonly OperationKey[]): BindValue[] {
  const rows = keys.map(keyRow);
  return [0, 1, 2].map((place) =>
    columnArray(
      "text",
      rows.map((row) => row[place] ?? ""),
    ),
  );
}
