// The main thread's side of a store thread: starts it, sends calls, matches replies, and notices when it dies.
import { Worker } from "node:worker_threads";
import { StoreOpenError } from "../store-open-error.ts";
import {
  decodeError,
  type ThreadCall,
  type ThreadEvent,
  type ThreadOpened,
  type ThreadReply,
} from "./thread-messages.ts";

interface WaitingCall {
  resolve(value: unknown): void;
  reject(error: Error): void;
}

export interface ThreadClientOptions {
  /** The module of the thread, without its ending. */
  module: "writer-thread" | "reader-thread";
  name: string;
  data: unknown;
  onEvent(event: ThreadEvent): void;
  /** The thread ended without being asked to; its calls were rejected. */
  onDied(cause: string): void;
}

type Method<Calls> = keyof Calls & string;
type Arguments<F> = F extends (...args: infer A) => unknown ? A : never;
type Result<F> = F extends (...args: never[]) => infer R ? R : never;

/** The ending of this module is the ending of the threads' modules: .ts in src/, .js in dist/. */
const ending = import.meta.url.slice(import.meta.url.lastIndexOf("."));

/**
 * A thread takes over the process's options. `--input-type`, of a program given as text, is one that it refuses; and a
 * list given to it may hold only what a thread can have, so then it gets none.
 */
function threadOptions(): { execArgv?: string[] } {
  return process.execArgv.some((option) => option.startsWith("--input-type")) ? { execArgv: [] } : {};
}

export class ThreadClient<Calls> {
  readonly #worker: Worker;
  readonly #waiting = new Map<number, WaitingCall>();
  readonly #exited: Promise<void>;
  readonly #options: ThreadClientOptions;
  #nextId = 1;
  #deathCause: string | null = null;
  #closing = false;

  private constructor(worker: Worker, options: ThreadClientOptions) {
    this.#worker = worker;
    this.#options = options;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#exited = promise;
    worker.on("error", (error) => {
      this.#deathCause = error instanceof Error ? error.message : String(error);
    });
    worker.on("exit", (code) => {
      this.#deathCause ??= `it exited with code ${code}`;
      const error = new Error(`a thread of the store is gone: ${this.#deathCause}`);
      for (const { reject } of this.#waiting.values()) reject(error);
      this.#waiting.clear();
      resolve();
      if (!this.#closing) options.onDied(this.#deathCause);
    });
  }

  /** Starts the thread; throws StoreOpenError with the line that it failed with. */
  static async start<Calls, Value>(
    options: ThreadClientOptions,
  ): Promise<{ client: ThreadClient<Calls>; value: Value }> {
    const { module, name, data } = options;
    const url = new URL(`./${module}${ending}`, import.meta.url);
    const worker = new Worker(url, { name, workerData: data, ...threadOptions() });
    const client = new ThreadClient<Calls>(worker, options);
    const opened = Promise.withResolvers<ThreadOpened<Value>>();
    worker.on("message", (message: ThreadOpened<Value> | ThreadReply | ThreadEvent) => {
      if (message.type === "opened" || message.type === "openFailed") opened.resolve(message);
      else client.#receive(message);
    });
    const died = client.#exited.then(() => ({ type: "openFailed", line: client.#deathCause ?? "" }) as const);
    const first = await Promise.race([opened.promise, died]);
    if (first.type === "openFailed") {
      client.#closing = true;
      await client.#exited;
      throw new StoreOpenError(first.line);
    }
    return { client, value: first.value };
  }

  /** Calls are answered in order, each alone; rejects with what the thread threw. */
  call<M extends Method<Calls>>(method: M, ...args: Arguments<Calls[M]>): Promise<Result<Calls[M]>> {
    return this.#send(method, args) as Promise<Result<Calls[M]>>;
  }

  /** Lets the thread close what it has open, then waits for its end. */
  async close(): Promise<void> {
    if (this.#closing) return this.#exited;
    this.#closing = true;
    if (this.#deathCause === null) await this.#send("close", []).catch(() => undefined);
    await this.#exited;
  }

  /** Ends the thread where it is. */
  async terminate(): Promise<void> {
    this.#closing = true;
    await this.#worker.terminate();
    await this.#exited;
  }

  #send(method: string, args: readonly unknown[]): Promise<unknown> {
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    if (this.#deathCause !== null) {
      reject(new Error(`a thread of the store is gone: ${this.#deathCause}`));
      return promise;
    }
    const id = this.#nextId++;
    this.#waiting.set(id, { resolve, reject });
    this.#worker.postMessage({ id, method, args } satisfies ThreadCall);
    return promise;
  }

  #receive(message: ThreadReply | ThreadEvent): void {
    if (message.type === "fatal" || message.type === "notice") {
      this.#options.onEvent(message);
      return;
    }
    const waiting = this.#waiting.get(message.id);
    if (!waiting) return;
    this.#waiting.delete(message.id);
    if (message.type === "reply") waiting.resolve(message.value);
    else waiting.reject(decodeError(message.error));
  }
}
