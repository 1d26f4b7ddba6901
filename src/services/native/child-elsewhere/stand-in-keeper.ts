// Looks after stand-ins that stop, or are held, and that no attempt of this process looks after: their server is gone, or their
// child ended and may still run. The cancel reaches the child all the same, and what is known of its end is told.
import type { Logger } from "../../../base/logger.ts";
import { RpcError } from "../../../base/rpc-error.ts";
import { startTimer, type Timer } from "../../../base/timers.ts";
import { keyText } from "../../../engine/decision.ts";
import type { Engine } from "../../../engine/engine.ts";
import type { OperationKey, StoredOperation } from "../../../engine/operation.ts";
import type { FencedCommand } from "../../../engine/session.ts";
import { CHILD_ELSEWHERE_TYPE } from "../../../engine/stand-in.ts";
import {
  cancelElsewhere,
  endOf,
  hasEnded,
  isGone,
  isUntold,
  purgedEnd,
  startElsewhere,
  TO_BE_STOPPED_MS,
} from "./child-elsewhere.ts";
import { placeOf } from "./child-order.ts";

const PERIOD_MS = 1000;

/** Looked at in one turn: the oldest. */
const KEPT_MAX = 1000;

export class StandInKeeper {
  readonly #engine: Engine;
  readonly #logger: Logger;
  /** True for those that an attempt of this process runs. */
  readonly #isRun: (text: string) => boolean;
  #timer: Timer | null = null;
  #looking: Promise<void> = Promise.resolve();
  #isRunning = true;

  constructor(options: { engine: Engine; logger: Logger; isRun: (text: string) => boolean }) {
    this.#engine = options.engine;
    this.#logger = options.logger;
    this.#isRun = options.isRun;
    this.#schedule();
  }

  /** Resolves when nothing of it is under way. */
  async stop(): Promise<void> {
    this.#isRunning = false;
    this.#timer?.cancel();
    await this.#looking;
  }

  #schedule(): void {
    if (!this.#isRunning) return;
    const look = (): void => {
      this.#looking = this.#look().finally(() => this.#schedule());
    };
    this.#timer = startTimer(PERIOD_MS, look, { unref: true });
  }

  async #look(): Promise<void> {
    try {
      const keys = await this.#engine.stoppingOperations(CHILD_ELSEWHERE_TYPE, KEPT_MAX);
      await Promise.all(keys.map((key) => this.#isRun(keyText(key)) || this.#keepSafely(key)));
    } catch (error) {
      this.#logger.debug({ err: error }, "children in other databases were not looked after");
    }
  }

  /** One whose database is away holds up no other. */
  async #keepSafely(key: OperationKey): Promise<void> {
    try {
      await this.#keep(key);
    } catch (error) {
      this.#logger.debug(
        { err: error, operation: key.name },
        "a child in another database was not looked after",
      );
    }
  }

  async #keep(key: OperationKey): Promise<void> {
    const engine = this.#engine;
    const { record, checkpoint, request } = await engine.detail(key);
    const lease = record.lease ?? record.held;
    // One that is pending gets another attempt at once.
    if (lease === null || record.state === "PENDING" || record.state === "RUNNING") return;
    const place = placeOf(checkpoint) ?? (await startElsewhere(engine, record, request, TO_BE_STOPPED_MS));
    const child = { service: place.service, tenant: key.tenant, name: place.name };
    const { session, token } = lease;
    const tell = async (body: ReturnType<typeof endOf>): Promise<void> => {
      await engine.reportFor({ ...body, key, session, token } as FencedCommand);
    };
    let stored = await this.#read(child);
    if (stored !== null && isUntold(record, stored.record)) {
      await cancelElsewhere(engine, record, child);
      stored = await this.#read(child);
    }
    if (stored === null) await tell(purgedEnd(child));
    // A held one has its end already: it is told only that nothing runs any more.
    else if (record.held === null ? hasEnded(stored) : isGone(stored)) await tell(endOf(stored));
  }

  async #read(child: OperationKey): Promise<StoredOperation | null> {
    try {
      return await this.#engine.detail(child);
    } catch (error) {
      if (error instanceof RpcError && error.reason === "OPERATION_NOT_FOUND") return null;
      throw error;
    }
  }
}
