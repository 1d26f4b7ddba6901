// The calls on operations: starting, reading, waiting, cancelling. Each becomes commands or reads; all rules are in
// `transition`. What the rest of the server needs beside them is in engine.ts.
import type { Clock } from "../base/clock.ts";
import { invalidField, RpcError } from "../base/rpc-error.ts";
import { childCommandOf, type EngineChildStart, requireChild, requireHeld } from "./children.ts";
import type { StartCommand } from "./commands.ts";
import { keyText, type SlotKey } from "./decision.ts";
import type {
  CancelCall,
  Cancelled,
  DeleteCall,
  OverrideCall,
  Started,
  WaitOptions,
} from "./engine-calls.ts";
import type { EngineParts } from "./engine-parts.ts";
import {
  isDone,
  type OperationDetail,
  type OperationKey,
  type OperationPolicy,
  type Payload,
  type StoredOperation,
  type StoredReceipt,
} from "./operation.ts";
import { type RefusedCall, refusalError } from "./refusal-error.ts";
import type { FencedCommand, HeldAttempt, Session } from "./session.ts";
import { standInOf } from "./stand-in.ts";
import {
  type RerunCall,
  rerunCommandOf,
  type StartRequest,
  startCommandOf,
  unknownType,
} from "./start-command.ts";
import type { ChildSummary, ListPage, ListQuery, SlotUsers } from "./store.ts";
import type { Hold } from "./watch-presence.ts";

export class OperationCalls {
  /** The store's clock: the one that all instants are of. */
  readonly clock: Clock;
  readonly #parts: EngineParts;

  constructor(parts: EngineParts) {
    this.clock = parts.clock;
    this.#parts = parts;
  }

  /** Stores an operation. With a request id that was used before: the operation it made, `created` false. */
  async start(request: StartRequest): Promise<Started> {
    const policy = this.#parts.types.policyOf(request.type) ?? (await this.#policyOf(request.type));
    const command = startCommandOf(request, policy, this.clock.now());
    this.#parts.observers.noteTrace("start", command.key, request.traceparent);
    return await this.#start(command); // awaited here: to return the promise takes a promise and two turns more
  }

  /** Starts them in as few commits as there is room for. Each has its own outcome: one that is refused does not stop the others. */
  batchStart(requests: readonly StartRequest[]): Promise<readonly (Started | RpcError)[]> {
    return Promise.all(
      requests.map((request) =>
        this.start(request).catch((error: unknown) => {
          if (error instanceof RpcError) return error;
          throw error;
        }),
      ),
    );
  }

  /** Starts a failed or cancelled operation once more, as a new one. Throws NOT_RERUNNABLE for another. */
  async rerun(call: RerunCall): Promise<Started> {
    const detail = await this.detail(call.key);
    present(detail, call.key);
    await this.#policyOf(detail.record.type);
    return this.#start(rerunCommandOf(detail, call, this.clock.now()));
  }

  /** The operation, at once when it is at hand. Throws OPERATION_NOT_FOUND, also for a deleted one. */
  get(key: OperationKey): StoredOperation | Promise<StoredOperation> {
    const known = this.#parts.store.peekOperation(key);
    return known ? this.#seen(present(known, key)) : this.#read(key);
  }

  /** Everything known of an operation, also of one that a client deleted while it ran. */
  async detail(key: OperationKey): Promise<OperationDetail> {
    const detail = await this.#parts.store.getOperationDetail(key);
    if (!detail) throw new RpcError("OPERATION_NOT_FOUND", { name: key.name });
    return detail;
  }

  list(query: ListQuery): Promise<ListPage> {
    return this.#parts.store.listOperations(query);
  }

  /** Children, oldest first. */
  children(key: OperationKey, limit: number): Promise<readonly ChildSummary[]> {
    return this.#parts.store.listChildren(key, limit);
  }

  /** The receipt of the operation's cancel; throws RECEIPT_NOT_FOUND, or OPERATION_NOT_FOUND for a name that nothing is known of. */
  async receipt(key: OperationKey): Promise<StoredReceipt> {
    const receipt = await this.#parts.store.getReceipt(key);
    if (receipt) return receipt;
    const { record } = await this.detail(key);
    throw new RpcError("RECEIPT_NOT_FOUND", { name: record.name });
  }

