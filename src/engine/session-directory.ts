// The open sessions of this process: who holds which operation, who is told of a commit, and how a worker comes back to its
// session, also after a restart of the server.
import type { Clock } from "../base/clock.ts";
import { makeId } from "../base/ids.ts";
import type { Command, CommandOutcome, Grant, OpenSessionCommand } from "./commands.ts";
import { keyText } from "./decision.ts";
import type { OperationRecord } from "./operation.ts";
import { type HeldAttempt, Session, type SessionPorts } from "./session.ts";
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
  store: Pick<Store, "listSessions" | "sessionGrants">;
  submit(command: Command): Promise<CommandOutcome>;
  /** A lease of this many milliseconds begins. */
  leaseBegun(leaseMs: number): void;
}

export class SessionDirectory {
  readonly #options: DirectoryOptions;
  readonly #sessions = new Map<string, Session>();
  /** Which session was given an operation, or may still run it; by keyText. */
  readonly #holders = new Map<string, Session>();
  /** Sessions of a former life that are being taken up, with what was committed meanwhile. */
  readonly #reviving = new Map<
    string,
    { session: Promise<Session | null>; heard: Map<string, OperationRecord> }
  >();
  readonly #ports: SessionPorts;

  constructor(options: DirectoryOptions) {
    this.#options = options;
    this.#ports = {
      submit: options.submit,
      grants: (session) => options.store.sessionGrants(session),
      untracked: (text, session) => {
        if (this.#holders.get(text) === session) this.#holders.delete(text);
      },
      lost: (session) => this.#end(session, "expired"),
    };
  }

  has(session: string): boolean {
    return this.#sessions.has(session);
  }

  /** Registers a worker's session, durably, and begins to feed it. */
  async open(
    facts: Omit<OpenSessionCommand, "type" | "session">,
    transport: WorkerTransport,
  ): Promise<Session> {
    const id = makeId("ses", this.#options.clock.now());
    const hello = { ...facts, session: id };
    await this.#options.submit({ ...hello, type: "openSession" });
    const session = new Session(hello, transport, this.#ports);
    this.#sessions.set(id, session);
    if (facts.kind === "remote") this.#options.leaseBegun(facts.leaseMs);
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
    const session = this.#sessions.get(id) ?? (await this.#revive(id));
    if (session?.facts.kind !== "remote" || session.facts.principal !== principal) return null;
    if ((await session.heartbeat()) === null) return null;
    this.#options.leaseBegun(session.facts.leaseMs);
    return { session, lost: session.attach(transport, inHand) };
  }

  /** The session is over: all that it still held is settled in one batch. */
  async close(id: string, survivors: readonly string[]): Promise<void> {
    const session = this.#sessions.get(id);
    // First: nothing may be granted to it once its closing is on its way.
    if (session) this.#end(session, null);
    await this.#options.submit({ type: "closeSession", session: id, survivors });
  }

  /** Ends here what the store does not know any more: its lease has passed. */
  async endExpired(): Promise<void> {
    // Before the read: a session that opens meanwhile is none of the list.
    const remote = [...this.#sessions.values()].filter(({ facts }) => facts.kind === "remote");
    const open = new Set((await this.#options.store.listSessions()).map(({ session }) => session));
    for (const session of remote) if (!open.has(session.id)) this.#end(session, "expired");
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

  /** Runs with the commit, for each operation that it changed. */
  changed(record: OperationRecord, text: string): void {
    for (const { heard } of this.#reviving.values()) heard.set(text, record);
    this.#holders.get(text)?.operationChanged(record, text);
  }

  /** Some pending operations of these types may start; null: of any type. */
  workMayBeReady(types: ReadonlySet<string> | null): void {
    for (const session of this.#sessions.values()) {
      if (types === null || !types.isDisjointFrom(session.types)) session.workMayBeReady();
    }
  }

  #end(session: Session, why: "expired" | "closed" | null): void {
    if (this.#sessions.get(session.id) === session) this.#sessions.delete(session.id);
    session.end(why);
  }

  #revive(id: string): Promise<Session | null> {
    const known = this.#reviving.get(id);
    if (known) return known.session;
    const heard = new Map<string, OperationRecord>();
    const session = this.#read(id, heard).finally(() => this.#reviving.delete(id));
    this.#reviving.set(id, { session, heard });
    return session;
  }

  /**
   * Takes up a session that this process has not seen yet. Commits go on while it is read:
   *
   *   read: w holds a -> a is cancelled and told to nobody -> the session is there and believes that a runs.
   *   So what is committed meanwhile is written down, and the newer sight of each operation counts.
   */
  async #read(id: string, heard: ReadonlyMap<string, OperationRecord>): Promise<Session | null> {
    const { store } = this.#options;
    const stored = (await store.listSessions()).find(({ session }) => session === id);
    if (stored?.kind !== "remote") return null;
    const {
      openTime: _open,
      heartbeatTime: _beat,
      running: _running,
      reserved: _reserved,
      held: _held,
      ...facts
    } = stored;
    const grants = await store.sessionGrants(id);
    const session = new Session(facts, null, this.#ports);
    // From here on to the end of this turn nothing is committed.
    for (const text of session.restore(grants, heard)) this.#holders.set(text, session);
    this.#sessions.set(id, session);
    return session;
  }
}
