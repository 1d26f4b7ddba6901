// connect() and BelayClient: start, get, list, wait, cancel, delete and receipts over gRPC.
// The only retry here is in wait(), which outlives a server's restart.
import type { JsonObject } from "@bufbuild/protobuf";
import { durationFromMs, timestampFromDate } from "@bufbuild/protobuf/wkt";
import {
  Operations as BelayOperations,
  type Operation,
  type Receipt,
  type Verdict,
  VerdictSchema,
} from "../protocol/gen/belay/v1/operations_pb.ts";
import { Operations as GoogleOperations } from "../protocol/gen/google/longrunning/operations_pb.ts";
import { BelayError } from "./belay-error.ts";
import { OperationHandle } from "./operation-handle.ts";
import { RpcChannel } from "./rpc-channel.ts";
import { type WaitAnswer, waitUntilDone } from "./wait-until-done.ts";

export { type Operation, type Receipt, State } from "../protocol/gen/belay/v1/operations_pb.ts";
export { BelayError } from "./belay-error.ts";
export { OperationHandle } from "./operation-handle.ts";
export { operationToJson, receiptToJson, responseJson } from "./operation-json.ts";

/** How long one call may take by default. */
const CALL_TIMEOUT_MS = 10_000;

/** How many rows of a list are read at once. */
const READS_AT_ONCE = 32;

export interface ConnectOptions {
  /** The deadline of each call in milliseconds; default 10,000. A wait adds its own time to it. */
  callTimeoutMs?: number;
  /**
   * The bearer token that every call carries, or a function that is asked before each call, for tokens that are
   * renewed. It goes over the connection as it is: a server that is not on this machine needs an https:// address.
   */
  token?: string | (() => string);
}

export interface CallOptions {
  /** Ends the call: it rejects with the signal's reason. What the server has committed stays. */
  signal?: AbortSignal | undefined;
}

/** What an operation starts with. Limits are in operations.proto. */
export interface StartOptions extends CallOptions {
  payload?: JsonObject;
  /** Makes the start idempotent: 1-128 characters. */
  requestId?: string;
  labels?: Record<string, string>;
  description?: string;
  /** "" or for instance `projects/p/locations/l`. */
  parent?: string;
  /** The operation ends FAILED (DEADLINE_EXCEEDED) if it is not done by then. */
  deadline?: Date;
  /** How long the handler may take to stop by itself; default the type's. */
  graceMs?: number;
  /** false: cancel is refused with UNIMPLEMENTED. */
  cancellable?: boolean;
}

export interface ListOptions extends CallOptions {
  /** AIP-160; default all. */
  filter?: string;
  parent?: string;
  /** 1-1000; default 50. */
  pageSize?: number;
  pageToken?: string;
}

export interface OperationPage {
  operations: Operation[];
  /** "" at the end. A page may be short, even empty, and still have a token. */
  nextPageToken: string;
}

export interface WaitOptions extends CallOptions {
  /** Default: no limit. */
  timeoutMs?: number;
}

export interface CancelOptions extends CallOptions {
  /** Why: stored in the receipt and shown to the handler; 0-1024 characters. */
  reason?: string;
  /** Overrides the type's grace; it can only shorten one that is already running. */
  graceMs?: number;
}

export type VerdictName = Exclude<keyof typeof Verdict, "VERDICT_UNSPECIFIED">;

export interface CancelResult {
  /** What the request met. */
  verdict: VerdictName;
  operation: Operation;
}

/**
 * Makes a client of the server at `address` (`host:port` or `http://host:port`). It connects with the first call.
 * Throws a TypeError for an address that it cannot read.
 *
 * @example
 * using client = connect("127.0.0.1:8080");
 * const operation = await client.start("exec.report", { payload: { month: "2026-10" } });
 * const { verdict } = await operation.cancel({ reason: "wrong month" });
 * const ended = await operation.wait();
 * console.log(verdict, ended.state === State.CANCELLED);
 */
export function connect(address: string, options: ConnectOptions = {}): BelayClient {
  return new BelayClient(address, options);
}

/** A connection to one Belay server. Every call rejects with a BelayError, or with its signal's reason. */
export class BelayClient {
  readonly #channel: RpcChannel;
  readonly #timeoutMs: number;

  constructor(address: string, options: ConnectOptions = {}) {
    const { token } = options;
    this.#channel = new RpcChannel(address, typeof token === "string" ? () => token : token);
    this.#timeoutMs = options.callTimeoutMs ?? CALL_TIMEOUT_MS;
  }

  /** `host:port` of the server. */
  get address(): string {
    return this.#channel.address;
  }

