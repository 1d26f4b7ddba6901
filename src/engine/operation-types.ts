// The operation types that can be started: those that this process declares, and those that others have declared: remote
// workers, and where several processes share the store, those processes. Types of others are stored, so that operations
// can be started while nobody is there that runs them.

import type { Logger } from "../base/logger.ts";
import { randomFraction } from "../base/random.ts";
import type { FieldViolation } from "../base/rpc-error.ts";
import { startTimer, type Timer } from "../base/timers.ts";
import type { OperationPolicy } from "./operation.ts";
import type { DeclaredType, Store } from "./store.ts";

/** A JSON object, as handlers and checks take it. */
export type StartInput = { [key: string]: StartInputValue };
export type StartInputValue = null | boolean | number | string | StartInputValue[] | StartInput;

/** What is wrong with the input of a start; an empty list for nothing. */
export type StartCheck = (input: StartInput) => readonly FieldViolation[];

/**
 * A type that is made for one run (`belay exec`): only the worker that declares it ever serves it, and the operation is
 * started right after. It is never listed. Where one process has the store it is not stored either, so that a million runs
 * leave nothing behind. Where several share it, the start may come to another one than the worker: it is stored for as
 * long as the worker's session is open.
 */
const ONE_RUN_TYPE = /^exec\.local-[a-z0-9]+$/;

/** Of the types that are made for one run, the newest are known. */
const ONE_RUN_MAX = 10_000;

/** Where several processes share the store: how old what this one knows of the others' types may be. */
const REFRESH_MS = 5_000;

/** How often types of one run are looked for whose worker is gone without a word: of two looks the second one forgets them. */
const SWEEP_MS = 600_000;

type TypeStore = Pick<Store, "isShared" | "listTypes" | "putTypes" | "dropTypes" | "listSessions">;

export class OperationTypes {
  readonly #store: TypeStore;
  readonly #logger: Logger;
  readonly #own = new Map<string, { policy: OperationPolicy; check: StartCheck | undefined }>();
  readonly #remote = new Map<string, OperationPolicy>();
  readonly #oneRun = new Map<string, OperationPolicy>();
  #loading: Promise<void> | null = null;
  /** A read that begins when the one under way has ended. */
  #next: Promise<void> | null = null;
  #timer: Timer | null = null;
  #sweepTimer: Timer | null = null;
  /** Types of one run that no open session had, when it was looked last. */
  #left: ReadonlySet<string> = new Set();

  constructor(store: TypeStore, logger: Logger) {
    this.#store = store;
    this.#logger = logger;
  }

  /** A type of this process: it wins over what others say of it. */
  register(type: string, policy: OperationPolicy, check?: StartCheck): void {
    this.#own.set(type, { policy, check });
  }

