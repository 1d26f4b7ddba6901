// The dumbest store there is: `decide` over maps, targets found by looking at every operation. What a real store does is
// compared with it.
import type { Instant } from "../../../src/base/clock.ts";
import type { Command, CommandOutcome } from "../../../src/engine/commands.ts";
import { decide } from "../../../src/engine/decide.ts";
import {
  type Decision,
  keyText,
  type ReadSet,
  type RequestKeyRecord,
  requestKeyText,
  type SessionRecord,
  slotText,
} from "../../../src/engine/decision.ts";
import {
  type AttemptRecord,
  type CancelRequest,
  isDone,
  nextTimer,
  type OperationKey,
  type OperationRecord,
  type Payload,
  type ReceiptEvent,
} from "../../../src/engine/operation.ts";

export interface ModelEvent {
  name: string;
  revision: number;
  state: string;
}

/** Everything in maps, in the order in which it came. */
export class MemoryModel {
  readonly operations = new Map<string, OperationRecord>();
  readonly requestKeys = new Map<string, RequestKeyRecord>();
  readonly sessions = new Map<string, SessionRecord>();
  readonly slots = new Map<string, number>();
  readonly payloads = new Map<string, Payload>();
  readonly attempts = new Map<string, AttemptRecord[]>();
  readonly receipts = new Map<string, ReceiptEvent[]>();
  /** Of each commit. */
  readonly events: ModelEvent[][] = [];
  /** Of one parent, in the order in which its children came. */
  readonly children = new Map<string, OperationKey[]>();