  /** Starts an operation; resolves when it is durable. */
  async start(type: string, options: StartOptions = {}): Promise<OperationHandle> {
    const { payload, graceMs, cancellable, deadline } = options;
    const hasPolicy = graceMs !== undefined || cancellable !== undefined;
    const started = await this.#channel.call(
      BelayOperations.method.startOperation,
      {
        type,
        ...(payload && { payload }),
        requestId: options.requestId ?? "",
        labels: options.labels ?? {},
        description: options.description ?? "",
        parent: options.parent ?? "",
        ...(deadline && { deadline: timestampFromDate(deadline) }),
        ...(hasPolicy && {
          cancelPolicy: {
            ...(cancellable !== undefined && { cancellable }),
            ...(graceMs !== undefined && { grace: durationFromMs(Math.round(graceMs)) }),
          },
        }),
      },
      this.#call(options),
    );
    return this.operation(started.name);
  }

  /** A handle of an operation whose name is known. Asks nothing. */
  operation(name: string): OperationHandle {
    return new OperationHandle(this, name);
  }

  /** Everything that is known of an operation; deleted ones too, until they are purged. */
  get(name: string, options: CallOptions = {}): Promise<Operation> {
    return this.#channel.call(BelayOperations.method.getOperation, { name }, this.#call(options));
  }

  /**
   * One page of operations, newest first. It reads each operation of the page by itself: one that was purged
   * meanwhile is left out.
   */
  async list(options: ListOptions = {}): Promise<OperationPage> {
    const parent = options.parent ?? "";
    const page = await this.#channel.call(
      GoogleOperations.method.listOperations,
      {
        name: parent === "" ? "operations" : `${parent}/operations`,
        filter: options.filter ?? "",
        pageSize: options.pageSize ?? 50,
        pageToken: options.pageToken ?? "",
      },
      this.#call(options),
    );
    const operations: Operation[] = [];
    for (let start = 0; start < page.operations.length; start += READS_AT_ONCE) {
      const names = page.operations.slice(start, start + READS_AT_ONCE).map((operation) => operation.name);
      const found = await Promise.all(names.map((name) => this.#getIfPresent(name, options)));
      for (const operation of found) if (operation) operations.push(operation);
    }
    return { operations, nextPageToken: page.nextPageToken };
  }

  /** Resolves when the operation is done, however it ended, or with its present state after `timeoutMs`. */
  async wait(name: string, options: WaitOptions = {}): Promise<Operation> {
    const operation = await this.get(name, options);
    if (operation.done) return operation;
    await waitUntilDone({
      timeoutMs: options.timeoutMs ?? Number.POSITIVE_INFINITY,
      signal: options.signal,
      waitOnce: (sliceMs) => this.#waitOnce(name, sliceMs, options),
    });
    return this.get(name, options);
  }

  /** Requests cancellation; resolves once the request is durable, not when the work has stopped. */
  async cancel(name: string, options: CancelOptions = {}): Promise<CancelResult> {
    const { verdict, operation } = await this.#channel.call(
      BelayOperations.method.cancelOperation,
      {
        name,
        reason: options.reason ?? "",
        ...(options.graceMs !== undefined && { grace: durationFromMs(Math.round(options.graceMs)) }),
      },
      this.#call(options),
    );
    const verdictName = VerdictSchema.value[verdict]?.name;
    if (!operation || verdictName === undefined) {
      throw new BelayError("the server's answer to cancel cannot be read", { code: "INTERNAL" });
    }
    return { verdict: verdictName as VerdictName, operation };
  }

  /** Says that nobody is interested in the operation any more: it is hidden, and its type decides what becomes of the work. */
  async delete(name: string, options: CallOptions = {}): Promise<void> {
    await this.#channel.call(GoogleOperations.method.deleteOperation, { name }, this.#call(options));
  }

  /** The durable record of an operation's cancellation. */
  receipt(name: string, options: CallOptions = {}): Promise<Receipt> {
    return this.#channel.call(BelayOperations.method.getReceipt, { name }, this.#call(options));
  }

  /** Closes the connection. */
  close(): void {
    this.#channel.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  /**
   * One WaitOperation. The server refuses it for a deleted operation, which google clients no longer see, and when it
   * holds as many waits of this connection as it takes: then the operation is looked at instead.
   */
  async #waitOnce(name: string, sliceMs: number, options: CallOptions): Promise<WaitAnswer> {
    try {
      const { done } = await this.#channel.call(
        GoogleOperations.method.waitOperation,
        { name, timeout: durationFromMs(sliceMs) },
        { timeoutMs: sliceMs + this.#timeoutMs, signal: options.signal },
      );
      return done ? "done" : "open";
    } catch (error) {
      const { code = "", reason = "" } = error instanceof BelayError ? error : {};
      if (code !== "NOT_FOUND" && reason !== "OVERLOADED") throw error;
      const operation = await this.get(name, options);
      if (code === "NOT_FOUND" && !operation.deleteTime) throw error;
      return operation.done ? "done" : "not-held";
    }
  }

  #call(options: CallOptions): { timeoutMs: number; signal: AbortSignal | undefined } {
    return { timeoutMs: this.#timeoutMs, signal: options.signal };
  }

  async #getIfPresent(name: string, options: CallOptions): Promise<Operation | undefined> {
    try {
      return await this.get(name, { signal: options.signal });
    } catch (error) {
      if (error instanceof BelayError && error.code === "NOT_FOUND") return undefined;
      throw error;
    }
  }
}
