// The worker: takes assignments from a connection, runs each as an attempt, and stops them all when it stops.
// This file is also the package's `/worker` export.
import { availableParallelism, hostname } from "node:os";
import type { Logger } from "../base/logger.ts";
import { StatusCode } from "../base/status-code.ts";
import type {
  Assignment,
  AttemptKey,
  WorkerConnection,
  WorkerListener,
  WorkerSession,
} from "../protocol/worker-connection.ts";
import { Attempt } from "./attempt.ts";
import type { OperationDefinition } from "./define-operation.ts";
import { runInline } from "./inline-runner.ts";
import { policyOf } from "./operation-policy.ts";
import { runProcess } from "./process-runner.ts";
import { ReportSender } from "./report-sender.ts";
import type { Run, RunListener } from "./runner.ts";
import { settlesWithin } from "./settles-within.ts";
import { readBootId } from "./supervisor/boot-id.ts";
import { ProcessSupervisor } from "./supervisor/process-supervisor.ts";
import { reapProcesses } from "./supervisor/reap-processes.ts";
import { runThread } from "./thread-runner.ts";

export type { FieldViolation } from "../base/rpc-error.ts";
export type { JsonObject, JsonValue, WorkerConnection } from "../protocol/worker-connection.ts";
export { defineMethod, type MethodDefinition, type MethodHandler } from "./define-method.ts";
export {
  type CheckedDefinition,
  defineOperation,
  type InlineDefinition,
  type InlineHandler,
  type OperationAborted,
  type OperationContext,
  type OperationDefinition,
  type OperationOptions,
  type ProcessDefinition,
  RetryableError,
  type StartCheck,
  type ThreadDefinition,
} from "./define-operation.ts";
export { type DefinedPolicy, policyOf } from "./operation-policy.ts";
export { type RemainingProcess, reapProcesses } from "./supervisor/reap-processes.ts";

export interface WorkerOptions {
  connection: WorkerConnection;
  /** What it runs; each type once. */
  operations: readonly OperationDefinition[];
  /** How many operations it runs at once. Default: 10 for each core. */
  slots?: number;
  /** Its own name, for people. Default: the host's name. */
  name?: string;
  /** Where the records of running commands are kept; made if it is not there. One folder for each data folder. */
  processFolder: string;
  logger: Logger;
}

/** A worker; made by createWorker. */
export interface Worker extends AsyncDisposable {
  /**
   * Ends what a former life left running, then connects. Work may arrive before this resolves.
   * While a handler runs on past the time by which a cancel, or the loss of its attempt, should have stopped it, no
   * slot is given back, so that a worker that cannot stop its work gets no more of it.
   */
  start(): Promise<void>;
  /**
   * Takes no new work and lets the running work finish for up to `graceMs`. What runs on is aborted, has its type's
   * kill time, is stopped by force, and is given back if it may run again.
   */
  drain(graceMs: number): Promise<void>;
  /** Stops all work at once, by force where it can, and ends the session. Called again, it answers the same promise. */
  close(): Promise<void>;
}

/** How long `close` waits for what was stopped by force; an inline handler may never end. */
const CLOSE_WAIT_MS = 2_000;
/** For the reports of commands that ended only with their supervisor. */
const LAST_REPORTS_MS = 100;

/** Makes a worker. Throws a TypeError for a definition out of its limits, a type declared twice, or a wrong `slots`. */
export function createWorker(options: WorkerOptions): Worker {
  return new ConnectedWorker(options);
}

class ConnectedWorker implements Worker {
  readonly #options: WorkerOptions;
  readonly #definitions = new Map<string, OperationDefinition>();
  readonly #slots: number;
  readonly #attempts = new Map<string, Attempt>();
  readonly #stuck = new Set<Attempt>();
  readonly #closing = new AbortController();
  #slotsWithheld = 0;
  #isShuttingDown = false;
  #supervisor: ProcessSupervisor | undefined;
  #session: WorkerSession | undefined;
  #sender: ReportSender | undefined;
  /** What the listener heard before the session was there. */
  #early: (() => void)[] = [];
  #started: Promise<void> | undefined;
  #closed: Promise<void> | undefined;

