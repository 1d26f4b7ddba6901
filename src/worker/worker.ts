// The worker: takes assignments from a connection, runs each as an attempt, and stops them all when it stops.
// This file is also the package's `/worker` export.
import type { Logger } from "../base/logger.ts";
import { StatusCode } from "../base/status-code.ts";
import { delay } from "../base/timers.ts";
import type { Assignment, WorkerConnection, WorkerHello } from "../protocol/worker-connection.ts";
import { runInline } from "./inline-runner.ts";
import { Watchdog } from "./lease/watchdog.ts";
import { runProcess } from "./process-runner.ts";
import type { Run, RunListener } from "./runner.ts";
import { readBootId } from "./supervisor/boot-id.ts";
import { ProcessSupervisor } from "./supervisor/process-supervisor.ts";
import { reapProcesses } from "./supervisor/reap-processes.ts";
import { runThread } from "./thread-runner.ts";
import { WorkSession } from "./work-session.ts";
import { type ResolvedOptions, resolveOptions, type WorkerOptions } from "./worker-options.ts";

export type { DeclaredPolicy } from "../base/policy-limits.ts";
export type { FieldViolation } from "../base/rpc-error.ts";
export type { JsonObject, JsonValue, WorkerConnection } from "../protocol/worker-connection.ts";
export { ChildFailed, ChildRefused } from "./child-operation.ts";
export { defineMethod, type MethodDefinition, type MethodHandler } from "./define-method.ts";
export {
  type CheckedDefinition,
  type ChildHandle,
  type ChildOptions,
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
export { policyOf } from "./operation-policy.ts";
export { readBootId } from "./supervisor/boot-id.ts";
export { type RemainingProcess, reapProcesses } from "./supervisor/reap-processes.ts";
export type { WorkerOptions } from "./worker-options.ts";

/** A worker; made by createWorker. */
export interface Worker extends AsyncDisposable {
  /** The names of the operations whose work has not stopped. */
  readonly running: readonly string[];
  /**
   * Ends what a former life left running, then connects. Work may arrive before this resolves.
   * While a handler runs on past the time by which a cancel, or the loss of its attempt, should have stopped it, no
   * slot is given back, so that a worker that cannot stop its work gets no more of it.
   *
   * Rejects if the server cannot be reached or refuses the worker; it may be called again then.
   *
   * A worker of a server on another machine comes back by itself: within its lease to its session, and nothing that runs
   * notices; after that, once everything that ran has stopped, to a new one.
   */
  start(): Promise<void>;
  /**
   * Takes no new work, gives back what has not begun, and lets the running work finish for up to `graceMs`. What runs on
   * is aborted, has its type's kill time (critical sections and clean-up come on top), is stopped by force, and is given
   * back if it may run again; else it ends as its policy says (ABORTED).
   */
  drain(graceMs: number): Promise<void>;
  /** Stops all work at once, by force where it can, and ends the session. Called again, it answers the same promise. */
  close(): Promise<void>;
}

/** How long `close` waits for what was stopped by force; an inline handler may never end. */
const CLOSE_WAIT_MS = 2_000;
/** For the reports of commands that ended only with their supervisor. */
const LAST_REPORTS_MS = 100;
/** Names in one line of the log; the rest is counted. */
const NAMES_LOGGED_MAX = 20;
const RECONNECT_MIN_MS = 100;
const RECONNECT_MAX_MS = 5_000;
/** While there is no new session, the log says so at most this often. */
const AWAY_LOG_MS = 1_000;

/**
 * Makes a worker. Throws a TypeError for a definition out of its limits, a type declared twice, a wrong `slots`, or if
 * not exactly one of `server` and `connection` is given.
 *
 * @example
 * const worker = createWorker({ server: "http://127.0.0.1:8080", handlers: [report, thumbnails], slots: 20 });
 * await worker.start();
 * process.once("SIGTERM", async () => {
 *   await worker.drain(30_000);
 *   await worker.close();
 * });
 */
export function createWorker(options: WorkerOptions): Worker {
  return new ConnectedWorker(resolveOptions(options));
}

class ConnectedWorker implements Worker {
  readonly #options: ResolvedOptions;
  readonly #logger: Logger;
  readonly #closing = new AbortController();
  #supervisor: ProcessSupervisor | undefined;
  #watchdog: Watchdog | undefined;
  #connection: WorkerConnection | undefined;
  #hello: WorkerHello | undefined;
  #work: WorkSession | undefined;
  #isLeaving = false;
  #started: Promise<void> | undefined;
  #closed: Promise<void> | undefined;

  constructor(options: ResolvedOptions) {
    this.#options = options;
    this.#logger = options.logger;
  }

  start(): Promise<void> {
    if (this.#closed) return Promise.reject(new Error("the worker is closed"));
    this.#started ??= this.#start().catch((error: unknown) => {
      this.#started = undefined;
      throw error;
    });
    return this.#started;
  }

  get running(): readonly string[] {
    return this.#work?.running ?? [];
  }

  async drain(graceMs: number): Promise<void> {
    await this.#settledStart();
    this.#isLeaving = true;
    const work = this.#work;
    if (!work || this.#closed) return;
    work.drain();
    if (await work.allEnded(graceMs)) return;
    await work.allEnded(work.shutDown({ atOnce: false }));
  }

  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #start(): Promise<void> {
    const { connect, processFolder, name, build, slots, definitions, policies, messages, guarded } =
      this.#options;
    const logger = this.#logger;
    const bootId = readBootId();
    const isAttached = [...definitions.values()].some((each) => each.kind === "process" && each.attached);
    for (const remaining of await reapProcesses(processFolder)) {
      logger.error(remaining, "a command of a former life could not be ended");
    }
    this.#supervisor ??= new ProcessSupervisor({ processFolder, bootId, logger, isAttached });
    const connection = await connect(logger);
    this.#connection = connection;
    if (connection.hasLease && guarded && !this.#watchdog) await this.#startWatchdog();
    this.#hello = {
      ...{ worker: name, build, slots, bootId, policies, messages },
      types: [...definitions.keys()],
      // A session in the server's own process has no timed lease: it ends with this process, and so do all inline
      // and thread handlers; commands end by their supervisor, or are reaped before the next life concludes anything.
      guarded: connection.hasLease ? this.#watchdog !== undefined : true,
    };
    await this.#open(connection, this.#hello);
  }

  /** Without one, the server is told that this worker is not guarded. */
  async #startWatchdog(): Promise<void> {
    const watchdog = new Watchdog(this.#logger);
    try {
      await watchdog.start();
      this.#watchdog = watchdog;
    } catch (error) {
      this.#logger.error({ err: error }, "the lease's watchdog cannot be started: the worker is not guarded");
    }
  }

  async #open(connection: WorkerConnection, hello: WorkerHello): Promise<void> {
    const work = new WorkSession({
      startRun: (assignment, listener) => this.#startRun(assignment, listener),
      logger: this.#logger,
      watchdog: this.#watchdog,
      leaseUntil: (endNs) => this.#leaseUntil(endNs),
      killMs: Math.max(0, ...Object.values(hello.policies ?? {}).map(({ cancel }) => cancel.killMs)),
      drainRequested: () => {
        this.#logger.info({}, "the server drains: no new work; what runs goes on within the lease");
        this.#work?.drain();
      },
      lost: (why) => void this.#reopen(why),
    });
    this.#work = work;
    work.opened(await connection.open(hello, work.listener()));
  }

  #leaseUntil(endNs: bigint | null): void {
    this.#watchdog?.leaseUntil(endNs);
    this.#supervisor?.leaseUntil(endNs);
  }

  /** A lost session is over when all of its work has stopped; until then the old lease guards it. */
  async #reopen(why: string): Promise<void> {
    const former = this.#work;
    const running = former?.running ?? [];
    const shown = { running: running.length, operations: running.slice(0, NAMES_LOGGED_MAX) };
    this.#logger.error({ why, ...shown }, "the session is lost: its work is stopped");
    await former?.untilAllEnded();
    await former?.close();
    this.#leaseUntil(null);
    let quietMs = 0;
    for (let tries = 0; !this.#isLeaving && this.#connection && this.#hello; tries++) {
      try {
        await this.#open(this.#connection, this.#hello);
        this.#logger.info({}, "the worker has a new session");
        return;
      } catch (error) {
        const because = error instanceof Error ? error.message : String(error);
        if (quietMs <= 0) this.#logger.warn({ because, tries: tries + 1 }, "no new session yet");
        if (quietMs <= 0) quietMs = AWAY_LOG_MS;
      }
      const pauseMs = Math.min(RECONNECT_MAX_MS, RECONNECT_MIN_MS * 2 ** Math.min(tries, 10));
      quietMs -= pauseMs;
      await delay(pauseMs, this.#closing.signal).catch(() => {});
    }
  }

  #startRun(assignment: Assignment, listener: RunListener): Run {
    const definition = this.#options.definitions.get(assignment.type);
    const supervisor = this.#supervisor;
    if (!definition || !supervisor) throw new NotServed(`this worker has no handler for ${assignment.type}`);
    if (definition.kind === "inline") return runInline(definition.handler, assignment, listener);
    if (definition.kind === "thread") return runThread(definition, assignment, listener);
    return runProcess(definition, assignment, listener, supervisor, this.#logger);
  }

  async #close(): Promise<void> {
    await this.#settledStart();
    this.#isLeaving = true;
    this.#closing.abort();
    const work = this.#work;
    work?.shutDown({ atOnce: true });
    await work?.allEnded(CLOSE_WAIT_MS);
    work?.stopReporting();
    await this.#supervisor?.close();
    await work?.allEnded(LAST_REPORTS_MS);
    const { running } = this;
    if (running.length > 0) {
      // Closing the session would say that its work has stopped. It ends with this process instead, and the watchdog
      // stays with it.
      this.#logger.error({ running }, "handlers run on while the worker closes; its session stays open");
      return;
    }
    await work?.close();
    await this.#watchdog?.close();
  }

  async #settledStart(): Promise<void> {
    await this.#started?.catch(() => {});
  }
}

class NotServed extends Error {
  readonly code = StatusCode.UNIMPLEMENTED;
}
