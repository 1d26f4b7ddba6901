// The operation types that can be started: those that this process declares, and those that remote workers have declared.
// A remote worker's types are stored, so that operations can be started while no worker is there.
import type { FieldViolation } from "../base/rpc-error.ts";
import type { OperationPolicy } from "./operation.ts";
import type { DeclaredType, Store } from "./store.ts";

/** A JSON object, as handlers and checks take it. */
export type StartInput = { [key: string]: StartInputValue };
export type StartInputValue = null | boolean | number | string | StartInputValue[] | StartInput;

/** What is wrong with the input of a start; an empty list for nothing. */
export type StartCheck = (input: StartInput) => readonly FieldViolation[];

/**
 * A type that is made for one run (`belay exec`): only the worker that declares it ever serves it, and the operation is
 * started right after. It is neither stored nor listed, so that a million runs leave nothing behind.
 */
const ONE_RUN_TYPE = /^exec\.local-[a-z0-9]+$/;

/** Of the types that are made for one run, the newest are known. */
const ONE_RUN_MAX = 10_000;

export class OperationTypes {
  readonly #store: Pick<Store, "listTypes" | "putTypes">;
  readonly #own = new Map<string, { policy: OperationPolicy; check: StartCheck | undefined }>();
  readonly #remote = new Map<string, OperationPolicy>();
  readonly #oneRun = new Map<string, OperationPolicy>();
  #loading: Promise<void> | null = null;

  constructor(store: Pick<Store, "listTypes" | "putTypes">) {
    this.#store = store;
  }

  /** A type of this process: it wins over what remote workers say of it. */
  register(type: string, policy: OperationPolicy, check?: StartCheck): void {
    this.#own.set(type, { policy, check });
  }

  /** Reads what remote workers declared in former lives of the server. Repeated calls share one read, unless it failed. */
  load(): Promise<void> {
    this.#loading ??= this.#load().catch((error: unknown) => {
      this.#loading = null;
      throw error;
    });
    return this.#loading;
  }

  /** The newest worker's word counts, and is kept when the worker goes. Types of this process are left alone. */
  async declareRemote(types: readonly DeclaredType[]): Promise<void> {
    const news = types.filter(({ type, policy }) => {
      if (ONE_RUN_TYPE.test(type)) this.#declareOneRun(type, policy);
      else return !this.#own.has(type) && !isSamePolicy(this.#remote.get(type), policy);
      return false;
    });
    if (news.length === 0) return;
    await this.#store.putTypes(news);
    for (const { type, policy } of news) this.#remote.set(type, policy);
  }

  /** All, sorted. */
  get names(): readonly string[] {
    return [...new Set([...this.#own.keys(), ...this.#remote.keys()])].sort();
  }

  policyOf(type: string): OperationPolicy | undefined {
    return this.#own.get(type)?.policy ?? this.#remote.get(type) ?? this.#oneRun.get(type);
  }

  checkOf(type: string): StartCheck | undefined {
    return this.#own.get(type)?.check;
  }

  #declareOneRun(type: string, policy: OperationPolicy): void {
    this.#oneRun.delete(type);
    this.#oneRun.set(type, policy);
    if (this.#oneRun.size <= ONE_RUN_MAX) return;
    const [oldest] = this.#oneRun.keys();
    if (oldest !== undefined) this.#oneRun.delete(oldest);
  }

  async #load(): Promise<void> {
    for (const { type, policy } of await this.#store.listTypes()) {
      // Declared while the read was under way: newer.
      if (!this.#remote.has(type)) this.#remote.set(type, policy);
    }
  }
}

/** A worker that comes back says the same again, hundreds of times a day: nothing to write. */
function isSamePolicy(known: OperationPolicy | undefined, policy: OperationPolicy): boolean {
  return known !== undefined && JSON.stringify(known) === JSON.stringify(policy);
}
