// connect() and BelayClient: every call of belay.v1.Operations over gRPC. What repeats by itself: wait(), watch() and the
// cancel of a start's `cancelOn`, which outlive a server's restart, and a call that was refused for overload. No other call
// is sent twice.

import { statusCodeName } from "../base/status-code.ts";
import {
  type CancelOperationResponse,
  type Explanation,
  type Operation,
  Operations,
  type Receipt,
  VerdictSchema,
  type Worker,
} from "../protocol/gen/belay/v1/operations_pb.ts";
import type { Status } from "../protocol/gen/google/rpc/status_pb.ts";
import { BelayError } from "./belay-error.ts";
import type {
  CallOptions,
  CancelHow,
  CancelOperationsOptions,
  CancelOptions,
  CancelResult,
  ExportOptions,
  ListOptions,
  OperationPage,
  PreviewResult,
  ReceiptChainPage,
  ReleaseOptions,
  RerunOptions,
  StartOptions,
  StartRequest,
  VerdictName,
  WaitOptions,
  WatchOptions,
} from "./call-options.ts";
import { linkCancel } from "./cancel-on.ts";
import { OperationHandle } from "./operation-handle.ts";
import { OperationWatch } from "./operation-watch.ts";
import { RpcChannel } from "./rpc-channel.ts";
import { errorInfoOf } from "./service-error.ts";
import { durationOf, startMessage } from "./start-message.ts";
import { type WaitAnswer, waitUntilDone } from "./wait-until-done.ts";

export {
  type CancelPreview,
  type ChainCheckpoint,
  type ChainEntry,
  type Explanation,
  type Operation,
  type OperationEvent,
  type Receipt,
  State,
  type Worker,
} from "../protocol/gen/belay/v1/operations_pb.ts";
export { BelayError } from "./belay-error.ts";
export type {
  CallOptions,
  CancelHow,
  CancelOperationsOptions,
  CancelOptions,
  CancelResult,
  ExportOptions,
  ListOptions,
  OperationPage,
  PreviewResult,
  ReceiptChainPage,
  ReleaseOptions,
  RerunOptions,
  RunOptions,
  StartFields,
  StartOptions,
  StartRequest,
  VerdictName,
  WaitOptions,
  WatchEvent,
  WatchOptions,
} from "./call-options.ts";
export { OperationCancelled, OperationError, OperationFailed, StopUnconfirmed } from "./operation-errors.ts";
export { OperationHandle } from "./operation-handle.ts";
export { operationToJson, receiptToJson, responseJson } from "./operation-json.ts";
export { OperationWatch } from "./operation-watch.ts";

/** How long one call may take by default. */
const CALL_TIMEOUT_MS = 10_000;

const WORKERS_PAGE = 1000;

export interface ConnectOptions {
  /** The deadline of each call in milliseconds; default 10,000. A wait adds its own time to it. */
  callTimeoutMs?: number;
  /**
   * The bearer token that every call carries, or a function that is asked before each call, for tokens that are
   * renewed. It goes over the connection as it is: a server that is not on this machine needs an https:// address.
   */
  token?: string | (() => string);
  /**
   * How often a call that an overloaded server refused (RESOURCE_EXHAUSTED, OVERLOADED: it was not begun) is sent again, after
   * the time that the server asks for, and within the call's deadline. Default 4; 0 is never.
   */
  overloadRetries?: number;
}

