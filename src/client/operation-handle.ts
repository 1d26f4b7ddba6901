// OperationHandle: one operation, by name, with the calls that people make on it.
import type { JsonValue } from "@bufbuild/protobuf";
import {
  type Explanation,
  type Operation,
  type Receipt,
  State,
} from "../protocol/gen/belay/v1/operations_pb.ts";
import type {
  CallOptions,
  CancelHow,
  CancelOptions,
  CancelResult,
  PreviewResult,
  RerunOptions,
  WaitOptions,
  WatchOptions,
} from "./call-options.ts";
import type { CancelLink } from "./cancel-on.ts";
import type { BelayClient } from "./client.ts";
import { operationErrorOf } from "./operation-errors.ts";
import { responseJson } from "./operation-json.ts";
import type { OperationWatch } from "./operation-watch.ts";

/** A started (or known) operation of one client. It holds no state of it: every call asks the server. */
export class OperationHandle {
  readonly name: string;
  readonly #client: BelayClient;
  readonly #link: CancelLink | undefined;

  constructor(client: BelayClient, name: string, link?: CancelLink) {
    this.#client = client;
    this.name = name;
    this.#link = link;
  }

  /** The operation as it stands now. */
  get(options: CallOptions = {}): Promise<Operation> {
    return this.#client.get(this.name, options);
  }

  /**
   * Resolves when the operation is done, however it ended, or with its present state after `timeoutMs`. An abort of
   * `signal` only ends the waiting; the operation goes on (`cancel()`, or `cancelOn` at its start, ends it).
   */
  async wait(options: WaitOptions = {}): Promise<Operation> {
    const waiting = this.#client.wait(this.name, options);
    const operation = await (this.#link ? Promise.race([waiting, this.#link.failed]) : waiting);
    if (operation.done) this.#link?.unlink();
    return operation;
  }

  /**
   * Waits for the end and answers the response as JSON: `{}` for an empty one. Throws an OperationFailed, an
   * OperationCancelled or a StopUnconfirmed (which is an OperationFailed, too), each with the operation.
   */
  async result(options: CallOptions = {}): Promise<JsonValue> {
    const operation = await this.wait({ signal: options.signal });
    if (operation.state !== State.SUCCEEDED) throw operationErrorOf(operation);
    return responseJson(operation) ?? {};
  }

  /** The operation's changes as they come; the watch ends when the operation is done. */
  watch(options: Omit<WatchOptions, "names" | "filter" | "parent"> = {}): OperationWatch {
    return this.#client.watch({ ...options, names: [this.name] });
  }

  /** Requests cancellation; resolves once the request is durable, not when the work has stopped: `wait()` for that. */
  cancel(options: CancelOptions = {}): Promise<CancelResult> {
    return this.#client.cancel(this.name, options);
  }

  /** What a cancel would meet now. Changes nothing. */
  preview(options: CancelHow & CallOptions = {}): Promise<PreviewResult> {
    return this.#client.preview(this.name, options);
  }

  /** Why the operation is as it is, and what happens next. */
  explain(options: CallOptions = {}): Promise<Explanation> {
    return this.#client.explain(this.name, options);
  }

  /** The durable record of the operation's cancellation. */
  receipt(options: CallOptions = {}): Promise<Receipt> {
    return this.#client.receipt(this.name, options);
  }

  /** Starts a failed or cancelled operation anew, as a new one. */
  rerun(options: RerunOptions = {}): Promise<OperationHandle> {
    return this.#client.rerun(this.name, options);
  }

  /** Hides the operation from clients. */
  delete(options: CallOptions = {}): Promise<void> {
    return this.#client.delete(this.name, options);
  }
}
