// One attempt of an operation of the type belay.cancel-operations: cancels everything that matches, batch by batch, and
// counts what the cancels met. Before each batch its names are written down; after a restart that batch is looked at one by
// one, and the rest of the list is gone through as before.
//
//   batch written -> cancels committed -> server dies -> batch read again: the cancels that carry this operation's name as
//   their origin are its own, and are counted as what they met then; the others are made now.
import { RpcError } from "../../../base/rpc-error.ts";
import type { Verdict } from "../../../engine/commands.ts";
import type { Engine } from "../../../engine/engine.ts";
import type { OperationKey, OperationRecord, Progress } from "../../../engine/operation.ts";
import { formatOperationName } from "../../../protocol/operation-name.ts";
import type { JsonObject } from "../../../protocol/worker-connection.ts";
import { type CancelOrder, cancelOrigin } from "./cancel-order.ts";
import {
  type CancelTally,
  countMet,
  type Met,
  metCount,
  tallyCheckpoint,
  tallyResponse,
} from "./cancel-tally.ts";
import { type MatchedBatch, MatchingOperations } from "./matching-operations.ts";

export interface CancelRunOptions {
  engine: Engine;
  /** The operation that this is an attempt of. */
  own: OperationRecord;
  order: CancelOrder;
  /** Where an earlier attempt has got to. */
  tally: CancelTally;
  /** Looked at between batches. */
  signal: AbortSignal;
  /** Resolves when it is durable; rejects when the attempt is over for this worker. */
  save(checkpoint: JsonObject, progress: Progress): Promise<void>;
}

const NONE_REFUSED: ReadonlySet<string> = new Set();

/** Cancels and counts; answers the operation's response. Throws the signal's reason when it is told to stop. */
export async function runCancels(options: CancelRunOptions): Promise<JsonObject> {
  const { signal } = options;
  const run = new CancelRun(options);
  await run.finishBatch();
  const { engine, own, order } = options;
  const matching = new MatchingOperations({ engine, own, order, after: run.place });
  try {
    for (let batch = await matching.next(); batch !== null; batch = await matching.next()) {
      await run.meet(batch, matching.found);
      if (signal.aborted) {
        await run.save(matching.found);
        throw signal.reason;
      }
    }
    await run.save(matching.found);
  } finally {
    matching.close();
  }
  return run.response();
}

class CancelRun {
  readonly #options: CancelRunOptions;
  readonly #origin: string;
  #tally: CancelTally;
  /** Met by earlier attempts: those are not found again. */
  #metBefore = 0;
  #percent = 0;

  constructor(options: CancelRunOptions) {
    this.#options = options;
    this.#tally = options.tally;
    this.#origin = cancelOrigin(options.order, options.own);
    this.#percent = options.own.progress?.percent ?? 0;
  }

  get place(): CancelTally["place"] {
    return this.#tally.place;
  }

  response(): JsonObject {
    return tallyResponse(this.#tally.counts);
  }

  /** The batch in which an earlier attempt was broken off. */
  async finishBatch(): Promise<void> {
    const met = await Promise.all(this.#tally.batch.map((id) => this.#cancelOrRecognise(id)));
    this.#count(met);
    this.#metBefore = metCount(this.#tally);
  }

  /** Cancels a batch. `found` is how many were found so far, in this attempt. */
  async meet({ ids, refused, place }: MatchedBatch, found: number): Promise<void> {
    this.#tally = { ...this.#tally, place, batch: ids };
    await this.save(found);
    // All at once: the engine commits them by hundreds.
    this.#count(await Promise.all(ids.map((id) => this.#cancel(id, refused))));
  }

  /** Writes down what was met, and what is under way. */
  async save(found: number): Promise<void> {
    const met = metCount(this.#tally);
    const total = this.#metBefore + found;
    // Never back: more may be found while the first ones are met.
    this.#percent = Math.max(this.#percent, total === 0 ? 0 : (100 * met) / total);
    await this.#options.save(tallyCheckpoint(this.#tally), {
      percent: this.#percent,
      message: `${met}/${total}`,
    });
  }

  #count(met: readonly Met[]): void {
    this.#tally = { ...this.#tally, batch: [], counts: countMet(this.#tally.counts, met) };
  }

  async #cancelOrRecognise(id: string): Promise<Met> {
    const record = await this.#read(id);
    if (record === null) return "NOT_FOUND";
    const { cancel, type } = record;
    if (cancel?.origin === this.#origin) return ownVerdict(cancel.evidence === "NEVER_STARTED");
    const isRefused = this.#options.order.uncancellableTypes.includes(type);
    return this.#cancel(id, isRefused ? new Set([id]) : NONE_REFUSED);
  }

  async #cancel(id: string, refused: ReadonlySet<string>): Promise<Met> {
    if (refused.has(id)) return "REFUSED_NOT_CANCELLABLE";
    const { engine, own, order } = this.#options;
    try {
      const { verdict } = await engine.cancel({
        key: this.#keyOf(id),
        requestedBy: own.createdBy,
        onBehalfOf: order.onBehalfOf,
        requestId: order.requestId,
        reason: order.reason,
        origin: this.#origin,
        graceMs: order.graceMs,
        force: order.force,
        includeDeleted: true,
      });
      return verdict;
    } catch (error) {
      return metByError(error);
    }
  }

  async #read(id: string): Promise<OperationRecord | null> {
    try {
      return (await this.#options.engine.detail(this.#keyOf(id))).record;
    } catch (error) {
      if (error instanceof RpcError && error.reason === "OPERATION_NOT_FOUND") return null;
      throw error;
    }
  }

  /** All of them lie where the operation itself lies. */
  #keyOf(id: string): OperationKey {
    const { service, tenant, parent } = this.#options.own;
    return { service, tenant, name: formatOperationName({ parent, id }) };
  }
}

/** What a cancel of this operation's own had met. */
function ownVerdict(neverStarted: boolean): Verdict {
  return neverStarted ? "PREVENTED_START" : "STOPPING";
}

function metByError(error: unknown): Met {
  if (error instanceof RpcError) {
    if (error.reason === "OPERATION_NOT_FOUND") return "NOT_FOUND";
    if (error.reason === "OPERATION_NOT_CANCELLABLE") return "REFUSED_NOT_CANCELLABLE";
  }
  throw error;
}
