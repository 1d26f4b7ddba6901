// Runs the server's own operations: a small session of its own on the engine, beside the workers'. It runs in the server's
// process, so nothing of it outlives the session: its attempts are guarded. One for each server.
import { hash } from "node:crypto";
import { OperationAborted } from "../../../base/abort-reasons.ts";
import type { Logger } from "../../../base/logger.ts";
import { RpcError } from "../../../base/rpc-error.ts";
import { StatusCode } from "../../../base/status-code.ts";
import { delay } from "../../../base/timers.ts";
import type { CommandOutcome, Grant } from "../../../engine/commands.ts";
import { keyText } from "../../../engine/decision.ts";
import type { Engine } from "../../../engine/engine.ts";
import type { CancelRequest, OperationKey, OperationRecord, Payload } from "../../../engine/operation.ts";
import type { Session } from "../../../engine/session.ts";
import type { WorkerTransport } from "../../../engine/worker-transport.ts";
import { jsonPayload } from "../../../protocol/json-payload.ts";
import { structValue } from "../../../protocol/struct.ts";
import type { JsonObject } from "../../../protocol/worker-connection.ts";
import { startStandIns } from "../child-elsewhere/stand-in-worker.ts";
import { type ReportBody, ServerSession } from "../server-session.ts";
import { orderOf } from "./cancel-order.ts";
import { runCancels } from "./cancel-run.ts";
import { emptyTally, tallyOf } from "./cancel-tally.ts";
import { CANCEL_OPERATIONS_TYPE, cancelOperationsPolicy } from "./system-type.ts";

/** Cancels of many that run at once; further ones wait. */
const SLOTS = 4;

/** A report that the store could not take is sent again after this long. */
const RETRY_MS = 500;

/**
 * Registers the server's own operation types and begins to run them. Dispose it before the engine is closed: what runs
 * goes back at the end of its batch, and the next server goes on with it.
 */
export async function startSystemWorker(engine: Engine, logger: Logger): Promise<AsyncDisposable> {
  engine.registerType(CANCEL_OPERATIONS_TYPE, cancelOperationsPolicy);
  await using stack = new AsyncDisposableStack();
  const worker = new SystemWorker(engine, logger);
  await worker.open();
  stack.use(worker);
  if (engine.isSpread) stack.use(await startStandIns(engine, logger));
  return stack.move();
}

interface Attempt {
  key: OperationKey;
  token: number;
  /** The session that it was granted to. */
  session: Promise<Session | null>;
  stop: AbortController;
}

class SystemWorker implements WorkerTransport, AsyncDisposable {
  readonly reserves = false;
  readonly #engine: Engine;
  readonly #logger: Logger;
  readonly #session: ServerSession;
  readonly #attempts = new Map<string, Attempt>();
  readonly #runs = new Set<Promise<void>>();

  constructor(engine: Engine, logger: Logger) {
    this.#engine = engine;
    this.#logger = logger;
    const facts = { type: CANCEL_OPERATIONS_TYPE, slots: SLOTS, guarded: true };
    this.#session = new ServerSession({ ...facts, engine, logger, transport: this });
  }

  async open(): Promise<void> {
    await this.#session.open();
  }

  granted(grant: Grant): void {
    const run = this.#run(grant).finally(() => this.#runs.delete(run));
    this.#runs.add(run);
  }

  cancelRequested(record: OperationRecord, token: number, cancel: CancelRequest): void {
    const attempt = this.#attempts.get(keyText(record));
    if (attempt?.token !== token || attempt.stop.signal.aborted) return;
    const cause = cancel.cause === "deadline" ? "deadline" : "cancel";
    attempt.stop.abort(new OperationAborted({ cause, reason: cancel.reason }));
    void this.#tellPhases(attempt);
  }

  revoked(key: OperationKey, token: number): void {
    const attempt = this.#attempts.get(keyText(key));
    if (attempt?.token === token) attempt.stop.abort(new OperationAborted({ cause: "lease-lost" }));
  }

  drain(): void {}