  commit(commands: readonly Command[], now: Instant): readonly CommandOutcome[] {
    const decision = decide(this.#readSet(commands, now), commands, now);
    // Before the writes: a grant carries the checkpoint that its attempt begins with.
    const outcomes = decision.outcomes.map((outcome): CommandOutcome => {
      if (outcome.type !== "granted") return outcome;
      const grants = outcome.grants.map(({ record, request }) => ({
        record,
        request: this.payloadOf(record, "request") ?? request,
        checkpoint: this.payloadOf(record, "checkpoint"),
      }));
      return { type: "granted", grants };
    });
    this.#apply(decision);
    return outcomes;
  }

  payloadOf(key: OperationKey, kind: string): Payload | null {
    return this.payloads.get(`${keyText(key)}\n${kind}`) ?? null;
  }

  all(): OperationRecord[] {
    return [...this.operations.values()];
  }

  #readSet(commands: readonly Command[], now: Instant): ReadSet {
    const { operations, requestKeys, sessions, slots } = this;
    const targets = new Map(commands.map((command, index) => [index, this.#targets(command, now)]));
    const expired = new Map(commands.map((command, index) => [index, this.#expired(command, now)]));
    return { operations, requestKeys, sessions, slots, targets, expired };
  }

  #expired(command: Command, now: Instant): string[] {
    if (command.type !== "expireSessions") return [];
    const timed = [...this.sessions.values()].filter(({ leaseMs }) => leaseMs > 0);
    const leaseEnd = (session: SessionRecord): Instant => session.heartbeatTime + session.leaseMs * 1000;
    const sorted = timed
      .filter((session) => leaseEnd(session) <= now)
      .sort((a, b) => leaseEnd(a) - leaseEnd(b) || (a.session < b.session ? -1 : 1));
    return sorted.map(({ session }) => session).slice(0, command.limit);
  }

  #targets(command: Command, now: Instant): OperationRecord[] {
    const all = this.all();
    switch (command.type) {
      // More than a store names: blocked ones too, and all of them. `decide` passes over what it cannot grant.
      case "acquire":
        return all
          .filter(
            ({ state, lease, type }) => state === "PENDING" && lease === null && command.types.includes(type),
          )
          .filter(({ startAfter, deadline }) => startAfter <= now && (deadline === null || deadline > now))
          .sort((a, b) => b.priority - a.priority || a.startAfter - b.startAfter);
      case "tickDue": {
        const timerOf = (record: OperationRecord): Instant => nextTimer(record) ?? Number.POSITIVE_INFINITY;
        return all.filter((record) => timerOf(record) <= now).sort((a, b) => timerOf(a) - timerOf(b));
      }
      case "closeSession":
        return this.heldBy(command.session);
      case "expireSessions":
        return this.#expired(command, now).flatMap((session) => this.heldBy(session));
      case "sweepChildren":
        return [...this.children.values()]
          .flat()
          .flatMap((key) => this.operations.get(keyText(key)) ?? [])
          .filter((record) => this.#isToSweep(record));
      case "restartWatch":
        return all
          .filter(({ state }) => state === "PENDING" || state === "RUNNING")
          .filter(({ watchDeadline }) => watchDeadline !== null && watchDeadline < command.before)
          .sort((a, b) => (a.watchDeadline ?? 0) - (b.watchDeadline ?? 0));
      case "start": {
        const { service, tenant } = command.key;
        return all.filter(
          (record) =>
            command.supersedeKey !== "" &&
            record.supersedeKey === command.supersedeKey &&
            record.service === service &&
            record.tenant === tenant &&
            record.type === command.operationType &&
            !isDone(record.state) &&
            record.cancel === null,
        );
      }
      default:
        return [];
    }
  }

  /** What a session has by lease, then what was taken from it. */
  heldBy(session: string): OperationRecord[] {
    const all = this.all();
    const leased = all.filter(({ lease }) => lease?.session === session);
    return [...leased, ...all.filter(({ held }) => held?.session === session)];
  }

  #isToSweep({ tenant, state, cancel, parents }: OperationRecord): boolean {
    if (isDone(state)) return false;
    return parents.some(({ service, name, policy, detached }) => {
      const parent = this.operations.get(keyText({ service, tenant, name }));
      if (!parent || policy !== "cancel" || detached) return false;
      const isClosed = parent.state === "CANCELLING" || isDone(parent.state);
      return isClosed && (cancel === null || presses(parent, cancel));
    });
  }

  #apply(decision: Decision): void {
    const records = [...decision.inserted.map(({ record }) => record), ...decision.updated];
    for (const record of records) this.operations.set(keyText(record), record);
    for (const record of records) this.#noteChildren(record);
    for (const write of decision.payloads)
      this.payloads.set(`${keyText(write)}\n${write.kind}`, write.payload);
    for (const write of decision.attempts) append(this.attempts, keyText(write), write.attempt);
    for (const write of decision.receipts) append(this.receipts, keyText(write), write.event);
    for (const key of decision.requestKeys) this.requestKeys.set(requestKeyText(key), key);
    for (const session of decision.sessionsOpened) this.sessions.set(session.session, session);
    for (const { session, ...beat } of decision.sessionsBeaten) {
      const known = this.sessions.get(session);
      if (known) this.sessions.set(session, { ...known, ...beat });
    }
    for (const session of decision.sessionsClosed) this.sessions.delete(session);
    for (const { used, ...slot } of decision.slots) this.slots.set(slotText(slot), used);
    this.events.push(decision.events.map(({ name, revision, state }) => ({ name, revision, state })));
  }

  #noteChildren({ service, tenant, name, parents }: OperationRecord): void {
    for (const link of parents) {
      const parent = keyText({ service: link.service, tenant, name: link.name });
      const known = this.children.get(parent) ?? [];
      if (known.some((key) => key.name === name && key.service === service)) continue;
      append(this.children, parent, { service, tenant, name });
    }
  }
}

function append<T>(lists: Map<string, T[]>, key: string, value: T): void {
  lists.set(key, [...(lists.get(key) ?? []), value]);
}

/** A parent was forced, or its grace was made shorter than its policy has it, and its child knows of neither. */
function presses({ cancel: own, policy }: OperationRecord, cancel: CancelRequest): boolean {
  if (own === null || cancel.force) return false;
  if (own.force) return true;
  const isCut = own.graceEndTime - own.requestTime < policy.cancel.graceMs * 1000;
  return isCut && cancel.graceEndTime > own.graceEndTime && cancel.graceEndTime > cancel.requestTime;
}
