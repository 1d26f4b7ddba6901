// Runs a handler in a thread of its own, one thread an attempt, and terminates it when the grace is over.
import { extname } from "node:path";
import { Worker } from "node:worker_threads";
import type { OperationAborted } from "../base/abort-reasons.ts";
import { randomBase36 } from "../base/random.ts";
import { StatusCode } from "../base/status-code.ts";
import type { Assignment, ChildState, StopMechanism } from "../protocol/worker-connection.ts";
import { ChildRefused } from "./child-operation.ts";
import type { ThreadDefinition } from "./define-operation.ts";
import { failureOf } from "./handler-failure.ts";
import type { Failure, Run, RunEnd, RunListener } from "./runner.ts";
import type { FromThread, RequestProblem, ThreadRequest, ThreadStart, ToThread } from "./thread-messages.ts";
import { endMarkedProcesses, markedEnvironment } from "./thread-processes.ts";

/** The entry beside this file: `.ts` in the sources, `.js` in dist. */
const entry = new URL(`./thread-entry${extname(import.meta.filename)}`, import.meta.url);

/**
 * Starts a thread handler. Whatever happens, the end is told only after the thread's `exit` event, since a settled
 * handler may have left timers or a loop behind:
 * - the handler settled: HANDLER_STOPPED; the thread is ended then by us, and what it left goes with it;
 * - terminated after the grace: `stopped`, THREAD_TERMINATED by TERMINATE;
 * - the thread ended by itself (process.exit) after the abort, unforced: `stopped`, THREAD_TERMINATED by SIGNAL, for
 *   its exit is what is known, and not that the handler settled;
 * - the thread ended by itself without an abort, or ran out of memory: `threw`, THREAD_TERMINATED.
 * After an abort the processes that it spawned are killed, and the end is told when they are gone.
 */
export function runThread(definition: ThreadDefinition, assignment: Assignment, listener: RunListener): Run {
  return new ThreadRun(definition, assignment, listener);
}

type Settled = Extract<FromThread, { type: "returned" | "threw" }>;

class ThreadRun implements Run {
  readonly ended: Promise<RunEnd>;
  readonly #listener: RunListener;
  readonly #thread: Worker;
  readonly #marker: string = randomBase36(24);
  #settled: Settled | undefined;
  #crash: Failure | undefined;
  /** The critical section that runs, as far as its thread has told. */
  #section: string | null = null;
  #isDeferred = false;
  #isAborted = false;
  #isTerminated = false;

  constructor(definition: ThreadDefinition, assignment: Assignment, listener: RunListener) {
    this.#listener = listener;
    const { service, name, type, attempt, createdBy, checkpoint, input } = assignment;
    const { leaseToken, criticalMs, cleanupMs } = assignment;
    const facts = {
      ...{ service, name, type, attempt, createdBy, checkpoint },
      ...{ leaseToken, criticalMs, cleanupMs },
    };
    const start: ThreadStart = { module: definition.module.href, facts, input };
    const limits = definition.resourceLimits;
    this.#thread = new Worker(entry, {
      workerData: start,
      name: type,
      env: markedEnvironment(this.#marker),
      ...(limits && { resourceLimits: limits }),
    });
    this.#thread.on("message", (message: FromThread) => this.#receive(message));
    this.#thread.on("error", (error) => {
      this.#crash = crashOf(error);
    });
    this.ended = new Promise((resolve) => {
      this.#thread.once("exit", (code) => resolve(this.#gone(code)));
    });
  }

  async #gone(exitCode: number): Promise<RunEnd> {
    if (this.#isAborted) await endMarkedProcesses(this.#marker);
    return this.#endOf(exitCode);
  }

  abort(reason: OperationAborted): void {
    this.#isAborted = true;
    const { kind: cause, reason: text, requestedBy, graceMs, force } = reason;
    this.#send({ type: "abort", abort: { cause, reason: text, requestedBy, graceMs, force } });
    // The thread says so itself, but not while its handler computes without a pause.
    if (this.#section !== null) this.#deferred(this.#section);
  }

  cut(): void {
    this.#send({ type: "cut" });
  }

  escalate(): string {
    this.#isTerminated = true;
    void this.#thread.terminate();
    return "the thread is terminated";
  }

  #receive(message: FromThread): void {
    switch (message.type) {
      case "progress":
        this.#listener.progress(message.percent, message.message);
        break;
      case "request":
        this.#answer(message.request).then(
          (child) => this.#send({ type: "answered", id: message.id, child }),
          (error) => this.#send({ type: "failed", id: message.id, problem: problemOf(error) }),
        );
        break;
      case "critical":
        this.#section = message.section;
        break;
      case "deferred":
        this.#deferred(message.section);
        break;
      case "cleaning":
        this.#listener.cleaning();
        break;
      case "log":
        this.#listener.log(message.message, message.fields);
        break;
      case "acknowledged":
        this.#listener.acknowledged();
        break;
      default:
        this.#settled = message;
        void this.#thread.terminate();
    }
  }

  async #answer(request: ThreadRequest): Promise<ChildState | null> {
    switch (request.type) {
      case "checkpoint":
        await this.#listener.checkpoint(request.state);
        return null;
      case "startChild":
        return await this.#listener.startChild(request.order);
      case "waitChild":
        return await this.#listener.waitChild(request);
    }
  }

  #deferred(section: string): void {
    if (this.#isDeferred) return;
    this.#isDeferred = true;
    this.#listener.deferred(section);
  }

  #send(message: ToThread): void {
    this.#thread.postMessage(message);
  }

  #endOf(exitCode: number): RunEnd {
    const signalled: StopMechanism = this.#isAborted ? "SIGNAL" : "NONE";
    if (this.#settled) return { ...this.#settled, evidence: "HANDLER_STOPPED", mechanism: signalled };
    const mechanism = this.#isTerminated ? "TERMINATE" : signalled;
    const evidence = "THREAD_TERMINATED";
    if (this.#isAborted && !this.#crash) return { type: "stopped", evidence, mechanism };
    const message = `the thread exited with code ${exitCode} before its handler settled`;
    const crash = this.#crash ?? {
      error: { code: StatusCode.UNKNOWN, message },
      retryable: false,
      abortCaused: false,
    };
    return { type: "threw", ...crash, evidence, mechanism };
  }
}

function crashOf(error: unknown): Failure {
  const failure = failureOf(error, undefined);
  const isMemory = error instanceof Error && "code" in error && error.code === "ERR_WORKER_OUT_OF_MEMORY";
  return isMemory
    ? { ...failure, error: { ...failure.error, code: StatusCode.RESOURCE_EXHAUSTED } }
    : failure;
}

function problemOf(error: unknown): RequestProblem {
  const { message } = failureOf(error, null).error;
  const refusal = error instanceof ChildRefused ? { code: error.code, reason: error.reason } : null;
  return { message, refusal };
}
