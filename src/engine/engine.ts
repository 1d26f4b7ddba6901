// The engine: operations, durably, and what moves them along. The calls on operations are in operation-calls.ts, what it is
// made of in engine-parts.ts; this file has the rest of what a server needs: types, workers, maintenance, the end.
import type { OpenSessionCommand } from "./commands.ts";
import type { EngineMetrics } from "./engine-metrics.ts";
import { type EngineOptions, EngineParts } from "./engine-parts.ts";
import type { FeedHub } from "./feed-hub.ts";
import type { OperationKey, OperationPolicy } from "./operation.ts";
import { OperationCalls } from "./operation-calls.ts";
import type { StartCheck } from "./operation-types.ts";
import type { ReceiptChain } from "./receipts/receipt-chain.ts";
import type { HeldAttempt, Session } from "./session.ts";
import type { ResumedSession, WorkerView } from "./session-directory.ts";
import { CHILD_ELSEWHERE_TYPE, type OrderElsewhere, standInPolicy } from "./stand-in.ts";
import type { CancelHistory, DeclaredType, LiveCounts } from "./store.ts";
import type { WorkerTransport } from "./worker-transport.ts";

export type { EngineChildStart } from "./children.ts";
export type {
  CancelCall,
  Cancelled,
  DeleteCall,
  OverrideCall,
  Started,
  WaitOptions,
} from "./engine-calls.ts";
export type { EngineOptions } from "./engine-parts.ts";
export type { StartCheck, StartInput, StartInputValue } from "./operation-types.ts";
export type { ResumedSession, WorkerView } from "./session-directory.ts";
export { type RerunCall, type RunPolicy, type StartRequest, unknownType } from "./start-command.ts";

/** Keeps operations, durably, and moves them along. One per server process. */
export class Engine extends OperationCalls {
  readonly #parts: EngineParts;

  constructor(options: EngineOptions) {
    const parts = new EngineParts(options);
    super(parts);
    this.#parts = parts;
  }

  /** Starts the maintenance: deadlines, retries that are due, leases, children of closed parents, retention, receipts. */
  startMaintenance(): void {
    const { types, logger, maintenance, observers } = this.#parts;
    this.#parts.follow();
    types.start().catch((error: unknown) => {
      logger.warn({ err: error }, "the types of remote workers could not be read; they declare them again");
    });
    maintenance.start();
    observers.start();
  }

  /** Visible changes, live and from the past. */
  get feed(): FeedHub {
    return this.#parts.feed;
  }

  get metrics(): EngineMetrics {
    return this.#parts.observers.metrics;
  }

  get receiptChain(): ReceiptChain {
    return this.#parts.observers.receiptChain;
  }

  /**
   * Declares an operation type; its policy is stored with each operation that starts. The check is not: it is code of this
   * process, for the services to ask before they call `start`, which does not ask it.
   */
  registerType(type: string, policy: OperationPolicy, check?: StartCheck): void {
    this.#parts.types.register(type, policy, check);
  }

  /** What a remote worker runs; kept when it goes. A type that this process declares itself stays as it is. */
  declareRemoteTypes(types: readonly DeclaredType[]): Promise<void> {
    return this.#parts.types.declareRemote(types);
  }

