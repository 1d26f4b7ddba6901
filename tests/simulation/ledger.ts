// A store in memory that keeps exactly what `decide` answers: for the searches and the transcripts only. It loads for a
// batch what ReadSet says, and not a row more, finds targets as it says, and every change makes a new ledger.
import type { Command, StartCommand } from "../../src/engine/commands.ts";
import { decide } from "../../src/engine/decide.ts";
import {
  type Decision,
  keyText,
  type ReadSet,
  type RequestKeyRecord,
  requestKeyText,
  type SessionRecord,
  slotsOf,
  slotText,
} from "../../src/engine/decision.ts";
import {
  type CancelRequest,
  isDone,
  nextTimer,
  type OperationKey,
  type OperationRecord,
  type ParentLink,
} from "../../src/engine/operation.ts";

interface LedgerRows {
  operations: ReadonlyMap<string, OperationRecord>;
  requestKeys: ReadonlyMap<string, RequestKeyRecord>;
  sessions: ReadonlyMap<string, SessionRecord>;
  slots: ReadonlyMap<string, number>;
}

const empty: LedgerRows = {
  operations: new Map(),
  requestKeys: new Map(),
  sessions: new Map(),
  slots: new Map(),
};

export class Ledger {
  readonly operations: ReadonlyMap<string, OperationRecord>;
  readonly requestKeys: ReadonlyMap<string, RequestKeyRecord>;
  readonly sessions: ReadonlyMap<string, SessionRecord>;
  readonly slots: ReadonlyMap<string, number>;

  constructor(rows: LedgerRows = empty) {
    this.operations = rows.operations;
    this.requestKeys = rows.requestKeys;
    this.sessions = rows.sessions;
    this.slots = rows.slots;
  }

  find(key: OperationKey): OperationRecord | null {
    return this.operations.get(keyText(key)) ?? null;
  }

  /** What a store would load for a batch: the rows it is about, and the targets as they are before the batch. */
  readSet(commands: readonly Command[], now: number): ReadSet {
    const targets = new Map<number, readonly OperationKey[]>();
    const expired = new Map<number, readonly string[]>();
    const loading = new Loading(this);
    commands.forEach((command, index) => {
      if (command.type === "expireSessions") expired.set(index, this.#expired(now));
      const found = this.#targets(command, now);
      if (found) targets.set(index, found.map(keyOf));
      for (const record of found ?? []) loading.add(record);
      if ("key" in command) loading.find(command.key);
      if (command.type === "start") loading.start(command);
    });
    const { requestKeys, sessions } = this;
    return { operations: loading.operations, requestKeys, sessions, slots: loading.slots, targets, expired };
  }

  /** Decides a batch, and answers the ledger after it. */
  commit(commands: readonly Command[], now: number): { decision: Decision; next: Ledger } {
    const decision = decide(this.readSet(commands, now), commands, now);
    return { decision, next: this.#with(decision) };
  }

  #expired(now: number): string[] {
    return [...this.sessions.values()]
      .filter(
        ({ kind, heartbeatTime, leaseMs }) => kind === "remote" && heartbeatTime + leaseMs * 1000 <= now,
      )
      .map(({ session }) => session);
  }

  #targets(command: Command, now: number): OperationRecord[] | null {
    const all = [...this.operations.values()];
    switch (command.type) {
      case "acquire":
        return all
          .filter((record) => command.types.includes(record.type) && isReady(record, now))
          .sort(
            (a, b) => b.priority - a.priority || a.startAfter - b.startAfter || a.createTime - b.createTime,
          );
      case "closeSession":
        return all.filter((record) => isHeldBySession(record, command.session));
      case "expireSessions":
        return this.#expired(now).flatMap((session) => all.filter((one) => isHeldBySession(one, session)));
      case "tickDue":
        return all.filter((record) => isDue(record, now)).slice(0, command.limit);
      case "sweepChildren":
        return all.filter((record) => this.#isUnswept(record)).slice(0, command.limit);
      case "restartWatch":
        return all.filter(
          ({ state, watchDeadline }) =>
            (state === "PENDING" || state === "RUNNING") &&
            (watchDeadline ?? command.before) < command.before,
        );
      case "start":
        return command.supersedeKey === "" ? null : all.filter((record) => isSuperseded(record, command));
      default:
        return null;
    }
  }

  #isUnswept(record: OperationRecord): boolean {
    if (isDone(record.state)) return false;
    return record.parents.some((link) => {
      const parent = parentOf(this, record, link);
      const isClosed = parent === null || parent.state === "CANCELLING" || isDone(parent.state);
      const isToTell = record.cancel === null || (parent !== null && presses(parent, record.cancel));
      return !link.detached && link.policy === "cancel" && isClosed && isToTell;
    });
  }