  /** Who uses a slot of a type's or key's limit. */
  slotUsers(slot: SlotKey, limit: number): Promise<SlotUsers> {
    return this.#parts.store.slotUsers(slot, limit);
  }

  /** A client watches this. Cheap: an operation that may end unwatched is written at most once per quarter of its time. */
  watched(key: OperationKey): void {
    const known = this.#parts.store.peekOperation(key);
    if (known) this.#parts.presence.seen(known.record);
    else this.#read(key).catch(() => {}); // gone, or the store fails: whoever asked learns it from their own read
  }

  /** Answers when the operation is done, or with its current state after `timeoutMs`. Whoever waits watches. */
  wait(key: OperationKey, options: WaitOptions): Promise<StoredOperation> {
    const { includeDeleted = false } = options;
    const sight = (stored: StoredOperation): StoredOperation =>
      this.#seen(includeDeleted ? stored : present(stored, key));
    return this.#wait(key, options, sight, true);
  }

  /** Commits a cancel and says what it met. Idempotent. Throws ETAG_MISMATCH. */
  async cancel(call: CancelCall): Promise<Cancelled> {
    const {
      key,
      includeDeleted = false,
      onBehalfOf = "",
      requestId = "",
      force = false,
      ifRevision = null,
      traceparent,
      cause = "cancel",
      ...rest
    } = call;
    this.#parts.observers.noteTrace("cancel", key, traceparent);
    const options = { cause, includeDeleted, onBehalfOf, requestId, force, ifRevision } as const;
    const command = { ...rest, ...options, key, type: "cancel" } as const;
    const { outcome, stored: changed } = await this.#parts.submitFound(command, key);
    if (outcome.type === "refused") throw refusalError(outcome, { name: key.name, ifRevision });
    if (outcome.type !== "cancel") throw new TypeError(`cancel was answered with ${outcome.type}`);
    const { record, verdict } = outcome;
    const stored = changed ?? (await this.#find(record));
    return { verdict, operation: stored ?? { record, response: null, metadata: null } };
  }

  /** Frees what an operation holds although nobody knows whether its work stopped. Throws NOT_HELD. */
  async override(call: OverrideCall): Promise<StoredOperation> {
    const outcome = await this.#parts.submit({ type: "override", ...call });
    if (outcome.type === "refused") throw refusalError(outcome, { name: call.key.name });
    return this.#kept(call.key);
  }

  /** A report in the place of a worker that may be gone; fenced as its own. A refused one changes nothing. */
  async reportFor(command: FencedCommand): Promise<void> {
    await this.#parts.submit(command);
  }

  /** Hides the operation from clients; never stops its work unless its type says so. */
  async delete(call: DeleteCall): Promise<void> {
    const outcome = await this.#parts.submit({ type: "delete", ...call });
    if (outcome.type === "refused") throw refusalError(outcome, { name: call.key.name });
  }

  /**
   * Starts a child of an attempt that the session runs; of a service in another database its stand-in beside the parent.
   * Throws LEASE_LOST, PARENT_CLOSED, CHILD_LIMIT, REQUEST_ID_REUSED, and INVALID_FIELD for what a stand-in cannot be.
   */
  async startChild(session: Session, start: EngineChildStart): Promise<StoredOperation> {
    const { parent, type, service } = start;
    requireHeld(session, parent);
    const { record } = await this.#kept(parent.key);
    const policy = await this.#policyOf(type);
    const asked = this.#isTogether(parent.key, service)
      ? { start, policy }
      : standInOf(start, record, policy, this.#orderElsewhere(start));
    const command = childCommandOf(asked.start, record, session, asked.policy, this.clock.now());
    const { operation } = await this.#start(command, { name: parent.key.name });
    return operation;
  }

  /** A child as it stands; waits up to `timeoutMs` for its end. Throws LEASE_LOST, or OPERATION_NOT_FOUND for no child of it. */
  waitChild(
    session: Session,
    parent: HeldAttempt,
    child: { service: string; name: string },
    timeoutMs: number,
  ): Promise<StoredOperation> {
    requireHeld(session, parent);
    // One in another database is known by its stand-in's name, which is beside the parent.
    const service = this.#isTogether(parent.key, child.service) ? child.service : parent.key.service;
    const key = { ...child, service, tenant: parent.key.tenant };
    return this.#wait(key, { timeoutMs, onCallerGone() {} }, (stored) => {
      requireChild(stored.record, parent.key);
      return this.#seen(stored);
    });
  }

