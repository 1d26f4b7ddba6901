// decide: folds a batch of commands over what the store read, and answers the rows to write. Pure, like `transition`.
// Later commands of a batch see what earlier ones did. The store runs it inside its transaction.
import type { Instant } from "../base/clock.ts";
import type {
  AcquireCommand,
  CloseSessionCommand,
  Command,
  CommandOutcome,
  OperationCommand,
  StartCommand,
  TickDueCommand,
} from "./commands.ts";
import {
  type AttemptWrite,
  type AuditEntry,
  type Decision,
  type FeedEvent,
  keyText,
  type PayloadWrite,
  type ReadSet,
  type ReceiptWrite,
  type RequestKeyRecord,
  requestKeyText,
  type SessionRecord,
} from "./decision.ts";
import type { OperationKey, OperationRecord } from "./operation.ts";
import { type Transition, transition } from "./transition.ts";

/**
 * Runs a batch in order at one instant. Each command gets its own outcome; a refused one changes nothing and does
 * not stop the others. Needs every row that the commands name to be in the read set.
 */
export function decide(readSet: ReadSet, commands: readonly Command[], now: Instant): Decision {
  const fold = new Fold(readSet, now);
  const outcomes = commands.map((command, index) => fold.run(command, index));
  return fold.decision(outcomes);
}

class Fold {
  readonly #readSet: ReadSet;
  readonly #now: Instant;
  readonly #operations = new Map<string, OperationRecord>();
  readonly #insertedLabels = new Map<string, Readonly<Record<string, string>>>();
  readonly #requestKeys = new Map<string, RequestKeyRecord>();
  readonly #sessions = new Map<string, SessionRecord | null>();
  readonly #beaten = new Map<string, Instant>();
  readonly #payloads: PayloadWrite[] = [];
  readonly #attempts: AttemptWrite[] = [];
  readonly #receipts: ReceiptWrite[] = [];
  readonly #events: FeedEvent[] = [];
  readonly #audits: AuditEntry[] = [];

  constructor(readSet: ReadSet, now: Instant) {
    this.#readSet = readSet;
    this.#now = now;
  }

  run(command: Command, index: number): CommandOutcome {
    switch (command.type) {
      case "start":
        return this.#start(command);
      case "openSession": {
        const { type: _, ...session } = command;
        this.#sessions.set(command.session, { ...session, openTime: this.#now, heartbeatTime: this.#now });
        return { type: "session" };
      }
      case "heartbeat":
        if (!this.#session(command.session)) return refusedSession;
        this.#beaten.set(command.session, this.#now);
        return { type: "session" };
      case "closeSession":
        return this.#closeSession(command, index);
      case "acquire":
        return this.#acquire(command, index);
      case "tickDue":
        return this.#tickDue(command, index);
      default:
        return this.#operation(command);
    }
  }

  decision(outcomes: readonly CommandOutcome[]): Decision {
    const inserted: { record: OperationRecord; labels: Readonly<Record<string, string>> }[] = [];
    const updated: OperationRecord[] = [];
    for (const [key, record] of this.#operations) {
      const labels = this.#insertedLabels.get(key);
      if (labels) inserted.push({ record, labels });
      else updated.push(record);
    }
    const sessions = [...this.#sessions];
    return {
      outcomes,
      inserted,
      updated,
      payloads: this.#payloads,
      attempts: this.#attempts,
      receipts: this.#receipts,
      requestKeys: [...this.#requestKeys.values()],
      sessionsOpened: sessions.flatMap(([, session]) => session ?? []),
      sessionsBeaten: [...this.#beaten].map(([session, heartbeatTime]) => ({ session, heartbeatTime })),
      sessionsClosed: sessions.flatMap(([id, session]) => (session === null ? [id] : [])),
      events: this.#events,
      audits: this.#audits,
    };
  }

  #find(key: OperationKey): OperationRecord | null {
    const text = keyText(key);
    return this.#operations.get(text) ?? this.#readSet.operations.get(text) ?? null;
  }

  #session(id: string): SessionRecord | null {
    const opened = this.#sessions.get(id);
    return opened === undefined ? (this.#readSet.sessions.get(id) ?? null) : opened;
  }

  /** A request id that was used answers the operation it made, whatever became of it (AIP-155); never a second one (S4). */
  #start(command: StartCommand): CommandOutcome {
    const { requestKey, key } = command;
    if (requestKey === null) return this.#operation(command);
    const text = requestKeyText({ ...key, ...requestKey });
    const known = this.#requestKeys.get(text) ?? this.#readSet.requestKeys.get(text);
    if (!known) {
      const outcome = this.#operation(command);
      const { service, tenant, name } = key;
      if (outcome.type === "operation") this.#requestKeys.set(text, { service, tenant, ...requestKey, name });
      return outcome;
    }
    const record = this.#find({ ...key, name: known.name });
    if (known.digest !== requestKey.digest) return { type: "refused", reason: "REQUEST_ID_REUSED", record };
    if (record === null) return { type: "refused", reason: "NOT_FOUND", record: null };
    return { type: "operation", record, changed: false };
  }

  #closeSession(command: CloseSessionCommand, index: number): CommandOutcome {
    const { session, survivors } = command;
    const targets = new Map((this.#readSet.targets.get(index) ?? []).map((key) => [keyText(key), key]));
    // The store looked before the batch. Granted meanwhile: acquire(w1) -> close(w1) in one batch. Without this the
    // grant would stay with a session that is gone, until its attempt times out.
    for (const [text, record] of this.#operations) {
      const { service, tenant, name } = record;
      if (record.lease?.session === session) targets.set(text, { service, tenant, name });
    }
    const count = this.#each([...targets.values()], (key) => ({
      type: "expireLease",
      key,
      session,
      survived: survivors.includes(key.name),
    }));
    this.#sessions.set(session, null);
    return { type: "settled", count };
  }