  #with(decision: Decision): Ledger {
    const { inserted, updated, requestKeys, sessionsOpened, sessionsBeaten, sessionsClosed } = decision;
    if (wroteNothing(decision)) return this;
    const operations = new Map(this.operations);
    for (const { record } of inserted) operations.set(keyText(record), record);
    for (const record of updated) operations.set(keyText(record), record);
    const keys = new Map(this.requestKeys);
    for (const key of requestKeys) keys.set(requestKeyText(key), key);
    const sessions = new Map(this.sessions);
    for (const session of sessionsOpened) sessions.set(session.session, session);
    for (const { session, ...beat } of sessionsBeaten) {
      const known = sessions.get(session);
      if (known) sessions.set(session, { ...known, ...beat });
    }
    for (const session of sessionsClosed) sessions.delete(session);
    const slots = new Map(this.slots);
    for (const slot of decision.slots) slots.set(slotText(slot), slot.used);
    return new Ledger({ operations, requestKeys: keys, sessions, slots });
  }
}

function wroteNothing({ inserted, updated, requestKeys, slots, ...decision }: Decision): boolean {
  const { sessionsOpened, sessionsBeaten, sessionsClosed } = decision;
  const rows = [inserted, updated, requestKeys, slots, sessionsOpened, sessionsBeaten, sessionsClosed];
  return rows.every(({ length }) => length === 0);
}

function parentOf(
  ledger: Ledger,
  child: OperationRecord,
  { service, name }: ParentLink,
): OperationRecord | null {
  return ledger.find({ service, tenant: child.tenant, name });
}

/** Collects the rows of a read set: each with its ancestors and the counters of its slots. */
class Loading {
  readonly operations = new Map<string, OperationRecord>();
  readonly slots = new Map<string, number>();
  readonly #ledger: Ledger;

  constructor(ledger: Ledger) {
    this.#ledger = ledger;
  }

  find(key: OperationKey): void {
    const record = this.#ledger.find(key);
    if (record) this.add(record);
  }

  add(record: OperationRecord): void {
    const text = keyText(record);
    if (this.operations.has(text)) return;
    this.operations.set(text, record);
    this.#count(record);
    for (const link of record.parents)
      if (!link.detached) this.find({ service: link.service, tenant: record.tenant, name: link.name });
  }

  start(command: StartCommand): void {
    const { key, requestKey, parentAttempt, operationType: type, concurrencyKey, policy } = command;
    this.#count({ service: key.service, tenant: key.tenant, type, concurrencyKey, policy });
    const known = requestKey && this.#ledger.requestKeys.get(requestKeyText({ ...key, ...requestKey }));
    if (known) this.find(known);
    if (parentAttempt) this.find(parentAttempt.key);
  }

  #count(user: Parameters<typeof slotsOf>[0]): void {
    for (const slot of slotsOf(user)) {
      const used = this.#ledger.slots.get(slotText(slot));
      if (used !== undefined) this.slots.set(slotText(slot), used);
    }
  }
}

function keyOf({ service, tenant, name }: OperationRecord): OperationKey {
  return { service, tenant, name };
}

function isReady(record: OperationRecord, now: number): boolean {
  return record.state === "PENDING" && record.lease === null && record.startAfter <= now;
}

function isSuperseded(record: OperationRecord, { key, operationType, supersedeKey }: StartCommand): boolean {
  const { service, tenant, type, state, cancel } = record;
  const isSame = service === key.service && tenant === key.tenant && type === operationType;
  return isSame && record.supersedeKey === supersedeKey && !isDone(state) && cancel === null;
}

/** Work of the session, and work that was taken from it and may still run. */
function isHeldBySession(record: OperationRecord, session: string): boolean {
  return record.lease?.session === session || record.held?.session === session;
}

function isDue(record: OperationRecord, now: number): boolean {
  const timer = nextTimer(record);
  return !isDone(record.state) && timer !== null && timer <= now;
}

/** A parent was forced, or its grace was made shorter than its policy has it, and its child knows of neither. */
function presses({ cancel: own, policy }: OperationRecord, cancel: CancelRequest): boolean {
  if (own === null || cancel.force) return false;
  if (own.force) return true;
  const isCut = own.graceEndTime - own.requestTime < policy.cancel.graceMs * 1000;
  return isCut && cancel.graceEndTime > own.graceEndTime && cancel.graceEndTime > cancel.requestTime;
}
