// What a batch has come to so far: the read set with all that its commands changed. One command on one operation is
// applied here, with what its change means to slots, parents, receipts, feed and audit.
import type { Instant } from "../../base/clock.ts";
import type { CommandOutcome, OperationCommand, StartCommand } from "../commands.ts";
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
} from "../decision.ts";
import type { OperationKey, OperationRecord, ParentLink, Payload, ReceiptEvent } from "../operation.ts";
import { transition } from "../transition.ts";
import type { Effects } from "../transitions/change.ts";
import { isSettled, mayStillRun } from "../transitions/children.ts";
import { SlotUsers } from "./slot-users.ts";

type Labels = Readonly<Record<string, string>>;

export class Fold {
  readonly readSet: ReadSet;
  readonly now: Instant;
  readonly #operations = new Map<string, OperationRecord>();
  readonly #starts = new Map<string, StartCommand>();
  readonly #requestKeys = new Map<string, RequestKeyRecord>();
  readonly #sessions = new Map<string, SessionRecord | null>();
  readonly #beaten = new Map<string, { heartbeatTime: Instant; node?: string }>();
  readonly #slots: SlotUsers;
  readonly #payloads: PayloadWrite[] = [];
  readonly #attempts: AttemptWrite[] = [];
  readonly #receipts: ReceiptWrite[] = [];
  readonly #events: FeedEvent[] = [];
  readonly #audits: AuditEntry[] = [];

  constructor(readSet: ReadSet, now: Instant) {
    this.readSet = readSet;
    this.now = now;
    this.#slots = new SlotUsers(readSet.slots);
  }

  find(key: OperationKey): OperationRecord | null {
    const text = keyText(key);
    return this.#operations.get(text) ?? this.readSet.operations.get(text) ?? null;
  }

  findParent(child: OperationRecord, { service, name }: ParentLink): OperationRecord | null {
    return this.find({ service, tenant: child.tenant, name });
  }

  /** What the store found for the command at this place of the batch. */
  targets(index: number): readonly OperationKey[] {
    return this.readSet.targets.get(index) ?? [];
  }

