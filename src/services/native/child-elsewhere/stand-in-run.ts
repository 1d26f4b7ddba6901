// One attempt of a stand-in: starts the child in the other database, or finds it, and waits for its end. A cancel is passed on.
// It never ends by itself: what is broken off (a server that stops, a lease that is lost) is taken up by another attempt.
import type { Logger } from "../../../base/logger.ts";
import { RpcError } from "../../../base/rpc-error.ts";
import { StatusCode } from "../../../base/status-code.ts";
import { delay } from "../../../base/timers.ts";
import type { CommandOutcome, Grant } from "../../../engine/commands.ts";
import type { Engine } from "../../../engine/engine.ts";
import type {
  CancelRequest,
  OperationKey,
  OperationRecord,
  StoredOperation,
} from "../../../engine/operation.ts";
import type { ReportBody } from "../server-session.ts";
import {
  cancelElsewhere,
  endOf,
  failureOf,
  hasEnded,
  purgedEnd,
  startElsewhere,
  TO_BE_STOPPED_MS,
} from "./child-elsewhere.ts";
import { placeCheckpoint, placeOf } from "./child-order.ts";

/** A wait is asked for anew after this time. */
const WAIT_MS = 60_000;

/** How often a child is looked at that has ended, and awaits children of its own. */
const POLL_MS = 250;

/** After a call that the other database could not take. */
const RETRY_MS = 500;

export interface StandInRunOptions {
  engine: Engine;
  logger: Logger;
  grant: Grant;
  report(body: ReportBody): Promise<CommandOutcome>;
  /** The attempt is over for this process. */
  signal: AbortSignal;
}

export class StandInRun {
  readonly #options: StandInRunOptions;
  /** As it stood when its cancel was told. */
  #own: OperationRecord;
  #child: OperationKey | null = null;
  #passed: CancelRequest | null = null;
  #isPassing = false;

  constructor(options: StandInRunOptions) {
    this.#options = options;
    this.#own = options.grant.record;
  }

  /** A cancel, or a stricter one. */
  cancelRequested(record: OperationRecord): void {
    this.#own = record;
    void this.#passOn();
  }

  /** Answers what there is to report at the end. Throws the signal's reason. */
  async run(): Promise<ReportBody> {
    try {
      this.#child = await this.#find();
    } catch (error) {
      if (error instanceof RpcError && !this.#options.signal.aborted) return failureOf(error);
      throw error;
    }
    if (this.#child === null) return { type: "stopped", evidence: "NEVER_STARTED", mechanism: "NONE" };
    void this.#passOn();
    const ended = await this.#ended(this.#child);
    if (ended === null) return purgedEnd(this.#child);
    const end = endOf(ended);
    if (end.type === "stopped") await this.#stopWith(ended);
    return end;
  }

  /** Null if it was cancelled before anything was started. */
  async #find(): Promise<OperationKey | null> {
    const { engine, grant, report } = this.#options;
    const { record, request, checkpoint } = grant;
    const place = placeOf(checkpoint);
    if (place !== null) return { ...place, tenant: record.tenant };
    let isFirst = record.attempt === 1;
    return await this.#persistently("a child in another database was not started", async () => {
      const isCancelled = this.#own.cancel !== null;
      if (isCancelled && isFirst) return null;
      isFirst = false;
      const child = await startElsewhere(engine, record, request, isCancelled ? TO_BE_STOPPED_MS : 0);
      const message = `runs as ${child.name} of service ${child.service}`.slice(0, MESSAGE_MAX);
      await Promise.all([
        report({ type: "checkpoint", checkpoint: placeCheckpoint(child) }),
        report({ type: "progress", progress: { percent: 0, message } }),
      ]);
      return child;
    });
  }

  /** The child when it has ended with all that it awaits; null if it is gone. */
  async #ended(child: OperationKey): Promise<StoredOperation | null> {
    const { signal } = this.#options;
    for (;;) {
      const stored = await this.#persistently("a child in another database was not waited for", () =>
        this.#wait(child),
      );
      if (stored === null || hasEnded(stored)) return stored;
      signal.throwIfAborted();
      if (stored.record.doneTime !== null) await delay(POLL_MS, signal);
    }
  }

  async #wait(child: OperationKey): Promise<StoredOperation | null> {
    const { engine, signal } = this.#options;
    const gone = new AbortController();
    const onAbort = (): void => gone.abort();
    signal.addEventListener("abort", onAbort, { once: true });
    try {
      return await engine.wait(child, {
        timeoutMs: WAIT_MS,
        includeDeleted: true,
        onCallerGone: (callback) => {
          if (signal.aborted) callback();
          else gone.signal.addEventListener("abort", callback, { once: true });
        },
      });
    } catch (error) {
      if (error instanceof RpcError && error.reason === "OPERATION_NOT_FOUND") return null;
      throw error;
    } finally {
      signal.removeEventListener("abort", onAbort);
    }
  }

  /** Somebody else has cancelled the child: so its stand-in is cancelled, in his name. */
  async #stopWith({ record }: StoredOperation): Promise<void> {
    const { cancel } = record;
    if (this.#own.cancel !== null || cancel === null) return;
    const { engine } = this.#options;
    const { service, tenant, name } = this.#own;
    const { requestedBy, onBehalfOf, requestId, reason, origin, cause } = cancel;
    this.#passed = cancel;
    await this.#persistently("the cancel of a child in another database was not taken over", () =>
      engine.cancel({
        ...{ requestedBy, onBehalfOf, requestId, reason, origin },
        key: { service, tenant, name },
        cause: cause === "deadline" ? "cancel" : cause,
        graceMs: null,
        includeDeleted: true,
      }),
    );
  }

  /** Until the newest cancel is committed there. */
  async #passOn(): Promise<void> {
    if (this.#isPassing) return;
    this.#isPassing = true;
    const { engine, signal, logger, report } = this.#options;
    while (this.#child !== null && this.#own.cancel !== this.#passed && !signal.aborted) {
      const own = this.#own;
      try {
        await cancelElsewhere(engine, own, this.#child);
        this.#passed = own.cancel;
        await report({ type: "cancelPhase", phase: "DELIVERED", detail: "" });
      } catch (error) {
        if (error instanceof RpcError && error.reason === "OPERATION_NOT_FOUND") break;
        logger.warn(
          { err: error, operation: own.name },
          "a cancel was not passed on to another database yet",
        );
        await delay(RETRY_MS, signal).catch(() => undefined);
      }
    }
    this.#isPassing = false;
  }

  /** Until it is done, or refused for good. */
  async #persistently<T>(complaint: string, call: () => Promise<T>): Promise<T> {
    const { logger, signal } = this.#options;
    for (;;) {
      signal.throwIfAborted();
      try {
        return await call();
      } catch (error) {
        if (error instanceof RpcError && !passingCodes.has(error.code)) throw error;
        logger.warn({ err: error, operation: this.#own.name }, complaint);
        await delay(RETRY_MS, signal);
      }
    }
  }
}

/** What may pass. */
const passingCodes: ReadonlySet<number> = new Set([
  StatusCode.UNAVAILABLE,
  StatusCode.RESOURCE_EXHAUSTED,
  StatusCode.INTERNAL,
]);

const MESSAGE_MAX = 1024;