  /** True if an operation and the children that it has in a service are in one database. */
  #isTogether(parent: OperationKey, service: string): boolean {
    const { store } = this.#parts;
    return service === parent.service || store.isTogether(parent, { service, tenant: parent.tenant });
  }

  #orderElsewhere(start: EngineChildStart): Payload {
    const { orderElsewhere } = this.#parts;
    if (orderElsewhere) return orderElsewhere(start);
    throw invalidField(
      "service",
      `${start.service} is in another database, and nothing here runs children there`,
    );
  }

  async #start(command: StartCommand, about: Partial<RefusedCall> = {}): Promise<Started> {
    const { key, requestKey, operationType: type } = command;
    const { outcome, stored } = await this.#parts.submitFound(command, key);
    if (outcome.type === "refused") {
      throw refusalError(outcome, { name: key.name, requestId: requestKey?.requestId ?? "", type, ...about });
    }
    if (outcome.type !== "operation") throw new TypeError(`start was answered with ${outcome.type}`);
    const { record, changed: created } = outcome;
    // A known request id names an older operation, which may have ended with a response: that is not in the record.
    const operation = stored ?? (created ? undefined : await this.#find(record));
    return { operation: operation ?? { record, response: null, metadata: null }, created };
  }

  /**
   * Subscribes before it reads:
   *
   *   wait reads RUNNING -> worker completes, nobody to wake -> wait subscribes: it would sleep until its timeout.
   *
   * `sight` looks at what was read: it may throw. `isOwn`: it has nothing against what this process changed last itself.
   */
  async #wait(
    key: OperationKey,
    options: WaitOptions,
    sight: (stored: StoredOperation) => StoredOperation,
    isOwn = false,
  ): Promise<StoredOperation> {
    const { promise, resolve } = Promise.withResolvers<StoredOperation | undefined>();
    const waiter = this.#parts.waiters.add(keyText(key), options.timeoutMs, (_, stored) => resolve(stored));
    let hold: Hold | undefined;
    let ended: StoredOperation | undefined;
    try {
      // The usual wait is for what was just started here; the store need not be asked whether it has ended already.
      let record = isOwn ? this.#parts.remote.standing(keyText(key)) : undefined;
      if (record === undefined) {
        const current = sight(await this.#kept(key));
        if (isDone(current.record.state)) return current;
        ({ record } = current);
      } else this.#parts.presence.seen(record);
      hold = this.#parts.presence.hold(record);
      options.onCallerGone(() => waiter.end("gone"));
      ended = await promise;
    } finally {
      hold?.release();
      waiter.end("gone");
    }
    return sight(ended ?? (await this.#kept(key)));
  }

  async #find(key: OperationKey): Promise<StoredOperation | undefined> {
    return this.#parts.store.peekOperation(key) ?? (await this.#parts.store.getOperation(key));
  }

  /** Also one that a client deleted. Without a promise where it is at hand: each wait comes here. */
  #kept(key: OperationKey): StoredOperation | Promise<StoredOperation> {
    return this.#parts.store.peekOperation(key) ?? this.#readKept(key);
  }

  async #readKept(key: OperationKey): Promise<StoredOperation> {
    const stored = await this.#parts.store.getOperation(key);
    if (!stored) throw new RpcError("OPERATION_NOT_FOUND", { name: key.name });
    return stored;
  }

  async #read(key: OperationKey): Promise<StoredOperation> {
    return this.#seen(present(await this.#parts.store.getOperation(key), key));
  }

  #seen(stored: StoredOperation): StoredOperation {
    if (stored.record.watchDeadline !== null) this.#parts.presence.seen(stored.record);
    return stored;
  }

  /** Throws OPERATION_TYPE_UNKNOWN. */
  async #policyOf(type: string): Promise<OperationPolicy> {
    const policy = await this.#parts.types.findPolicy(type);
    if (!policy) throw unknownType(type, this.#parts.types.names);
    return policy;
  }
}

function present(operation: StoredOperation | undefined, key: OperationKey): StoredOperation {
  if (!operation || operation.record.deleteTime !== null) {
    throw new RpcError("OPERATION_NOT_FOUND", { name: key.name });
  }
  return operation;
}
