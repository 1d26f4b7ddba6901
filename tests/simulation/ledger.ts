// A store in memory that keeps exactly what `decide` answers: for the searches and the transcripts only. It finds the
// targets of batch commands as the store port says, and every change makes a new ledger.
import type { Command } from "../../src/engine/commands.ts";
import { decide } from "../../src/engine/decide.ts";
import {
  type Decision,
  keyText,
  type ReadSet,
  type RequestKeyRecord,
  requestKeyText,
  type SessionRecord,
} from "../../src/engine/decision.ts";
import { isDone, nextTimer, type OperationKey, type OperationRecord } from "../../src/engine/operation.ts";

export class Ledger {
  readonly operations: ReadonlyMap<string, OperationRecord>;
  readonly requestKeys: ReadonlyMap<string, RequestKeyRecord>;
  readonly sessions: ReadonlyMap<string, SessionRecord>;

  constructor(
    operations: ReadonlyMap<string, OperationRecord> = new Map(),
    requestKeys: ReadonlyMap<string, RequestKeyRecord> = new Map(),
    sessions: ReadonlyMap<string, SessionRecord> = new Map(),
  ) {
    this.operations = operations;
    this.requestKeys = requestKeys;
    this.sessions = sessions;
  }

  find(key: OperationKey): OperationRecord | null {
    return this.operations.get(keyText(key)) ?? null;
  }

  /** What a store would load for a batch: all of it, and the targets as they are before the batch. */
  readSet(commands: readonly Command[], now: number): ReadSet {
    const targets = new Map<number, readonly OperationKey[]>();
    commands.forEach((command, index) => {
      const found = this.#targets(command, now);
      if (found) targets.set(index, found);
    });
    return { operations: this.operations, requestKeys: this.requestKeys, sessions: this.sessions, targets };
  }

  /** Decides a batch, and answers the ledger after it. */
  commit(commands: readonly Command[], now: number): { decision: Decision; next: Ledger } {
    const decision = decide(this.readSet(commands, now), commands, now);
    return { decision, next: this.#with(decision) };
  }

  #targets(command: Command, now: number): OperationKey[] | null {
    const all = [...this.operations.values()];
    switch (command.type) {
      case "acquire":
        return all
          .filter((record) => command.types.includes(record.type) && isReady(record, now))
          .sort((a, b) => a.startAfter - b.startAfter || a.createTime - b.createTime)
          .slice(0, command.limit)
          .map(keyOf);
      case "closeSession":
        return all.filter((record) => isHeldBySession(record, command.session)).map(keyOf);
      case "tickDue":
        return all
          .filter((record) => isDue(record, now))
          .slice(0, command.limit)
          .map(keyOf);
      default:
        return null;
    }
  }

  #with(decision: Decision): Ledger {
    const { inserted, updated, requestKeys, sessionsOpened, sessionsBeaten, sessionsClosed } = decision;
    const operations = new Map(this.operations);
    for (const { record } of inserted) operations.set(keyText(record), record);
    for (const record of updated) operations.set(keyText(record), record);
    const keys = new Map(this.requestKeys);
    for (const key of requestKeys) keys.set(requestKeyText(key), key);
    const sessions = new Map(this.sessions);
    for (const session of sessionsOpened) sessions.set(session.session, session);
    for (const { session, heartbeatTime } of sessionsBeaten) {
      const known = sessions.get(session);
      if (known) sessions.set(session, { ...known, heartbeatTime });
    }
    for (const session of sessionsClosed) sessions.delete(session);
    return new Ledger(operations, keys, sessions);
  }
}

function keyOf({ service, tenant, name }: OperationRecord): OperationKey {
  return { service, tenant, name };
}

function isReady(record: OperationRecord, now: number): boolean {
  return record.state === "PENDING" && record.lease === null && record.startAfter <= now;
}

/** Work of the session, and work that was taken from it and may still run. */
function isHeldBySession(record: OperationRecord, session: string): boolean {
  return record.lease?.session === session || record.held?.session === session;
}

function isDue(record: OperationRecord, now: number): boolean {
  const timer = nextTimer(record);
  return !isDone(record.state) && timer !== null && timer <= now;
}