/**
 * Makes a client of the server at `address` (`host:port` or `http://host:port`). It connects with the first call.
 * Throws a TypeError for an address that it cannot read.
 *
 * @example
 * using client = connect("127.0.0.1:8080");
 * const operation = await client.start("exec.report", { payload: { month: "2026-10" } });
 * for await (const told of operation.watch()) {
 *   if (told.type === "change") console.log(told.event.operation?.progress?.percent);
 * }
 * try {
 *   console.log(await operation.result());
 * } catch (error) {
 *   if (error instanceof OperationCancelled) console.log(error.operation.cancellation?.evidence);
 *   else throw error;
 * }
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
    const tokenOf = typeof token === "string" ? () => token : token;
    this.#channel = new RpcChannel(address, tokenOf, options.overloadRetries);
    this.#timeoutMs = options.callTimeoutMs ?? CALL_TIMEOUT_MS;
  }

  /** `host:port` of the server. */
  get address(): string {
    return this.#channel.address;
  }

  /** Starts an operation; resolves when it is durable. */
  async start(type: string, options: StartOptions = {}): Promise<OperationHandle> {
    const { cancelOn } = options;
    cancelOn?.throwIfAborted();
    const request = startMessage(type, options);
    const { name } = await this.#channel.call(Operations.method.startOperation, request, this.#call(options));
    if (!cancelOn) return this.operation(name);
    return new OperationHandle(
      this,
      name,
      linkCancel(cancelOn, (reason) => this.cancel(name, { reason })),
    );
  }

  /**
   * Starts up to 500 operations, in a few commits at most. Each has its own outcome, in their order: a handle, or the error of one
   * that was refused, which does not stop the others.
   */
  async batchStart(
    requests: readonly StartRequest[],
    options: CallOptions = {},
  ): Promise<(OperationHandle | BelayError)[]> {
    const { results } = await this.#channel.call(
      Operations.method.batchStartOperations,
      { requests: requests.map(({ type, ...fields }) => startMessage(type, fields)) },
      this.#call(options),
    );
    return results.map(({ result }) => {
      if (result.case === "operation") return this.operation(result.value.name);
      return statusError(result.case === "error" ? result.value : undefined);
    });
  }

  /** A handle of an operation whose name is known. Asks nothing. */
  operation(name: string): OperationHandle {
    return new OperationHandle(this, name);
  }

  /** Everything that is known of an operation; deleted ones too, until they are purged. */
  get(name: string, options: CallOptions = {}): Promise<Operation> {
    return this.#channel.call(Operations.method.getOperation, { name }, this.#call(options));
  }

  /** One page of operations, newest first unless `orderBy` says otherwise. */
  async list(options: ListOptions = {}): Promise<OperationPage> {
    const { operations, nextPageToken } = await this.#channel.call(
      Operations.method.listOperations,
      {
        parent: options.parent ?? "",
        filter: options.filter ?? "",
        pageSize: options.pageSize ?? 50,
        pageToken: options.pageToken ?? "",
        orderBy: options.orderBy ?? "",
        showDeleted: options.showDeleted ?? false,
      },
      this.#call(options),
    );
    return { operations, nextPageToken };
  }

  /**
   * Resolves when the operation is done, however it ended, or with its present state after `timeoutMs`. It outlives a
   * restart of the server.
   */
  async wait(name: string, options: WaitOptions = {}): Promise<Operation> {
    const { timeoutMs = Number.POSITIVE_INFINITY } = options;
    let operation: Operation | undefined;
    // Only a server that was reached is waited for when it is away: where none has answered yet, this call shows it.
    if (timeoutMs <= 0 || !this.#channel.hasAnswered) {
      operation = await this.get(name, options);
      if (operation.done) return operation;
    }
    await waitUntilDone({
      timeoutMs,
      signal: options.signal,
      waitOnce: async (sliceMs) => {
        const { answer, seen } = await this.#waitOnce(name, sliceMs, options);
        operation = seen;
        return answer;
      },
    });
    return operation ?? this.get(name, options); // the server was away all the time: this says how, or that it is back
  }

  /**
   * The changes of the operations that are named, or that match a filter, in commit order and without a gap, also across
   * a restart of the server. Connects when it is iterated.
   */
  watch(options: WatchOptions = {}): OperationWatch {
    return new OperationWatch(this.#channel, options);
  }

  /**
   * Requests cancellation; resolves once the request is durable, not when the work has stopped. With `waitMs` it resolves
   * when the operation is done, or after that time. Idempotent: a later request can only shorten or escalate.
   */
  async cancel(name: string, options: CancelOptions = {}): Promise<CancelResult> {
    const { reason = "", onBehalfOf = "", etag = "", waitMs } = options;
    const { timeoutMs, signal } = this.#call(options);
    const answer = await this.#channel.call(
      Operations.method.cancelOperation,
      {
        ...{ name, reason, onBehalfOf, etag, ...howOf(options) },
        ...(waitMs !== undefined && { wait: durationOf(waitMs) }),
      },
      { timeoutMs: timeoutMs + (waitMs ?? 0), signal },
    );
    return verdictOf(answer);
  }

  /** What a cancel would meet now: what would stop, what would run on, by when. Changes nothing. */
  async preview(name: string, options: CancelHow & CallOptions = {}): Promise<PreviewResult> {
    const answer = await this.#channel.call(
      Operations.method.cancelOperation,
      { name, validateOnly: true, ...howOf(options) },
      this.#call(options),
    );
    const { preview } = answer;
    if (!preview) throw unreadable("preview");
    return { ...verdictOf(answer), preview };
  }

  /**
   * Cancels all operations that match a filter, as an operation of its own: its handle has progress, can be cancelled,
   * and its result counts what was met.
   */
  async cancelOperations(filter: string, options: CancelOperationsOptions = {}): Promise<OperationHandle> {
    const { parent = "", reason = "", onBehalfOf = "", requestId = "" } = options;
    const { name } = await this.#channel.call(
      Operations.method.cancelOperations,
      { filter, parent, reason, onBehalfOf, requestId, ...howOf(options) },
      this.#call(options),
    );
    return this.operation(name);
  }

  /** Starts a failed or cancelled operation anew, as a new one with the same input, labels and rules. */
  async rerun(name: string, options: RerunOptions = {}): Promise<OperationHandle> {
    const { requestId = "" } = options;
    const started = await this.#channel.call(
      Operations.method.rerunOperation,
      { name, requestId },
      this.#call(options),
    );
    return this.operation(started.name);
  }

  /** Says that nobody is interested in the operation any more: it is hidden, and its type decides what becomes of the work. */
  async delete(name: string, options: CallOptions = {}): Promise<void> {
    await this.#channel.call(Operations.method.deleteOperation, { name }, this.#call(options));
  }

  /** The durable record of an operation's cancellation. It outlives the operation. */
  receipt(name: string, options: CallOptions = {}): Promise<Receipt> {
    return this.#channel.call(Operations.method.getReceipt, { name }, this.#call(options));
  }

  /** Why an operation is still pending, running or cancelling, and what happens next. */
  explain(name: string, options: CallOptions = {}): Promise<Explanation> {
    return this.#channel.call(Operations.method.explainOperation, { name }, this.#call(options));
  }

  /**
   * An operator's word that work whose stop was never confirmed is gone: its slot and its concurrency key are free again.
   * Needs the permission to force.
   */
  releaseHeld(name: string, options: ReleaseOptions): Promise<Operation> {
    const { reason, onBehalfOf = "" } = options;
    return this.#channel.call(
      Operations.method.releaseHeldOperation,
      { name, reason, onBehalfOf },
      this.#call(options),
    );
  }

  /** All connected workers. */
  async workers(options: CallOptions = {}): Promise<Worker[]> {
    const workers: Worker[] = [];
    let pageToken = "";
    do {
      const page = await this.#channel.call(
        Operations.method.listWorkers,
        { pageSize: WORKERS_PAGE, pageToken },
        this.#call(options),
      );
      workers.push(...page.workers);
      pageToken = page.nextPageToken;
    } while (pageToken !== "");
    return workers;
  }

  /** The chain of receipts of the caller's tenant, page by page in its order, with its signed checkpoints. */
  async *exportReceipts(options: ExportOptions = {}): AsyncGenerator<ReceiptChainPage, void, undefined> {
    let after = options.after ?? 0n;
    do {
      const page = await this.#channel.call(
        Operations.method.exportReceipts,
        { after, pageSize: options.pageSize ?? 500 },
        this.#call(options),
      );
      yield page;
      after = page.nextAfter;
    } while (after !== 0n);
  }

  /** Closes the connection. */
  close(): void {
    this.#channel.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  /**
   * One WaitOperation. The server refuses it when it holds as many waits as it takes: then the operation is looked at
   * instead.
   */
  async #waitOnce(
    name: string,
    sliceMs: number,
    options: CallOptions,
  ): Promise<{ answer: WaitAnswer; seen: Operation }> {
    try {
      const seen = await this.#channel.call(
        Operations.method.waitOperation,
        { name, timeout: durationOf(sliceMs) },
        { timeoutMs: sliceMs + this.#timeoutMs, signal: options.signal, isRetried: false },
      );
      return { answer: seen.done ? "done" : "open", seen };
    } catch (error) {
      if (!(error instanceof BelayError) || error.reason !== "OVERLOADED") throw error;
      const seen = await this.get(name, options);
      return { answer: seen.done ? "done" : "not-held", seen };
    }
  }

  #call(options: CallOptions): { timeoutMs: number; signal: AbortSignal | undefined } {
    return { timeoutMs: this.#timeoutMs, signal: options.signal };
  }
}

/** The fields of a cancel that say how it proceeds. */
function howOf({ graceMs, force = false }: CancelHow): {
  force: boolean;
  grace?: ReturnType<typeof durationOf>;
} {
  return { force, ...(graceMs !== undefined && { grace: durationOf(graceMs) }) };
}

function verdictOf({ verdict, operation }: CancelOperationResponse): CancelResult {
  const name = VerdictSchema.value[verdict]?.name;
  if (!operation || name === undefined) throw unreadable("cancel");
  return { verdict: name as VerdictName, operation };
}

function unreadable(what: string): BelayError {
  return new BelayError(`the server's answer to ${what} cannot be read`, { code: "INTERNAL" });
}

/** The error of one start of a batch. */
function statusError(status: Status | undefined): BelayError {
  if (!status) return unreadable("batchStart");
  return new BelayError(status.message, { ...errorInfoOf(status), code: statusCodeName(status.code) });
}