  /**
   * Reads what others have declared, also in former lives of the server. With a shared store: tells them of this process's
   * own types, and reads again from time to time.
   */
  async start(): Promise<void> {
    if (!this.#store.isShared) return await this.load();
    // Nodes that started together do not read together.
    this.#timer = startTimer(REFRESH_MS * randomFraction(), () => this.#refresh(), { unref: true });
    this.#sweepTimer = startTimer(SWEEP_MS * randomFraction(), () => void this.#sweep(), { unref: true });
    await this.load();
    const own = [...this.#own].map(([type, { policy }]) => ({ type, policy }));
    const news = own.filter(({ type, policy }) => !isSamePolicy(this.#remote.get(type), policy));
    if (news.length > 0) await this.#store.putTypes(news);
  }

  stop(): void {
    this.#timer?.cancel();
    this.#sweepTimer?.cancel();
  }

  /** Reads what others have declared. A read that is under way is not enough: what is looked for may be newer. */
  load(): Promise<void> {
    if (this.#loading === null) {
      this.#loading = this.#load().finally(() => {
        this.#loading = null;
      });
      return this.#loading;
    }
    this.#next ??= this.#loading
      .catch(() => undefined)
      .then(() => {
        this.#next = null;
        return this.load();
      });
    return this.#next;
  }

  /** The newest worker's word counts, and is kept when the worker goes. Types of this process are left alone. */
  async declareRemote(types: readonly DeclaredType[]): Promise<void> {
    const { isShared } = this.#store;
    const news = types.filter(({ type, policy }) => {
      if (ONE_RUN_TYPE.test(type)) return this.#declareOneRun(type, policy) && isShared;
      return !this.#own.has(type) && !isSamePolicy(this.#remote.get(type), policy);
    });
    if (news.length === 0) return;
    await this.#store.putTypes(news);
    for (const { type, policy } of news) if (!ONE_RUN_TYPE.test(type)) this.#remote.set(type, policy);
  }

  /** A session is over: what was made for one run of it is not known any more, on no node. */
  async sessionClosed(types: readonly string[]): Promise<void> {
    const over = types.filter((type) => ONE_RUN_TYPE.test(type));
    if (over.length === 0 || !this.#store.isShared) return;
    for (const type of over) this.#oneRun.delete(type);
    // What is left is found by the sweep.
    await this.#store.dropTypes(over).catch(() => undefined);
  }

  /** All, sorted. */
  get names(): readonly string[] {
    return [...new Set([...this.#own.keys(), ...this.#remote.keys()])].sort();
  }

  policyOf(type: string): OperationPolicy | undefined {
    return this.#own.get(type)?.policy ?? this.#remote.get(type) ?? this.#oneRun.get(type);
  }

  /** As `policyOf`; where several processes share the store, another one may know it for a moment only. */
  async findPolicy(type: string): Promise<OperationPolicy | undefined> {
    const known = this.policyOf(type);
    if (known !== undefined || !this.#store.isShared) return known;
    await this.load();
    return this.policyOf(type);
  }

  checkOf(type: string): StartCheck | undefined {
    return this.#own.get(type)?.check;
  }

  /** False where it was known so. */
  #declareOneRun(type: string, policy: OperationPolicy): boolean {
    const isNew = !isSamePolicy(this.#oneRun.get(type), policy);
    this.#oneRun.delete(type);
    this.#oneRun.set(type, policy);
    const [oldest] = this.#oneRun.keys();
    if (this.#oneRun.size > ONE_RUN_MAX && oldest !== undefined) this.#oneRun.delete(oldest);
    return isNew;
  }

  async #load(): Promise<void> {
    const before = new Map(this.#remote);
    for (const { type, policy } of await this.#store.listTypes()) {
      if (ONE_RUN_TYPE.test(type)) this.#declareOneRun(type, policy);
      // Declared here while the read was under way: newer.
      else if (this.#remote.get(type) === before.get(type)) this.#remote.set(type, policy);
    }
  }

  #refresh(): void {
    this.load().catch((error: unknown) =>
      this.#logger.debug({ err: error }, "operation types were not read"),
    );
    this.#timer = startTimer(REFRESH_MS, () => this.#refresh(), { unref: true });
  }

  /** Forgets what was made for one run of a worker that is gone. Its type is declared before its session opens: so twice. */
  async #sweep(): Promise<void> {
    try {
      const stored = (await this.#store.listTypes()).filter(({ type }) => ONE_RUN_TYPE.test(type));
      const sessions = stored.length === 0 ? [] : await this.#store.listSessions();
      const open = new Set(sessions.flatMap(({ types }) => types));
      const left = stored.flatMap(({ type }) => (open.has(type) ? [] : type));
      const gone = left.filter((type) => this.#left.has(type));
      this.#left = new Set(left);
      if (gone.length > 0) await this.#store.dropTypes(gone);
    } catch (error) {
      this.#logger.debug({ err: error }, "operation types of one run were not looked at");
    }
    this.#sweepTimer = startTimer(SWEEP_MS, () => void this.#sweep(), { unref: true });
  }
}

/** A worker that comes back says the same again, hundreds of times a day: nothing to write. */
function isSamePolicy(known: OperationPolicy | undefined, policy: OperationPolicy): boolean {
  return known !== undefined && JSON.stringify(known) === JSON.stringify(policy);
}