  /** The operations that the batch has changed so far: what the store could not know when it looked for targets. */
  changed(): OperationRecord[] {
    return [...this.#operations.values()];
  }

  /** The operations that the batch has started so far, as they now stand. */
  started(): OperationRecord[] {
    return [...this.#starts.keys()].flatMap((text) => this.#operations.get(text) ?? []);
  }

  /** What an operation that the batch has started was asked for; null for others, and where nothing was said. */
  startedWith(key: OperationKey): Payload | null {
    return this.#starts.get(keyText(key))?.request ?? null;
  }

  findRequest(key: Omit<RequestKeyRecord, "digest" | "name">): RequestKeyRecord | null {
    const text = requestKeyText(key);
    return this.#requestKeys.get(text) ?? this.readSet.requestKeys.get(text) ?? null;
  }

  putRequest(request: RequestKeyRecord): void {
    this.#requestKeys.set(requestKeyText(request), request);
  }

  /** The session as the batch left it, with its newest heartbeat; null if it is not open. */
  session(id: string): SessionRecord | null {
    const put = this.#sessions.get(id);
    const session = put === undefined ? (this.readSet.sessions.get(id) ?? null) : put;
    return session && { ...session, ...this.#beaten.get(id) };
  }

  putSession(session: SessionRecord): void {
    this.#sessions.set(session.session, session);
  }

  /** Its lease begins anew; with a node, it is that node's from now on. */
  beat(session: string, node: string | undefined): void {
    const at = node ?? this.#beaten.get(session)?.node;
    this.#beaten.set(session, { heartbeatTime: this.now, ...(at !== undefined && { node: at }) });
  }

  dropSession(session: string): void {
    this.#sessions.set(session, null);
    this.#beaten.delete(session);
  }

  /** Runs a command on its operation; a refused one changes nothing. */
  apply(command: OperationCommand): CommandOutcome {
    const before = this.find(command.key);
    if (command.type === "assign" && before && !this.#slots.areFree(before))
      return { type: "refused", reason: "NOT_RUNNABLE", record: before };
    const result = transition(before, command, this.now);
    if (result.type === "refused") return result;
    if (result.record !== before) {
      if (command.type === "start") this.#starts.set(keyText(command.key), command);
      this.put(before, result.record, result.effects);
    }
    return result.reply;
  }

  /** As `apply`, for what a caller asked: its change is audited. */
  applyAudited(command: OperationCommand): CommandOutcome {
    const before = this.find(command.key);
    const outcome = this.apply(command);
    const after = this.find(command.key);
    if (after !== null && after !== before) this.#audit(command, before, after);
    return outcome;
  }

  /** Takes a changed record, with its effects, and tells its parents when that ended it. */
  put(before: OperationRecord | null, after: OperationRecord, effects: Effects): void {
    const { service, tenant, name, revision, state, updateTime } = after;
    const key = { service, tenant, name };
    this.#operations.set(keyText(key), after);
    this.#slots.moved(before, after);
    for (const write of effects.payloads ?? []) this.#payloads.push({ ...key, ...write });
    for (const attempt of effects.attempts ?? []) this.#attempts.push({ ...key, attempt });
    for (const event of effects.receipt ?? []) this.#receipts.push({ ...key, event });
    if (effects.visible) this.#events.push({ ...key, revision, state, time: updateTime });
    this.#tellParents(before, after);
  }

  /** Adds a line to the receipt of an operation that has one. */
  note(record: OperationRecord, event: ReceiptEvent): void {
    if (record.cancel !== null) this.put(record, record, { visible: false, receipt: [event] });
  }

  /**
   * An operation that has settled (ended, with all that it awaits), or whose stop is known after all, is told to every parent
   * that waits for it: in the same commit, so that a parent never waits for an end that has been.
   */
  #tellParents(before: OperationRecord | null, after: OperationRecord): void {
    const { parents, service, name, state } = after;
    if (parents.length === 0 || before === after || !isSettled(after)) return;
    const wasSettled = before !== null && isSettled(before);
    const unconfirmed = mayStillRun(after);
    if (wasSettled && (unconfirmed || !mayStillRun(before))) return;
    for (const link of parents) {
      const parent = link.detached || link.policy === "abandon" ? null : this.findParent(after, link);
      if (parent === null) continue;
      this.apply({
        type: "childEnded",
        key: { service: parent.service, tenant: parent.tenant, name: parent.name },
        child: { service, name },
        outcome: state === "SUCCEEDED" || state === "CANCELLED" ? state : "FAILED",
        unconfirmed,
        wasUnconfirmed: wasSettled,
      });
    }
  }

  #audit(command: OperationCommand, before: OperationRecord | null, after: OperationRecord): void {
    if (
      command.type !== "start" &&
      command.type !== "cancel" &&
      command.type !== "delete" &&
      command.type !== "override"
    )
      return;
    const { service, tenant, name } = command.key;
    this.#audits.push({
      service,
      tenant,
      name,
      time: this.now,
      action: command.type,
      principal: command.type === "start" ? command.createdBy : command.requestedBy,
      origin: command.origin,
      reason: "reason" in command ? command.reason : "",
      revisionBefore: before?.revision ?? 0,
      revisionAfter: after.revision,
    });
  }

  decision(outcomes: readonly CommandOutcome[]): Decision {
    const inserted: { record: OperationRecord; labels: Labels }[] = [];
    const updated: OperationRecord[] = [];
    for (const [key, record] of this.#operations) {
      const start = this.#starts.get(key);
      if (start) inserted.push({ record, labels: start.labels });
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
      sessionsBeaten: [...this.#beaten].map(([session, beat]) => ({ session, ...beat })),
      sessionsClosed: sessions.flatMap(([id, session]) => (session === null ? [id] : [])),
      slots: this.#slots.changes(),
      events: this.#events,
      audits: this.#audits,
    };
  }
}