  /** Of a shared store: this process did not renew the session in time. What ran goes on from its checkpoint, anywhere. */
  ended(): void {
    for (const { stop } of this.#attempts.values()) stop.abort(new OperationAborted({ cause: "lease-lost" }));
    this.#session.reopen();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const session = await this.#session.stop();
    for (const { stop } of this.#attempts.values()) stop.abort(new OperationAborted({ cause: "shutdown" }));
    await Promise.all(this.#runs);
    if (session) await this.#engine.closeSession(session.id);
  }

  async #run({ record, request, checkpoint }: Grant): Promise<void> {
    const { service, tenant, name, leaseToken: token } = record;
    const opened = this.#session.current;
    const attempt = { key: { service, tenant, name }, token, session: opened, stop: new AbortController() };
    this.#attempts.set(keyText(record), attempt);
    if (this.#session.stopping.aborted) attempt.stop.abort(new OperationAborted({ cause: "shutdown" }));
    try {
      await this.#end(attempt, await this.#attempt(attempt, record, request, checkpoint));
    } catch (error) {
      // Its lease ends with the session, or it is not this worker's any more.
      this.#logger.warn({ err: error, operation: name }, "the end of a cancel of many was not reported");
    } finally {
      this.#attempts.delete(keyText(record));
      (await opened)?.slotFreed();
    }
  }

  /** Runs it, and answers what there is to report. */
  async #attempt(
    attempt: Attempt,
    own: OperationRecord,
    request: Payload | null,
    checkpoint: Payload | null,
  ): Promise<ReportBody> {
    const { signal } = attempt.stop;
    try {
      checkOwn(own);
      const response = await runCancels({
        engine: this.#engine,
        own,
        order: orderOf(request === null ? {} : structValue(request)),
        tally: checkpoint === null ? emptyTally : tallyOf(structValue(checkpoint)),
        signal,
        save: (state, progress) => this.#save(attempt, state, progress),
      });
      const payload = jsonPayload(response, "response");
      return { type: "complete", response: payload, digest: digestOf(payload.bytes) };
    } catch (error) {
      if (!signal.aborted) return failureOf(error, this.#logger, own);
      const isShutdown = signal.reason instanceof OperationAborted && signal.reason.kind === "shutdown";
      if (isShutdown) return { type: "release" };
      return { type: "stopped", evidence: "HANDLER_STOPPED", mechanism: "SIGNAL" };
    }
  }

  /** Both in one commit. */
  async #save(
    attempt: Attempt,
    state: JsonObject,
    progress: OperationRecord["progress"] & {},
  ): Promise<void> {
    const outcomes = await Promise.all([
      this.#report(attempt, { type: "checkpoint", checkpoint: jsonPayload(state, "checkpoint") }),
      this.#report(attempt, { type: "progress", progress }),
    ]);
    if (outcomes.some(({ type }) => type === "refused")) {
      attempt.stop.abort(new OperationAborted({ cause: "lease-lost" }));
      throw attempt.stop.signal.reason;
    }
  }

  async #tellPhases(attempt: Attempt): Promise<void> {
    try {
      const steps = [{ phase: "DELIVERED", detail: "" }] as const;
      await this.#report(attempt, { type: "cancelPhase", phase: "ACKNOWLEDGED", detail: "", steps });
    } catch (error) {
      this.#logger.warn({ err: error, operation: attempt.key.name }, "a cancel's delivery was not reported");
    }
  }

  /** Until the store takes it: nobody else can say how it ended. */
  async #end(attempt: Attempt, body: ReportBody): Promise<void> {
    for (;;) {
      try {
        const outcome = await this.#report(attempt, body);
        const isCancelled = outcome.type === "refused" && outcome.reason === "CANCEL_PENDING";
        if (isCancelled && body.type === "release") {
          await this.#report(attempt, { type: "stopped", evidence: "HANDLER_STOPPED", mechanism: "SIGNAL" });
        }
        return;
      } catch (error) {
        if (this.#session.stopping.aborted) throw error;
        await delay(RETRY_MS, this.#session.stopping);
      }
    }
  }

  #report(attempt: Attempt, body: ReportBody): Promise<CommandOutcome> {
    return this.#session.report(attempt.session, attempt, body);
  }
}

/**
 * CancelOperations alone makes such operations: it has looked at what its caller may do. Whoever else could start one (an
 * operation as its child, a rerun) has not, so nothing else is run.
 */
function checkOwn({ parents, rerunOf, type }: OperationRecord): void {
  if (parents.length === 0 && rerunOf === "") return;
  throw new RpcError("OPERATION_TYPE_UNKNOWN", { type, known: "none that is started so" });
}

/** What may pass is tried again: it goes on from its checkpoint. */
function failureOf(error: unknown, logger: Logger, { name }: OperationRecord): ReportBody {
  const isCallers = error instanceof RpcError && !error.isInternal;
  if (!isCallers) logger.error({ err: error, operation: name }, "a cancel of many failed inside the server");
  const code = isCallers ? error.code : StatusCode.INTERNAL;
  const message = isCallers ? error.message : "internal error; the server's log has the details";
  const retryable = code === StatusCode.UNAVAILABLE || code === StatusCode.RESOURCE_EXHAUSTED;
  return {
    type: "fail",
    error: { code, message, details: [] },
    retryable,
    abortCaused: false,
    evidence: "HANDLER_STOPPED",
    mechanism: "NONE",
    digest: digestOf(Buffer.from(`${code} ${message}`)),
  };
}

function digestOf(bytes: Uint8Array): string {
  return hash("sha256", bytes, "base64url");
}
