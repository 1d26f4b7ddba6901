// The engine's shell: turns calls into commands, commits them, wakes waiters, workers and timers. All rules are in
// `transition`; everything durable is in the store.
import type { Clock, Instant } from "../base/clock.ts";
import { makeId } from "../base/ids.ts";
import type { Logger } from "../base/logger.ts";
import { type FieldViolation, RpcError } from "../base/rpc-error.ts";
import type { Command, CommandOutcome, OpenSessionCommand, Verdict } from "./commands.ts";
import { Committer } from "./committer.ts";
import { keyText } from "./decision.ts";
import { RetentionPruner } from "./maintenance/retention-pruner.ts";
import { TimerKeeper } from "./maintenance/timer-keeper.ts";
import {
  isDone,
  nextTimer,
  type OperationDetail,
  type OperationKey,
  type OperationPolicy,
  type Payload,
  type StoredOperation,
  type StoredReceipt,
} from "./operation.ts";
import { refusalError } from "./refusal-error.ts";
import { Session } from "./session.ts";
import type { ListPage, ListQuery, Store } from "./store.ts";
import { Waiters } from "./waiters.ts";
import type { WorkerTransport } from "./worker-transport.ts";

export interface StartRequest {
  service: string;
  tenant: string;
  /** Three letters in front of the id. */
  idPrefix: string;
  /** `""` or pairs of segments, checked by the caller. */
  parent: string;
  type: string;
  createdBy: string;
  origin: string;
  description: string;
  labels: Readonly<Record<string, string>>;
  request: Payload | null;
  metadata: Payload | null;
  /** `""` for none. */
  requestId: string;
  requestDigest: string;
  method: string;
  cancellable?: boolean;
  graceMs?: number;
  deadline: Instant | null;
}

export interface CancelCall {
  key: OperationKey;
  requestedBy: string;
  reason: string;
  origin: string;
  graceMs: number | null;
  /** The native surface still reaches what a client deleted while it ran. */
  includeDeleted?: boolean;
}

/** A JSON object, as handlers and checks take it. */
export type StartInput = { [key: string]: StartInputValue };
export type StartInputValue = null | boolean | number | string | StartInputValue[] | StartInput;

/** What is wrong with the input of a start; an empty list for nothing. */
export type StartCheck = (input: StartInput) => readonly FieldViolation[];

/** Keeps operations, durably, and moves them along. One per server process. */
export class Engine {
  readonly clock: Clock;
  readonly #store: Store;
  readonly #committer: Committer;
  readonly #waiters = new Waiters();
  readonly #policies = new Map<string, OperationPolicy>();
  readonly #startChecks = new Map<string, StartCheck>();
  readonly #sessions = new Map<string, Session>();
  readonly #timers: TimerKeeper;
  readonly #pruner: RetentionPruner;

