// OperationHandle: one operation, by name, with the calls that people make on it.
import type { Operation } from "../protocol/gen/belay/v1/operations_pb.ts";
import type { BelayClient, CallOptions, CancelOptions, CancelResult, WaitOptions } from "./client.ts";

/** A started (or known) operation of one client. It holds no state: every call asks the server. */
export class OperationHandle {
  readonly name: string;
  readonly #client: BelayClient;

  constructor(client: BelayClient, name: string) {
    this.#client = client;
    this.name = name;
  }

  /** The operation as it stands now. */
  get(options: CallOptions = {}): Promise<Operation> {
    return this.#client.get(this.name, options);
  }

  /** Resolves when the operation is done, however it ended, or with its present state after `timeoutMs`. */
  wait(options: WaitOptions = {}): Promise<Operation> {
    return this.#client.wait(this.name, options);
  }

  /** Requests cancellation; resolves once the request is durable, not when the work has stopped: `wait()` for that. */
  cancel(options: CancelOptions = {}): Promise<CancelResult> {
    return this.#client.cancel(this.name, options);
  }
}
