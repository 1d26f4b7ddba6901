// One connected worker on the engine's side: its slots, what it was given, what it was told. It lives as long as the
// session's lease: streams come and go under it (attach, detach), and what was said into a broken one is said again.
import { monotonicMs } from "../base/clock.ts";
import type {
  AcquireCommand,
  Command,
  CommandOutcome,
  Grant,
  HeartbeatCommand,
  OpenSessionCommand,
} from "./commands.ts";
import { keyOf, keyText } from "./decision.ts";
import type { CancelRequest, OperationKey, OperationRecord } from "./operation.ts";
import { ReservationWatch } from "./reservation-watch.ts";
import { SessionAcquires } from "./session-acquires.ts";
import { type HoldSight, isNewerHold, isNewerSight, sightOf } from "./session-holds.ts";
import { isStricter, whyLost } from "./session-news.ts";
import { findUnheard, UnheardGrants } from "./unheard-grants.ts";
import type { WorkerTransport } from "./worker-transport.ts";

/** The commands that a worker may send: all carry its session and lease token. */
export type FencedCommand = Extract<Command, { token: number }>;

/** What a worker said of itself when it came. */
export type SessionFacts = Omit<OpenSessionCommand, "type">;

/** An attempt, as a worker names it. */
export interface HeldAttempt {
  key: OperationKey;
  token: number;
}

/** A cancel of an attempt that has begun and has not ended. */
export interface OpenCancel extends HeldAttempt {
  record: OperationRecord;
  cancel: CancelRequest;
}

/** What a session needs of the engine. */
export interface SessionPorts {
  submit(command: Command): Promise<CommandOutcome>;
  /** All that the store knows the session to hold, with what a grant carries. */
  grants(session: string): Promise<readonly Grant[]>;
  /** As if these were granted just now. */
  granted(grants: readonly Grant[]): void;
  /** The session has no more to do with this operation. */
  untracked(text: string, session: Session): void;
  /** The store knows the session no more, or another node has its worker. */
  lost(session: Session, why: "expired" | "replaced"): void;
  /** Looks at these in the store, and tells the session what it finds; only where other nodes commit, too. */
  lookAt(keys: readonly OperationKey[]): Promise<void>;
}

/** Attempts that a heartbeat looks at in the store: those that were looked at longest ago. */
const LOOKED_AT_MAX = 500;

/** An attempt that the worker was given. */
interface Given extends HeldAttempt {
  sight: HoldSight;
  begun: boolean;
  /** While a cancel is open: the operation as it stands. */
  cancelling: OperationRecord | null;
  /** The cancel that the worker was last told, or null. */
  told: CancelRequest | null;
  /** A report that ends the attempt is under way: its end is no news to the worker. */
  ending: boolean;
  /** The worker came back without it: it is sent again. */
  missing: boolean;
}

const endingReports = new Set<FencedCommand["type"]>(["complete", "fail", "stopped", "release", "return"]);

/** A worker's session; made by the engine. */
export class Session {
  readonly id: string;
  readonly facts: SessionFacts;
  readonly types: ReadonlySet<string>;
  /** Until when the lease of an embedded worker is certainly its own, by monotonicMs; Infinity where it has no timed one. */
  leaseEndMs: number = Number.POSITIVE_INFINITY;
  readonly #typeList: readonly string[];
  readonly #ports: SessionPorts;
  /** By keyText. */
  readonly #given = new Map<string, Given>();
  /** Operations that ended unconfirmed, or whose attempt was taken away, while their work may still run here. */
  readonly #stuck = new Map<string, HoldSight>();
  readonly #unheard = new UnheardGrants();
  readonly #acquires: SessionAcquires;
  readonly #reservations = new ReservationWatch((attempt) => this.#giveBack(attempt));
  #transport: WorkerTransport | null;
  #isDraining = false;
  #serverDrains = false;
  #hasEnded = false;
  #beatMs = monotonicMs();