  constructor(options: { store: Store; logger: Logger }) {
    const { store, logger } = options;
    this.#store = store;
    this.clock = store.clock;
    this.#committer = new Committer(
      store,
      (changed) => this.#changed(changed),
      (outcome) => this.#granted(outcome),
    );
    this.#timers = new TimerKeeper({
      clock: store.clock,
      store,
      logger,
      tickDue: () => this.#submit({ type: "tickDue", limit: TICK_BATCH }),
      startDue: () => this.#wakeSessions(),
    });
    this.#pruner = new RetentionPruner({ store, logger });
  }

  /** Starts the maintenance: deadlines, retries that are due, retention. */
  startMaintenance(): void {
    this.#timers.start();
    this.#pruner.start();
  }

  /**
   * Declares an operation type; its policy is stored with each operation that starts. The check is not: it is code of this
   * process, for the services to ask before they call `start`, which does not ask it.
   */
  registerType(type: string, policy: OperationPolicy, check?: StartCheck): void {
    this.#policies.set(type, policy);
    if (check === undefined) this.#startChecks.delete(type);
    else this.#startChecks.set(type, check);
  }

  /** The check that a type was registered with, if it was with one. */
  startCheck(type: string): StartCheck | undefined {
    return this.#startChecks.get(type);
  }

  /** The declared operation types, sorted. */
  get types(): readonly string[] {
    return [...this.#policies.keys()].sort();
  }

  hasType(type: string): boolean {
    return this.#policies.has(type);
  }

  /** Stores an operation. With a request id that was used before: the operation it made, `created` false. */
  async start(request: StartRequest): Promise<{ operation: StoredOperation; created: boolean }> {
    const policy = this.#policies.get(request.type);
    if (!policy) throw unknownType(request.type, this.types);
    const { service, tenant, parent, requestId } = request;
    const id = makeId(request.idPrefix, this.clock.now());
    const name = parent === "" ? `operations/${id}` : `${parent}/operations/${id}`;
    const outcome = await this.#submit({
      type: "start",
      key: { service, tenant, name },
      id,
      parent,
      operationType: request.type,
      createdBy: request.createdBy,
      origin: request.origin,
      description: request.description,
      labels: request.labels,
      policy: { ...policy, cancel: cancelPolicyOf(policy, request) },
      startAfter: 0,
      deadline: request.deadline,
      request: request.request,
      metadata: request.metadata,
      requestKey:
        requestId === "" ? null : { method: request.method, requestId, digest: request.requestDigest },
    });
    if (outcome.type === "refused") throw refusalError(outcome, { name, requestId, type: request.type });
    if (outcome.type !== "operation") throw new TypeError(`start was answered with ${outcome.type}`);
    return {
      operation: this.#peek(outcome.record) ?? { record: outcome.record, response: null, metadata: null },
      created: outcome.changed,
    };
  }

  /** The operation, at once when it is at hand. Throws OPERATION_NOT_FOUND, also for a deleted one. */
  get(key: OperationKey): StoredOperation | Promise<StoredOperation> {
    const known = this.#store.peekOperation(key);
    return known ? present(known, key) : this.#read(key);
  }

  /** Everything known of an operation, also of one that a client deleted while it ran. */
  async detail(key: OperationKey): Promise<OperationDetail> {
    const detail = await this.#store.getOperationDetail(key);
    if (!detail) throw new RpcError("OPERATION_NOT_FOUND", { name: key.name });
    return detail;
  }

  list(query: ListQuery): Promise<ListPage> {
    return this.#store.listOperations(query);
  }

  /** The receipt of the operation's cancel; throws RECEIPT_NOT_FOUND, or OPERATION_NOT_FOUND for a name that nothing is known of. */
  async receipt(key: OperationKey): Promise<StoredReceipt> {
    const receipt = await this.#store.getReceipt(key);
    if (receipt) return receipt;
    const { record } = await this.detail(key);
    throw new RpcError("RECEIPT_NOT_FOUND", { name: record.name });
  }

  /**
   * Answers when the operation is done, or with its current state after `timeoutMs`. Subscribes before it reads:
   *
   *   wait reads RUNNING -> worker completes, nobody to wake -> wait subscribes: it would sleep until its timeout.
   */
  async wait(
    key: OperationKey,
    options: { timeoutMs: number; onCallerGone(callback: () => void): void },
  ): Promise<StoredOperation> {
    const { promise, resolve } = Promise.withResolvers<unknown>();
    const waiter = this.#waiters.add(keyText(key), options.timeoutMs, resolve);
    try {
      const current = await this.get(key);
      if (isDone(current.record.state)) return current;
      options.onCallerGone(() => waiter.end("gone"));
      await promise;
    } finally {
      waiter.end("gone");
    }
    return this.get(key);
  }

  /** Commits a cancel and says what it met. Idempotent. */
  async cancel(call: CancelCall): Promise<{ verdict: Verdict; operation: StoredOperation }> {
    const { key, includeDeleted = false } = call;
    const outcome = await this.#submit({ ...call, type: "cancel", includeDeleted });
    if (outcome.type === "refused") throw refusalError(outcome, { name: key.name });
    if (outcome.type !== "cancel") throw new TypeError(`cancel was answered with ${outcome.type}`);
    const operation = this.#peek(outcome.record) ?? (await this.#store.getOperation(key));
    return {
      verdict: outcome.verdict,
      operation: operation ?? { record: outcome.record, response: null, metadata: null },
    };
  }

  /** Hides the operation from clients; never stops its work unless its type says so. */
  async delete(call: { key: OperationKey; requestedBy: string; origin: string }): Promise<void> {
    const outcome = await this.#submit({ type: "delete", ...call });
    if (outcome.type === "refused") throw refusalError(outcome, { name: call.key.name });
  }

  /** Registers a worker's session, durably, and begins to feed it. */
  async openSession(
    options: Omit<OpenSessionCommand, "type" | "session">,
    transport: WorkerTransport,
  ): Promise<Session> {
    const id = makeId("ses", this.clock.now());
    const hello = { ...options, session: id };
    await this.#submit({ ...hello, type: "openSession" });
    const session = new Session(hello, transport, (command) => this.#submit(command));
    this.#sessions.set(id, session);
    session.workMayBeReady();
    return session;
  }

  /** The session is over: all that it still held is settled in one batch. */
  async closeSession(session: string, survivors: readonly string[] = []): Promise<void> {
    this.#sessions.delete(session);
    await this.#submit({ type: "closeSession", session, survivors });
  }

  /**
   * Settles the embedded sessions of former server processes. Call it once, before workers connect, and after every
   * recorded process of those lives is gone: `survivors` names the operations of which one could not be ended.
   */
  async settleFormerSessions(survivors: readonly string[]): Promise<void> {
    for (const session of await this.#store.listSessions()) {
      if (session.kind === "embedded" && !this.#sessions.has(session.session)) {
        await this.closeSession(session.session, survivors);
      }
    }
  }

  /** Held waits at this moment. */
  get waiterCount(): number {
    return this.#waiters.count;
  }

  /** Answers every held wait with the current state: the server is draining. */
  releaseWaiters(): void {
    this.#waiters.releaseAll();
  }

  /** Stops the maintenance and releases the waiters. The store stays open: its owner closes it. */
  async close(): Promise<void> {
    this.#timers.stop();
    await this.#pruner.stop();
    this.releaseWaiters();
  }

  async #read(key: OperationKey): Promise<StoredOperation> {
    return present(await this.#store.getOperation(key), key);
  }

  #peek(record: OperationKey): StoredOperation | undefined {
    return this.#store.peekOperation(record);
  }

  #submit(command: Command): Promise<CommandOutcome> {
    return this.#committer.submit(command);
  }

  #granted(outcome: Extract<CommandOutcome, { type: "granted" }>): void {
    const holder = outcome.grants[0]?.record.lease?.session;
    if (holder !== undefined) this.#sessions.get(holder)?.granted(outcome);
  }

  /** After every commit: what it changed reaches waiters, sessions and timers, before any caller is answered. */
  #changed(changed: readonly StoredOperation[]): void {
    const now = this.clock.now();
    const readyTypes = new Set<string>();
    for (const { record } of changed) {
      if (isDone(record.state) || record.deleteTime !== null) this.#waiters.wake(keyText(record));
      for (const session of this.#sessions.values()) session.operationChanged(record);
      this.#timers.note(nextTimer(record));
      if (record.state !== "PENDING" || record.lease !== null) continue;
      if (record.startAfter > now) this.#timers.noteStart(record.startAfter);
      else readyTypes.add(record.type);
    }
    for (const session of this.#sessions.values()) {
      if (!readyTypes.isDisjointFrom(session.types)) session.workMayBeReady();
    }
  }

  #wakeSessions(): void {
    for (const session of this.#sessions.values()) session.workMayBeReady();
  }
}

const TICK_BATCH = 500;

/** OPERATION_TYPE_UNKNOWN, with the types that could have been meant. */
export function unknownType(type: string, known: readonly string[]): RpcError {
  return new RpcError("OPERATION_TYPE_UNKNOWN", { type, known: known.join(", ") || "none" });
}

function present(operation: StoredOperation | undefined, key: OperationKey): StoredOperation {
  if (!operation || operation.record.deleteTime !== null) {
    throw new RpcError("OPERATION_NOT_FOUND", { name: key.name });
  }
  return operation;
}

function cancelPolicyOf(policy: OperationPolicy, request: StartRequest): OperationPolicy["cancel"] {
  return {
    ...policy.cancel,
    // A request may give up the right to cancel, never create it where the type has none.
    cancellable: policy.cancel.cancellable && (request.cancellable ?? true),
    graceMs: request.graceMs ?? policy.cancel.graceMs,
  };
}