  constructor(options: WorkerOptions) {
    this.#options = options;
    this.#slots = options.slots ?? 10 * availableParallelism();
    if (!Number.isInteger(this.#slots) || this.#slots < 1)
      throw new TypeError(`slots ${this.#slots} is below 1`);
    for (const definition of options.operations) {
      const { type } = definition;
      policyOf(definition);
      if (this.#definitions.has(type)) throw new TypeError(`operation type ${type} is declared twice`);
      if (definition.kind === "process" && process.platform === "win32") {
        throw new TypeError(
          `operation type ${type}: commands need process groups, which ${process.platform} has not`,
        );
      }
      this.#definitions.set(type, definition);
    }
  }

  start(): Promise<void> {
    if (this.#closed) return Promise.reject(new Error("the worker is closed"));
    this.#started ??= this.#start();
    return this.#started;
  }

  async drain(graceMs: number): Promise<void> {
    await this.#settledStart();
    if (!this.#session || this.#closed) return;
    this.#session.drain();
    if (await this.#allEnded(graceMs)) return;
    this.#isShuttingDown = true;
    let killMs = 0;
    for (const attempt of this.#attempts.values()) {
      killMs = Math.max(killMs, attempt.assignment.killMs);
      attempt.shutDown(attempt.assignment.killMs);
    }
    await this.#allEnded(2 * killMs);
  }

  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #start(): Promise<void> {
    const { connection, processFolder, logger, name } = this.#options;
    const bootId = readBootId();
    for (const remaining of await reapProcesses(processFolder)) {
      logger.error(remaining, "a command of a former life could not be ended");
    }
    this.#supervisor = new ProcessSupervisor({ processFolder, bootId, logger });
    const session = await connection.open(
      {
        worker: name ?? hostname(),
        types: [...this.#definitions.keys()],
        slots: this.#slots,
        // A session in the server's own process has no timed lease: it ends with this process, and so do all inline
        // and thread handlers; commands end by their supervisor, or are reaped before the next life concludes anything.
        guarded: true,
        bootId,
      },
      this.#listener(),
    );
    this.#session = session;
    this.#sender = new ReportSender({ session, closing: this.#closing.signal, logger });
    const early = this.#early;
    this.#early = [];
    for (const heard of early) heard();
  }

  /** `connection.open` may call before it resolves; without a session there is nobody to report to. */
  #listener(): WorkerListener {
    const whenOpen = (heard: () => void): void => {
      if (this.#sender) heard();
      else this.#early.push(heard);
    };
    return {
      assigned: (assignment) => whenOpen(() => this.#assigned(assignment)),
      cancelRequested: (notice) =>
        whenOpen(() => this.#attempts.get(attemptText(notice))?.cancelRequested(notice)),
      revoked: (notice) => whenOpen(() => this.#attempts.get(attemptText(notice))?.revoked(notice)),
    };
  }

  #assigned(assignment: Assignment): void {
    const text = attemptText(assignment);
    const sender = this.#sender;
    if (!sender || this.#attempts.has(text)) return;
    const attempt = new Attempt({
      assignment,
      startRun: (given, listener) => this.#startRun(given, listener),
      sender,
      logger: this.#options.logger,
      onStuck: (stuck) => this.#gotStuck(stuck),
    });
    this.#attempts.set(text, attempt);
    if (this.#isShuttingDown) attempt.shutDown(0);
    void attempt.ended.then(() => {
      this.#attempts.delete(text);
      this.#stuck.delete(attempt);
      this.#slotsWithheld++;
      this.#giveSlots();
    });
  }

  #startRun(assignment: Assignment, listener: RunListener): Run {
    const definition = this.#definitions.get(assignment.type);
    const supervisor = this.#supervisor;
    if (!definition || !supervisor) throw new NotServed(`this worker has no handler for ${assignment.type}`);
    if (definition.kind === "inline") return runInline(definition.handler, assignment, listener);
    if (definition.kind === "thread") return runThread(definition, assignment, listener);
    return runProcess(definition, assignment, listener, supervisor, this.#options.logger);
  }

  #gotStuck(attempt: Attempt): void {
    const { name, type } = attempt.assignment;
    this.#stuck.add(attempt);
    this.#options.logger.error(
      { operation: name, type },
      "the work cannot be stopped; no new work until it is gone",
    );
  }

  #giveSlots(): void {
    if (this.#stuck.size > 0) return;
    for (; this.#slotsWithheld > 0; this.#slotsWithheld--) this.#session?.slotFreed();
  }

  async #close(): Promise<void> {
    await this.#settledStart();
    this.#isShuttingDown = true;
    for (const attempt of this.#attempts.values()) attempt.shutDown(0);
    await this.#allEnded(CLOSE_WAIT_MS);
    this.#closing.abort();
    await this.#supervisor?.close();
    await this.#allEnded(LAST_REPORTS_MS);
    const running = [...this.#attempts.values()].map((attempt) => attempt.assignment.name);
    if (running.length === 0) await this.#session?.close();
    // Closing the session would say that its work has stopped. It ends with this process instead.
    else
      this.#options.logger.error(
        { running },
        "handlers run on while the worker closes; its session stays open",
      );
  }

  async #settledStart(): Promise<void> {
    await this.#started?.catch(() => {});
  }

  /** True once no attempt is left; some may still come while the server learns that no more are wanted. */
  async #allEnded(timeoutMs: number): Promise<boolean> {
    const untilNoneIsLeft = async (): Promise<void> => {
      while (this.#attempts.size > 0)
        await Promise.all([...this.#attempts.values()].map(({ ended }) => ended));
    };
    return await settlesWithin(untilNoneIsLeft(), timeoutMs);
  }
}

class NotServed extends Error {
  readonly code = StatusCode.UNIMPLEMENTED;
}

function attemptText({ service, tenant, name, leaseToken }: AttemptKey): string {
  return `${service}\n${tenant}\n${name}\n${leaseToken}`;
}