  #tickDue(_command: TickDueCommand, index: number): CommandOutcome {
    const targets = this.#readSet.targets.get(index) ?? [];
    return { type: "settled", count: this.#each(targets, (key) => ({ type: "tick", key })) };
  }

  #acquire(command: AcquireCommand, index: number): CommandOutcome {
    const { session, guarded, begin, limit } = command;
    if (!this.#session(session)) return refusedSession;
    const grants: { record: OperationRecord; request: null; checkpoint: null }[] = [];
    for (const key of this.#readSet.targets.get(index) ?? []) {
      if (grants.length >= limit) break;
      const outcome = this.#operation({ type: "assign", key, session, guarded, begin });
      if (outcome.type === "operation")
        grants.push({ record: outcome.record, request: null, checkpoint: null });
    }
    return { type: "granted", grants };
  }

  #each(targets: readonly OperationKey[], make: (key: OperationKey) => OperationCommand): number {
    let count = 0;
    for (const key of targets) {
      const outcome = this.#operation(make(key));
      if (outcome.type !== "refused") count++;
    }
    return count;
  }

  #operation(command: OperationCommand): CommandOutcome {
    const before = this.#find(command.key);
    const result = transition(before, command, this.#now);
    if (result.type === "refused") return result;
    if (result.record !== before) this.#write(command, before, result);
    return result.reply;
  }

  #write(command: OperationCommand, before: OperationRecord | null, result: Transition): void {
    const { record, effects } = result;
    const { service, tenant, name } = command.key;
    this.#operations.set(keyText(command.key), record);
    if (command.type === "start") this.#insertedLabels.set(keyText(command.key), command.labels);
    for (const write of effects.payloads ?? []) this.#payloads.push({ service, tenant, name, ...write });
    for (const attempt of effects.attempts ?? []) this.#attempts.push({ service, tenant, name, attempt });
    for (const event of effects.receipt ?? []) this.#receipts.push({ service, tenant, name, event });
    if (effects.visible) {
      const { revision, state, updateTime } = record;
      this.#events.push({ service, tenant, name, revision, state, time: updateTime });
    }
    this.#audit(command, before, record);
  }

  #audit(command: OperationCommand, before: OperationRecord | null, record: OperationRecord): void {
    if (command.type !== "start" && command.type !== "cancel" && command.type !== "delete") return;
    const { service, tenant, name } = command.key;
    this.#audits.push({
      service,
      tenant,
      name,
      time: this.#now,
      action: command.type,
      principal: command.type === "start" ? command.createdBy : command.requestedBy,
      origin: command.origin,
      reason: command.type === "cancel" ? command.reason : "",
      revisionBefore: before?.revision ?? 0,
      revisionAfter: record.revision,
    });
  }
}

const refusedSession: CommandOutcome = { type: "refused", reason: "SESSION_UNKNOWN", record: null };
