// Those who look on while the engine commits: measurements, the chain of receipts, spans. The engine tells them of every
// commit, and they change nothing of it.
import type { Logger } from "../base/logger.ts";
import { type Commit, EngineMetrics, type EngineObserver, type LiveFigures } from "./engine-metrics.ts";
import type { OperationKey } from "./operation.ts";
import { ReceiptChain } from "./receipts/receipt-chain.ts";
import type { ReceiptKeys } from "./receipts/receipt-keys.ts";
import type { Store } from "./store.ts";
import type { AttemptSpans } from "./telemetry/attempt-spans.ts";
import { connectTelemetry } from "./telemetry/open-telemetry.ts";
import { readTraceParent } from "./telemetry/trace-parent.ts";

export class EngineObservers implements EngineObserver {
  readonly metrics: EngineMetrics;
  readonly receiptChain: ReceiptChain;
  /** Resolves when the OpenTelemetry providers that were registered before are connected. */
  readonly connected: Promise<void>;
  readonly #logger: Logger;
  #spans: AttemptSpans | null = null;

  constructor(options: { store: Store; logger: Logger; keys: ReceiptKeys | null; figures: LiveFigures }) {
    const { store, logger, keys, figures } = options;
    this.#logger = logger;
    this.metrics = new EngineMetrics(store, figures);
    this.receiptChain = new ReceiptChain({ store, keys, logger });
    const { measurements } = this.metrics;
    this.connected = connectTelemetry({ measurements, clock: store.clock, logger }).then((spans) => {
      this.#spans = spans;
    });
  }

  start(): void {
    this.receiptChain.start();
  }

  async stop(): Promise<void> {
    this.#spans?.close();
    await this.receiptChain.stop();
  }

  committed(commit: Commit): void {
    try {
      this.metrics.committed(commit);
      this.receiptChain.committed(commit);
      this.#spans?.committed(commit);
    } catch (error) {
      // A commit is a fact: whoever looks on cannot make it fail for its caller.
      this.#logger.error({ err: error }, "a commit could not be observed");
    }
  }

  /** A call of this trace starts, or cancels, the operation. Kept in memory, and only if somebody traces. */
  noteTrace(what: "start" | "cancel", key: OperationKey, traceparent: string | undefined): void {
    if (this.#spans === null) return;
    const context = readTraceParent(traceparent);
    if (context === undefined) return;
    if (what === "start") this.#spans.noteStart(key, context);
    else this.#spans.noteCancel(key, context);
  }
}
