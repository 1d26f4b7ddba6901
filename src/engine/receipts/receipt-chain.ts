// The chain of receipts as the engine has it: appended after commits, read by who may. Without keys there is none.
import type { Logger } from "../../base/logger.ts";
import type { Commit, EngineObserver } from "../engine-metrics.ts";
import type { Store } from "../store.ts";
import { type ChainPage, type ChainQuery, exportChain } from "./chain-export.ts";
import { ReceiptChainer } from "./receipt-chainer.ts";
import type { ReceiptKeys } from "./receipt-keys.ts";

export class ReceiptChain implements EngineObserver {
  readonly #store: Store;
  readonly #keys: ReceiptKeys | null;
  readonly #chainer: ReceiptChainer | null;

  constructor(options: { store: Store; keys: ReceiptKeys | null; logger: Logger }) {
    const { store, keys, logger } = options;
    this.#store = store;
    this.#keys = keys;
    this.#chainer = keys && new ReceiptChainer({ store, keys, logger });
  }

  start(): void {
    this.#chainer?.start();
  }

  /** Only operations with a cancel have a receipt. */
  committed({ changed }: Commit): void {
    if (this.#chainer === null) return;
    if (changed.some(({ record }) => record.cancel !== null)) this.#chainer.wake();
  }

  /** A page of a tenant's chain; the last one ends with a signature. */
  export(query: ChainQuery): Promise<ChainPage> {
    return exportChain(this.#store, this.#keys, query);
  }

  /** Chains what is left, and signs it. */
  async stop(): Promise<void> {
    await this.#chainer?.stop();
  }
}