  constructor(facts: SessionFacts, transport: WorkerTransport | null, ports: SessionPorts) {
    this.id = facts.session;
    this.facts = facts;
    this.types = new Set(facts.types);
    this.#typeList = [...this.types];
    this.#transport = transport;
    this.#ports = ports;
    this.#acquires = new SessionAcquires({
      slots: facts.slots,
      mayTake: () => this.#mayTake(),
      acquire: (limit, onlyStarted) => this.#acquire(limit, onlyStarted),
    });
  }

  get hasEnded(): boolean {
    return this.#hasEnded;
  }

  /** False while its stream is broken. */
  get isConnected(): boolean {
    return this.#transport !== null;
  }

  /** Slots that may take new work; 0 while none is given. */
  get free(): number {
    return this.#acquires.free;
  }

  /** Operations whose work may still run here although they were taken away. */
  get stuckCount(): number {
    return this.#stuck.size;
  }

  /** True if its lease may have passed, or its worker is elsewhere: the store knows. */
  get mayBeOver(): boolean {
    return !this.isConnected || monotonicMs() - this.#beatMs > this.facts.leaseMs;
  }

  /** True if the attempt is this session's. */
  holds({ key, token }: HeldAttempt): boolean {
    return this.#given.get(keyText(key))?.token === token;
  }

  /** True if it has something in hand, or may still run something, of these. */
  holdsAny(isOne: (key: OperationKey) => boolean): boolean {
    return this.#stuck.size > 0 || [...this.#given.values()].some(({ key }) => isOne(key));
  }

  /** One of several databases that were asked for work did not answer: what it may have given is looked for. */
  acquireUnanswered(): void {
    this.#unheard.acquireFailed();
  }

  /** Sends a worker's report to the store. Rejects when nobody can say whether it was committed: reports are idempotent. */
  async report(command: FencedCommand): Promise<CommandOutcome> {
    const text = keyText(command.key);
    const given = this.#given.get(text);
    if (given?.token === command.token && endingReports.has(command.type)) given.ending = true;
    try {
      const outcome = await this.#ports.submit(command);
      if (command.type === "begin") this.#begunReported(text);
      return outcome;
    } catch (error) {
      if (given) given.ending = false;
      throw error;
    }
  }

  /** The worker says that the work of so many assignments occupies its slots no more, however it ended. */
  slotFreed(count = 1): void {
    this.#acquires.freed(count);
  }

  /** The worker takes no new work from now on, on whatever stream. */
  drain(): void {
    this.#isDraining = true;
  }

  /** The server stops: the worker is told, and gets no new work from here. */
  tellDrain(): void {
    this.#serverDrains = true;
    this.#transport?.drain();
  }

  /** Asks the store for work if there are free slots; called whenever some may be there. */
  workMayBeReady(): void {
    this.#acquires.workMayBeReady();
  }

  /** See SessionAcquires. */
  takeStarted(count: number): number {
    return this.#acquires.takeStarted(count);
  }

  /**
   * Renews the lease of all that it holds: one write. Answers every cancel that is open on what it runs, told already
   * or not (a push may have been lost); null if the session is over: then `ended` was called.
   */
  async heartbeat(): Promise<readonly OpenCancel[] | null> {
    const { node } = this.facts;
    const command: HeartbeatCommand = { type: "heartbeat", session: this.id };
    // A cancel of another node is told when that node's commit is heard of. Should that fail, it is found here (G6).
    const looked = node === undefined ? undefined : this.#ports.lookAt(this.#toLookAt());
    const outcome = await this.#ports.submit(node === undefined ? command : { ...command, node });
    if (outcome.type === "refused" || this.#hasEnded) {
      this.#ports.lost(this, outcome.type === "refused" ? whyLost(outcome.reason) : "expired");
      return null;
    }
    this.renewed();
    await looked;
    if (node !== undefined && this.#unheard.mayBeThere) void this.#takeUnheard();
    return this.openCancels();
  }

  /** Its lease has begun anew in the store. */
  renewed(): void {
    this.#beatMs = monotonicMs();
  }

  /** As `renewed`, for a worker that counts its lease here. */
  renewedUntil(endMs: number): void {
    this.leaseEndMs = endMs;
    this.#transport?.renewed?.();
  }

  openCancels(): OpenCancel[] {
    return [...this.#given.values()].flatMap(({ key, token, cancelling }) => {
      const cancel = cancelling?.cancel;
      return cancelling && cancel ? [{ key, token, record: cancelling, cancel }] : [];
    });
  }

  /**
   * Takes over what an acquire granted. Runs with the commit, before any outcome is handed out: a cancel that is
   * committed in the very next batch must already find the attempt here, or its push would be lost.
   */
  granted(grants: readonly Grant[]): void {
    this.#acquires.granted(grants.length);
    for (const grant of grants) {
      this.#take(grant.record);
      // acquire -> the stream breaks -> granted: nobody hears of it, and reserved work waits for no worker.
      if (this.#transport === null) this.#giveBack(grant.record);
      else this.#transport.granted(grant);
    }
  }

  /**
   * Follows a committed change of an operation. `held` operations keep the session from new work until their stuck
   * handler is gone (G2); its other work goes on.
   */
  operationChanged(record: OperationRecord, text: string): void {
    const sight = sightOf(record);
    if (this.#isOld(sight, text)) return;
    const isHeld = record.held?.session === this.id;
    // Cancelled while it was held: still the same handler, waited for under its old lease.
    const isAwaited = record.state === "CANCELLING" && record.lease?.session === this.id;
    if (isHeld || (isAwaited && this.#stuck.has(text))) this.#stuck.set(text, sight);
    else if (this.#stuck.delete(text)) this.workMayBeReady();
    const given = this.#given.get(text);
    if (given) {
      given.sight = sight;
      this.#follow(given, record, text);
    }
    if (!this.#given.has(text) && !this.#stuck.has(text)) this.#ports.untracked(text, this);
  }

  /**
   * A stream of the worker takes over. Answers what the worker has in hand and does not hold any more: that work must be
   * stopped. What it holds and does not have in hand is sent again, and so is every open cancel; both only after the
   * caller has had its turn, so that it can greet the worker first.
   */
  attach(transport: WorkerTransport, inHand: readonly HeldAttempt[]): HeldAttempt[] {
    const replaced = this.#transport;
    this.#transport = transport;
    replaced?.ended("replaced");
    const known = new Set<Given>();
    const lost: HeldAttempt[] = [];
    for (const attempt of inHand) {
      const given = this.#given.get(keyText(attempt.key));
      if (given?.token === attempt.token) known.add(given);
      else lost.push(attempt);
    }
    for (const given of this.#given.values()) given.missing = !known.has(given);
    // What was freed in a stream that broke is not in hand, and what is in hand will be freed in this one.
    this.#acquires.occupy(inHand.length + (this.#given.size - known.size));
    setImmediate(() => void this.#repeat(transport));
    return lost;
  }

  /**
   * A stream is gone; the session lives on until its lease passes. Work that was reserved and not begun goes back at
   * once, free of charge: it need not wait for a worker that may never come back. If it comes back, and says `started`,
   * the fence refuses it.
   */
  detach(transport: WorkerTransport): void {
    if (this.#transport !== transport) return; // replaced already
    this.#transport = null;
    for (const given of this.#given.values()) if (!given.begun) this.#giveBack(given);
  }

  /** The session is over on this side: nothing more is asked for, and nothing more is told. */
  end(why: "expired" | "replaced" | "closed" | null): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    const transport = this.#transport;
    this.#transport = null;
    // To another node, which has read what the session holds, perhaps before this one was granted more.
    if (why === "replaced") for (const given of this.#given.values()) if (!given.begun) this.#giveBack(given);
    for (const text of new Set([...this.#given.keys(), ...this.#stuck.keys()]))
      this.#ports.untracked(text, this);
    this.#given.clear();
    this.#stuck.clear();
    this.#reservations.stop();
    if (why !== null) transport?.ended(why);
  }

  /** For a session of a former life of the server: what the store knows it to hold, or what was heard since. */
  restore(grants: readonly Grant[], heard: ReadonlyMap<string, OperationRecord>): string[] {
    const texts: string[] = [];
    for (const { record: read } of grants) {
      const text = keyText(read);
      const news = heard.get(text);
      const record = news && isNewerHold(news, read) ? news : read;
      if (record.lease?.session === this.id) this.#take(record);
      else if (record.held?.session === this.id) this.#stuck.set(text, sightOf(record));
      else continue;
      texts.push(text);
    }
    return texts;
  }

  /**
   * Where several nodes commit, an operation is seen by own commits and by reads, in no order:
   *
   *   a read finds X free -> X is granted to this session, and told to the worker -> the read's answer comes.
   *   Taken as the newer one it would say that X was taken away: the worker would be told to stop what it has begun.
   */
  #isOld(sight: HoldSight, text: string): boolean {
    const given = this.#given.get(text)?.sight;
    const stuck = this.#stuck.get(text);
    return (given && isNewerSight(given, sight)) || (stuck && isNewerSight(stuck, sight)) || false;
  }

  /** In turn: what was looked at goes to the end. */
  #toLookAt(): OperationKey[] {
    const keys: OperationKey[] = [];
    for (const [text, given] of this.#given) {
      if (keys.length >= LOOKED_AT_MAX) break;
      keys.push(given.key);
      if (this.#given.size > LOOKED_AT_MAX && this.#given.delete(text)) this.#given.set(text, given);
    }
    return keys;
  }

  #take(record: OperationRecord): void {
    const { service, tenant, name, leaseToken, lease, state } = record;
    const key = { service, tenant, name };
    if (lease?.begun !== true) this.#reservations.add({ key, token: leaseToken });
    this.#given.set(keyText(key), {
      sight: sightOf(record),
      key,
      token: leaseToken,
      begun: lease?.begun ?? false,
      cancelling: state === "CANCELLING" ? record : null,
      told: null,
      ending: false,
      missing: false,
    });
  }

  #follow(given: Given, record: OperationRecord, text: string): void {
    const { lease, cancel } = record;
    if (lease?.session !== this.id || lease.token !== given.token) {
      this.#given.delete(text);
      this.#reservations.delete(given);
      if (given.missing) {
        // The worker came back without it, and now it need not be sent: no slot of the worker's is in use by it.
        this.slotFreed();
        return;
      }
      // Unconfirmed: it was told of the cancel and of its deadline.
      const isTold = given.ending || (record.held?.session === this.id && cancel !== null);
      // A reserved attempt that was cancelled is revoked: it never begins (G5). Its slot is free when the worker says so.
      if (!isTold) this.#transport?.revoked(given.key, given.token, record);
      return;
    }
    given.begun = lease.begun;
    if (lease.begun) this.#reservations.delete(given);
    if (record.state !== "CANCELLING" || cancel === null) return;
    given.cancelling = record;
    if (given.told === null || isStricter(cancel, given.told)) this.#tell(given);
  }

  #tell(given: Given): void {
    const { cancelling, token } = given;
    const cancel = cancelling?.cancel;
    if (!cancelling || !cancel || this.#transport === null || given.missing) return;
    given.told = cancel;
    this.#transport.cancelRequested(cancelling, token, cancel);
  }

  /**
   * A cancel that is committed between a begin and its acknowledgement is told before the worker knows that it may begin:
   *
   *   begin and cancel in one batch -> the session hears CANCELLING and tells -> the begin's outcome is handed out.
   *   A worker that looks up running attempts only would drop the notice, and run until its next heartbeat.
   *
   * So it is told once more after the acknowledgement, which is sent in this very turn.
   */
  #begunReported(text: string): void {
    const given = this.#given.get(text);
    if (given?.cancelling) setImmediate(() => this.#given.get(text) === given && this.#tell(given));
  }

  /** To a worker that came back. What it does not have is read again: grants are not kept, they may be large. */
  async #repeat(transport: WorkerTransport): Promise<void> {
    const isCurrent = (): boolean => this.#transport === transport && !this.#hasEnded;
    if (!isCurrent()) return;
    if (this.#serverDrains) transport.drain();
    for (const given of this.#given.values()) this.#tell(given);
    const isMissing = (): boolean => [...this.#given.values()].some((given) => given.missing);
    if (isMissing()) {
      const grants = await this.#ports.grants(this.id).catch(() => null);
      if (!isCurrent()) return;
      // Without the store nothing goes on. Reserved work would wait for ever in a session that beats: start over.
      if (grants === null) {
        this.detach(transport);
        transport.ended("replaced");
        return;
      }
      for (const grant of grants) this.#sendAgain(grant, transport);
    }
    this.workMayBeReady();
  }

  #sendAgain(grant: Grant, transport: WorkerTransport): void {
    const given = this.#given.get(keyText(grant.record));
    if (!given?.missing || given.token !== grant.record.leaseToken) return;
    given.missing = false;
    transport.granted(grant);
    this.#tell(given);
  }

  #giveBack(attempt: HeldAttempt | OperationRecord): void {
    const { key, token } = "key" in attempt ? attempt : { key: keyOf(attempt), token: attempt.leaseToken };
    // Refused where it has begun meanwhile; then it is the worker's until the lease passes.
    const command = { type: "return", key, session: this.id, token } as const;
    this.#ports.submit(command).catch(() => {}); // the lease gives it back, later
  }

  #mayTake(): boolean {
    const isOpen = this.#transport !== null && !this.#hasEnded;
    if (this.#transport?.runsElsewhere) return !this.#isDraining && !this.#serverDrains && isOpen;
    return isOpen && !this.#isDraining && !this.#serverDrains && this.#stuck.size === 0;
  }

  async #acquire(limit: number, onlyStarted: boolean): Promise<number | null> {
    const command: AcquireCommand = {
      type: "acquire",
      session: this.id,
      types: this.#typeList,
      limit,
      guarded: this.facts.guarded,
      begin: !(this.#transport?.reserves ?? true),
      ...(this.facts.node !== undefined && { node: this.facts.node }),
      ...(onlyStarted && { onlyStarted }),
    };
    try {
      const outcome = await this.#ports.submit(command);
      if (outcome.type === "refused") this.#ports.lost(this, whyLost(outcome.reason));
      return outcome.type === "granted" ? outcome.grants.length : 0;
    } catch {
      this.#unheard.acquireFailed();
      return null; // the store is full or failing; the engine's backstop asks again
    }
  }

  /** A read that fails is made again by the next heartbeat. */
  #takeUnheard(): Promise<unknown> {
    return this.#acquires.undisturbed(async () => {
      const grants = await findUnheard(this.id, this.#given, () => this.#ports.grants(this.id)).catch(() => {
        // A database that gave it something may be away for longer: it is looked at when it is back.
        this.#unheard.acquireFailed();
        return [];
      });
      if (grants.length > 0 && !this.#hasEnded) this.#ports.granted(grants);
    });
  }
}
