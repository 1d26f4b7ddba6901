// Follows an operation on Belay's own surface while its client is at work, for what the other dialects do not tell:
// progress, state and receipt.
import { delay } from "../../src/base/timers.ts";

const PERIOD_MS = 150;

export interface WatchedOperation {
  state: string;
  done?: boolean;
  createTime: string;
  progress?: { percent?: number; message?: string };
}

/** The record of a cancel. */
export interface CancelReceipt {
  requestedBy: string;
  reason?: string;
  origin: string;
  outcome: string;
  mechanism: string;
  evidence: string;
  /** A duration in JSON, `0.126498s`. */
  latency: string;
  checkpoint?: Record<string, unknown>;
}

export class OperationWatch {
  readonly #url: string;
  readonly #signal: AbortSignal;
  readonly #onChange: (operation: WatchedOperation) => void;
  /** Resolves when the operation is done, and rejects when it cannot be read any more. */
  readonly done: Promise<void>;
  latest: WatchedOperation | undefined;
  /** Why it cannot be read any more. */
  problem: Error | undefined;

  /** `url` is the operation's on Belay's own surface. */
  constructor(url: string, signal: AbortSignal, onChange: (operation: WatchedOperation) => void) {
    this.#url = url;
    this.#signal = signal;
    this.#onChange = onChange;
    this.done = this.#follow();
    this.done.catch((error: Error) => {
      this.problem = error;
    });
  }

  async #follow(): Promise<void> {
    for (;;) {
      this.latest = await this.#read<WatchedOperation>("");
      if (this.latest.done) return;
      this.#onChange(this.latest);
      await delay(PERIOD_MS, this.#signal);
    }
  }

  /** Rejects if there is none, as for an operation that finished before its cancel came. */
  async receipt(): Promise<CancelReceipt> {
    return await this.#read<CancelReceipt>("/receipt");
  }

  async #read<Body>(path: string): Promise<Body> {
    const response = await fetch(this.#url + path, { signal: this.#signal }).catch((error: Error) => {
      this.#signal.throwIfAborted();
      throw new Error("the server does not answer any more", { cause: error });
    });
    const body = await response.text();
    if (!response.ok) throw new Error(`GET ${this.#url}${path} answered ${response.status}: ${body}`);
    return JSON.parse(body) as Body;
  }
}
