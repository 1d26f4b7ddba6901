// The open sessions of this process: who holds which operation, who is told of a commit, and how a worker comes back to its
// session, also after a restart of the server.
import { type Clock, monotonicMs } from "../base/clock.ts";
import { makeId } from "../base/ids.ts";
import type { Logger } from "../base/logger.ts";
import type { Command, CommandOutcome, Grant, OpenSessionCommand } from "./commands.ts";
import { keyText } from "./decision.ts";
import { EMBEDDED_LEASE_MS, keepLease } from "./embedded-lease.ts";
import type { OperationKey, OperationRecord } from "./operation.ts";
import { type HeldAttempt, Session, type SessionFacts, type SessionPorts } from "./session.ts";
import { isNewerHold } from "./session-holds.ts";
import type { OpenSession, Store } from "./store.ts";
import type { WorkerTransport } from "./worker-transport.ts";

/** A session as operators see it. */
export interface WorkerView extends OpenSession {
  /** False while its stream is broken, or where another process of the store has it. */
  connected: boolean;
  /** Slots that may take new work now. */
  free: number;
  /** Operations whose work may still run there although they were taken away: until they are gone it gets no new work. */
  stuck: number;
}

/** A session that was taken up again. */
export interface ResumedSession {
  session: Session;
  /** Of what the worker has in hand: what is its no more. */
  lost: readonly HeldAttempt[];
}

interface DirectoryOptions {
  clock: Clock;
  logger: Logger;
  store: Pick<Store, "listSessions" | "sessionGrants">;
  /** This process among those that share the store; undefined where it has the store for itself. */
  node: string | undefined;
  submit(command: Command): Promise<CommandOutcome>;
  /** A lease of this many milliseconds begins. */
  leaseBegun(leaseMs: number): void;
  /** Reads operations, and tells `changed` how they stand: what another node did to them may not have been heard here. */
  lookAt(keys: readonly OperationKey[]): Promise<void>;
}

/** A session that is being taken up, and what was committed meanwhile. */
interface Reviving {
  session: Promise<Session | null>;
  heard: Map<string, OperationRecord>;
  /** Changed by other nodes: how, is to be read. */
  changedElsewhere: Map<string, OperationKey>;
}

export class SessionDirectory {
  readonly #options: DirectoryOptions;
  readonly #sessions = new Map<string, Session>();
  /** Which session was given an operation, or may still run it; by keyText. */
  readonly #holders = new Map<string, Session>();
  /** Sessions of a former life, or of another node, that are being taken up. */
  readonly #reviving = new Map<string, Reviving>();
  readonly #ports: SessionPorts;
  /** A read of all open sessions that is under way: a thousand workers may come from a node that is gone, at once. */
  #listing: Promise<readonly OpenSession[]> | null = null;

  constructor(options: DirectoryOptions) {
    this.#options = options;
    this.#ports = {
      submit: options.submit,
      grants: (session) => options.store.sessionGrants(session),
      granted: (grants) => this.granted(grants),
      untracked: (text, session) => {
        if (this.#holders.get(text) === session) this.#holders.delete(text);
      },
      lost: (session, why) => this.#end(session, why),
      lookAt: options.lookAt,
    };
  }

  has(session: string): boolean {
    return this.#sessions.has(session);
  }

  /** An open session of this process. */
  find(session: string): Session | undefined {
    return this.#sessions.get(session);
  }

