// Runs stand-ins: a session of its own on the engine. They only wait, so there are many at once. It is not guarded, and gives
// nothing back when it ends: that would say that nothing runs, and the children go on in their databases.
import { OperationAborted } from "../../../base/abort-reasons.ts";
import type { Logger } from "../../../base/logger.ts";
import { delay } from "../../../base/timers.ts";
import type { CommandOutcome, Grant } from "../../../engine/commands.ts";
import { keyText } from "../../../engine/decision.ts";
import type { Engine } from "../../../engine/engine.ts";
import type { OperationKey, OperationRecord } from "../../../engine/operation.ts";
import { CHILD_ELSEWHERE_TYPE } from "../../../engine/stand-in.ts";
import type { WorkerTransport } from "../../../engine/worker-transport.ts";
import { type ReportBody, ServerSession } from "../server-session.ts";
import { childOrder } from "./child-order.ts";
import { StandInKeeper } from "./stand-in-keeper.ts";
import { StandInRun } from "./stand-in-run.ts";

/** Stand-ins that wait at once on one server; further ones are pending. */
const SLOTS = 1000;

/** A report that the store could not take is sent again after this long. */
const RETRY_MS = 500;

/** After an error that nobody foresaw. */
const AGAIN_MS = 5000;

/** Lets children be started in other databases than their parents, and runs their stand-ins. Dispose it before the engine is closed. */
export async function startStandIns(engine: Engine, logger: Logger): Promise<AsyncDisposable> {
  engine.serveElsewhere(childOrder);
  const worker = new StandInWorker(engine, logger);
  await worker.open();
  return worker;
}

interface Attempt {
  key: OperationKey;
  token: number;
  run: StandInRun;
  stop: AbortController;
}

class StandInWorker implements WorkerTransport, AsyncDisposable {
  readonly reserves = false;
  readonly runsElsewhere = true;
  readonly #engine: Engine;
  readonly #logger: Logger;
  readonly #session: ServerSession;
  readonly #attempts = new Map<string, Attempt>();
  readonly #runs = new Set<Promise<void>>();
  readonly #keeper: StandInKeeper;

  constructor(engine: Engine, logger: Logger) {
    this.#engine = engine;
    this.#logger = logger;
    const facts = { type: CHILD_ELSEWHERE_TYPE, slots: SLOTS, guarded: false };
    this.#session = new ServerSession({ ...facts, engine, logger, transport: this });
    this.#keeper = new StandInKeeper({ engine, logger, isRun: (text) => this.#attempts.has(text) });
  }

  async open(): Promise<void> {
    await this.#session.open();
  }

  granted(grant: Grant): void {
    const run = this.#run(grant).finally(() => this.#runs.delete(run));
    this.#runs.add(run);
  }

  cancelRequested(record: OperationRecord, token: number): void {
    const attempt = this.#attempts.get(keyText(record));
    if (attempt?.token === token) attempt.run.cancelRequested(record);
  }

  revoked(key: OperationKey, token: number): void {
    const attempt = this.#attempts.get(keyText(key));
    if (attempt?.token === token) attempt.stop.abort(new OperationAborted({ cause: "lease-lost" }));
  }

  drain(): void {}

  /** Of a shared store: this process did not renew the session in time. What ran is taken up by another attempt. */
  ended(): void {
    for (const { stop } of this.#attempts.values()) stop.abort(new OperationAborted({ cause: "lease-lost" }));
    this.#session.reopen();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const session = await this.#session.stop();
    await this.#keeper.stop();
    for (const { stop } of this.#attempts.values()) stop.abort(new OperationAborted({ cause: "shutdown" }));
    await Promise.all(this.#runs);
    if (session) await this.#engine.closeSession(session.id);
  }

  async #run(grant: Grant): Promise<void> {
    const { service, tenant, name, leaseToken: token } = grant.record;
    const text = keyText(grant.record);
    const opened = this.#session.current;
    const key = { service, tenant, name };
    const stop = new AbortController();
    if (this.#session.stopping.aborted) stop.abort(new OperationAborted({ cause: "shutdown" }));
    const report = (body: ReportBody): Promise<CommandOutcome> =>
      this.#session.report(opened, { key, token }, body);
    const { signal } = stop;
    const run = new StandInRun({ engine: this.#engine, logger: this.#logger, grant, report, signal });
    const attempt = { key, token, run, stop };
    this.#attempts.set(text, attempt);
    try {
      await this.#tell(await this.#ended(run, name, signal), report, signal);
    } catch (error) {
      if (!signal.aborted) this.#logger.error({ err: error, operation: name }, "a stand-in was given up");
    } finally {
      if (this.#attempts.get(text) === attempt) this.#attempts.delete(text);
      (await opened.catch(() => null))?.slotFreed();
    }
  }

  /** Whatever goes wrong here says nothing of the child: it is looked at again. */
  async #ended(run: StandInRun, name: string, signal: AbortSignal): Promise<ReportBody> {
    for (;;) {
      try {
        return await run.run();
      } catch (error) {
        signal.throwIfAborted();
        this.#logger.error({ err: error, operation: name }, "a child in another database was lost sight of");
        await delay(AGAIN_MS, signal);
      }
    }
  }

  /** Until the store takes it, or it is not this attempt's any more. */
  async #tell(
    body: ReportBody,
    report: (body: ReportBody) => Promise<CommandOutcome>,
    signal: AbortSignal,
  ): Promise<void> {
    for (;;) {
      try {
        await report(body);
        return;
      } catch (error) {
        this.#logger.debug({ err: error }, "a stand-in's end is reported again");
        await delay(RETRY_MS, signal);
      }
    }
  }
}