  /** Where several processes share the store: looks what the others have declared since. */
  async learnTypes(): Promise<void> {
    if (this.#parts.store.isShared) await this.#parts.types.load();
  }

  /** The check that a type was registered with, if it was with one. */
  startCheck(type: string): StartCheck | undefined {
    return this.#parts.types.checkOf(type);
  }

  /** The declared operation types, sorted. */
  get types(): readonly string[] {
    return this.#parts.types.names;
  }

  hasType(type: string): boolean {
    return this.#parts.types.policyOf(type) !== undefined;
  }

  policyOf(type: string): OperationPolicy | undefined {
    return this.#parts.types.policyOf(type);
  }

  /** True if the store is several databases: then `serveElsewhere` is to be called, and stand-ins are to be run. */
  get isSpread(): boolean {
    return this.#parts.store.feeds.length > 1;
  }

  /** Children in another database than their parent can be started from now on. */
  serveElsewhere(orderElsewhere: OrderElsewhere): void {
    this.registerType(CHILD_ELSEWHERE_TYPE, standInPolicy);
    this.#parts.orderElsewhere = orderElsewhere;
  }

  /** Operations of a type that are CANCELLING or held, the oldest first; at most `limit`. */
  stoppingOperations(type: string, limit: number): Promise<readonly OperationKey[]> {
    return this.#parts.store.stoppingOperations(type, limit);
  }

  cancelHistory(service: string, tenant: string, type: string): Promise<CancelHistory> {
    return this.#parts.store.cancelHistory(service, tenant, type);
  }

  liveCounts(): Promise<readonly LiveCounts[]> {
    return this.#parts.store.liveCounts();
  }

  /** Registers a worker's session, durably, and begins to feed it. */
  openSession(
    facts: Omit<OpenSessionCommand, "type" | "session">,
    transport: WorkerTransport,
  ): Promise<Session> {
    return this.#parts.sessions.open(facts, transport);
  }

  /**
   * A remote worker comes back on a new stream, to any process on the store. Null: its session is over, or is not this
   * principal's. The transport hears nothing before the caller has had its turn with the answer.
   */
  resumeSession(
    session: string,
    principal: string,
    transport: WorkerTransport,
    inHand: readonly HeldAttempt[],
  ): Promise<ResumedSession | null> {
    return this.#parts.sessions.resume(session, principal, transport, inHand);
  }

  /** The session is over: all that it still held is settled in one batch. */
  async closeSession(session: string, survivors: readonly string[] = []): Promise<void> {
    const types = await this.#parts.sessions.close(session, { survivors });
    await this.#parts.types.sessionClosed(types);
  }

  /** The open sessions, those of workers that are away too. */
  workers(): Promise<readonly WorkerView[]> {
    return this.#parts.sessions.views();
  }

  /**
   * Settles the embedded sessions of former lives of this server process, and reads what remote workers declared. Call it
   * once, before workers connect, and after every recorded process of those lives is gone: `survivors` names the operations
   * of which one could not be ended. Where several processes share the store, the sessions of the others are theirs; and
   * what ran in its own is known to be gone only if `bootId` is still the machine's: a folder may have come from another
   * machine, which goes on.
   */
  async settleFormerSessions(survivors: readonly string[], bootId = ""): Promise<void> {
    const { types, store, sessions, node } = this.#parts;
    this.#parts.follow();
    await types.load();
    for (const session of await store.listSessions()) {
      const isFormer = session.kind === "embedded" && !sessions.has(session.session) && session.node === node;
      if (!isFormer) continue;
      const isGone = bootId !== "" && session.bootId === bootId;
      await sessions.close(session.session, { survivors, isGone });
    }
  }

  /** Commands that wait for a transaction: what a start that comes now has before it. */
  get commitsWaiting(): number {
    return this.#parts.commitsWaiting;
  }

  /** Held waits at this moment. */
  get waiterCount(): number {
    return this.#parts.waiters.count;
  }

  /** The server is about to stop: tells all remote workers, and gives them nothing more. */
  drain(): void {
    this.#parts.sessions.drain();
  }

  /** Answers every held wait with the current state, and ends every watch: the server is draining. */
  releaseWaiters(): void {
    this.#parts.waiters.releaseAll();
    this.#parts.feed.releaseAll();
  }

  /** Stops the maintenance and releases the waiters. The store stays open: its owner closes it. */
  async close(): Promise<void> {
    this.releaseWaiters();
    this.#parts.feed.close();
    this.#parts.presence.close();
    await this.#parts.maintenance.stop();
    await this.#parts.observers.stop();
    this.#parts.close();
  }
}