  /** Registers a worker's session, durably, and begins to feed it. */
  async open(
    facts: Omit<OpenSessionCommand, "type" | "session">,
    transport: WorkerTransport,
  ): Promise<Session> {
    const { node, logger } = this.#options;
    const id = makeId("ses", this.#options.clock.now());
    const isLeased = node !== undefined && facts.kind === "embedded";
    const hello: SessionFacts = {
      ...facts,
      session: id,
      ...(node !== undefined && { node }),
      ...(isLeased && { leaseMs: EMBEDDED_LEASE_MS, guarded: false }),
    };
    const sentMs = monotonicMs();
    await this.#options.submit({ ...hello, type: "openSession" });
    const session = new Session(hello, transport, this.#ports);
    this.#sessions.set(id, session);
    if (hello.leaseMs > 0) this.#options.leaseBegun(hello.leaseMs);
    if (isLeased) keepLease(session, sentMs, logger);
    session.workMayBeReady();
    return session;
  }

  /**
   * A worker comes back to its session on a new stream. Null if it is not open any more, or is somebody else's. Its lease
   * is renewed: of a resume and an expiry only one is committed first, and it decides.
   */
  async resume(
    id: string,
    principal: string,
    transport: WorkerTransport,
    inHand: readonly HeldAttempt[],
  ): Promise<ResumedSession | null> {
    const { node } = this.#options;
    const session =
      node === undefined
        ? (this.#sessions.get(id) ?? (await this.#revive(id)))
        : await this.#takeOver(id, principal, node);
    if (session?.facts.kind !== "remote" || session.facts.principal !== principal) return null;
    if (node === undefined && (await session.heartbeat()) === null) return null;
    this.#options.leaseBegun(session.facts.leaseMs);
    return { session, lost: session.attach(transport, inHand) };
  }

  /** The session is over: all that it still held is settled in one batch. Answers its types, as far as it was known here. */
  async close(
    id: string,
    how: { survivors: readonly string[]; isGone?: boolean },
  ): Promise<readonly string[]> {
    const session = this.#sessions.get(id);
    // First: nothing may be granted to it once its closing is on its way.
    if (session) this.#end(session, null);
    await this.#options.submit({ type: "closeSession", session: id, ...how });
    return session?.facts.types ?? [];
  }

  /**
   * Ends here what the store does not know any more: its lease has passed. And what another node has taken over, of which
   * this one has not heard: nothing was said on the stream that broke.
   */
  async endExpired(): Promise<void> {
    const { node, store } = this.#options;
    // Before the read: a session that opens meanwhile is none of the list.
    const leased = [...this.#sessions.values()].filter(({ facts }) => facts.leaseMs > 0);
    const open = new Map((await store.listSessions()).map((stored) => [stored.session, stored]));
    for (const session of leased) {
      const stored = open.get(session.id);
      if (stored === undefined) this.#end(session, "expired");
      else if (node !== undefined && stored.node !== undefined && stored.node !== node)
        this.#end(session, "replaced");
    }
  }

  /** True if some session's lease may have passed, or its worker may be elsewhere: none that beats here. */
  get someMayBeOver(): boolean {
    for (const session of this.#sessions.values()) if (session.mayBeOver) return true;
    return false;
  }

  /** Another node has changed an operation. True if how it stands is to be read, for `changed`. */
  changedElsewhere(key: OperationKey, text: string): boolean {
    for (const { changedElsewhere } of this.#reviving.values()) changedElsewhere.set(text, key);
    return this.#holders.has(text);
  }

  /** True if a worker of this process takes operations of the type. */
  serves(type: string): boolean {
    for (const { types } of this.#sessions.values()) if (types.has(type)) return true;
    return false;
  }

  async views(): Promise<WorkerView[]> {
    return (await this.#options.store.listSessions()).map((stored) => {
      const session = this.#sessions.get(stored.session);
      return {
        ...stored,
        connected: session?.isConnected ?? false,
        free: session?.free ?? 0,
        stuck: session?.stuckCount ?? stored.held,
      };
    });
  }

  /** The server stops: tells all remote workers. */
  drain(): void {
    for (const session of this.#sessions.values()) if (session.facts.kind === "remote") session.tellDrain();
  }

  /** Runs with the commit, for each acquire that was granted something, before `changed`. */
  granted(grants: readonly Grant[]): void {
    const id = grants[0]?.record.lease?.session;
    const session = id === undefined ? undefined : this.#sessions.get(id);
    if (!session) return;
    for (const { record } of grants) {
      const text = keyText(record);
      const former = this.#holders.get(text);
      this.#holders.set(text, session);
      // An attempt that was held elsewhere was given up for this one: that session need not wait for it any more.
      if (former && former !== session) former.operationChanged(record, text);
    }
    session.granted(grants);
  }

  /** Runs with the commit, for each operation that it changed; and with each read of `lookAt`, which may be an older sight. */
  changed(record: OperationRecord, text: string): void {
    for (const { heard } of this.#reviving.values()) {
      const known = heard.get(text);
      if (known === undefined || !isNewerHold(known, record)) heard.set(text, record);
    }
    this.#holders.get(text)?.operationChanged(record, text);
  }

  /** Some pending operations of these types may start; null: of any type. */
  workMayBeReady(types: ReadonlySet<string> | null): void {
    for (const session of this.#sessions.values()) {
      if (types === null || !types.isDisjointFrom(session.types)) session.workMayBeReady();
    }
  }

  /**
   * A batch is going to start so many operations of each type: sessions with free slots ask for them in that batch, in turn
   * and each for its share. An idle worker's handler runs after one commit then, not after two.
   */
  takeStarted(started: ReadonlyMap<string, number>): void {
    for (const [type, count] of started) {
      const able = [...this.#sessions.values()].filter(
        (session) => session.types.has(type) && session.free > 0,
      );
      let left = count;
      for (const [index, session] of able.entries()) {
        if (left <= 0) break;
        left -= session.takeStarted(Math.ceil(left / (able.length - index)));
        // To the end of the line.
        if (able.length > 1 && this.#sessions.delete(session.id)) this.#sessions.set(session.id, session);
      }
    }
  }

  #end(session: Session, why: "expired" | "replaced" | "closed" | null): void {
    if (this.#sessions.get(session.id) === session) this.#sessions.delete(session.id);
    session.end(why);
  }

  /**
   * First the session is this node's, so that the former one is given nothing for it any more; then what it holds is read:
   *
   *   read: w holds nothing -> the former node acquires a for w -> the session is this node's, and never hears of a.
   */
  async #takeOver(id: string, principal: string, node: string): Promise<Session | null> {
    const known = this.#sessions.get(id);
    const facts = known?.facts ?? (await this.#find(id));
    if (facts?.kind !== "remote" || facts.principal !== principal) return null;
    const outcome = await this.#options.submit({ type: "heartbeat", session: id, node, takesOver: true });
    if (outcome.type === "refused") {
      if (known) this.#end(known, "expired");
      return null;
    }
    const hasMoved = outcome.type === "session" && outcome.hasMoved === true;
    known?.renewed();
    if (known && !hasMoved && this.#sessions.get(id) === known) return known;
    // It was at another node meanwhile, and was given work there that is not known here.
    if (known) this.#end(known, "replaced");
    return this.#revive(id);
  }

  /** The row of an open session. One that opened after a read had begun is not in it: then there is one more. */
  async #find(id: string): Promise<OpenSession | undefined> {
    const find = (open: readonly OpenSession[]): OpenSession | undefined =>
      open.find(({ session }) => session === id);
    const shared = this.#listing;
    return (shared && find(await shared)) ?? find(await this.#list());
  }

  #list(): Promise<readonly OpenSession[]> {
    const listing = this.#options.store.listSessions().finally(() => {
      if (this.#listing === listing) this.#listing = null;
    });
    this.#listing = listing;
    return listing;
  }

  #revive(id: string): Promise<Session | null> {
    const known = this.#reviving.get(id);
    if (known) return known.session;
    const heard = new Map<string, OperationRecord>();
    const changedElsewhere = new Map<string, OperationKey>();
    const session = this.#read(id, { heard, changedElsewhere }).finally(() => this.#reviving.delete(id));
    this.#reviving.set(id, { session, heard, changedElsewhere });
    return session;
  }

  /**
   * Takes up a session that this process has not seen yet. Commits go on while it is read:
   *
   *   read: w holds a -> a is cancelled and told to nobody -> the session is there and believes that a runs.
   *   So what is committed meanwhile is written down, and the newer sight of each operation counts.
   */
  async #read(id: string, { heard, changedElsewhere }: Omit<Reviving, "session">): Promise<Session | null> {
    const { store, node, lookAt } = this.#options;
    const stored = await this.#find(id);
    if (stored?.kind !== "remote") return null;
    const {
      openTime: _open,
      heartbeatTime: _beat,
      running: _running,
      reserved: _reserved,
      held: _held,
      node: _node,
      ...facts
    } = stored;
    const grants = await store.sessionGrants(id);
    const session = new Session({ ...facts, ...(node !== undefined && { node }) }, null, this.#ports);
    // From here on to the end of this turn nothing is committed.
    const texts = session.restore(grants, heard);
    for (const text of texts) this.#holders.set(text, session);
    this.#sessions.set(id, session);
    const unseen = texts.flatMap((text) => changedElsewhere.get(text) ?? []);
    if (unseen.length > 0) void lookAt(unseen);
    return session;
  }
}
