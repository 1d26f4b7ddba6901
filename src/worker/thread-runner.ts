// Runs a handler in a thread of its own, one thread an attempt, and terminates it when the grace is over.
import { extname } from "node:path";
import { Worker } from "node:worker_threads";
import type { OperationAborted } from "../base/abort-reasons.ts";
import { StatusCode } from "../base/status-code.ts";
import type { Assignment, StopMechanism } from "../protocol/worker-connection.ts";
import type { ThreadDefinition } from "./define-operation.ts";
import { failureOf } from "./handler-failure.ts";
import type { Failure, Run, RunEnd, RunListener } from "./runner.ts";
import type { FromThread, ThreadStart, ToThread } from "./thread-messages.ts";

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
 */
export function runThread(definition: ThreadDefinition, assignment: Assignment, listener: RunListener): Run {
  return new ThreadRun(definition, assignment, listener);
}

type Settled = Extract<FromThread, { type: "returned" | "threw" }>;

class ThreadRun implements Run {
  readonly ended: Promise<RunEnd>;
  readonly #listener: RunListener;
  readonly #thread: Worker;
  #settled: Settled | undefined;
  #crash: Failure | undefined;
  #isAborted = false;
  #isTerminated = false;

  constructor(definition: ThreadDefinition, assignment: Assignment, listener: RunListener) {
    this.#listener = listener;
    const { name, type, attempt, createdBy, checkpoint, input } = assignment;
    const facts = { name, type, attempt, createdBy, checkpoint };
    const start: ThreadStart = { module: definition.module.href, facts, input };
    const limits = definition.resourceLimits;
    this.#thread = new Worker(entry, {
      workerData: start,
      name: type,
      ...(limits && { resourceLimits: limits }),
    });
    this.#thread.on("message", (message: FromThread) => this.#receive(message));
    this.#thread.on("error", (error) => {
      this.#crash = crashOf(error);
    });
    this.ended = new Promise((resolve) => {
      this.#thread.once("exit", (code) => resolve(this.#endOf(code)));
    });
  }

  abort(reason: OperationAborted): void {
    this.#isAborted = true;
    const { kind: cause, reason: text, requestedBy, graceMs } = reason;
    this.#send({ type: "abort", abort: { cause, reason: text, requestedBy, graceMs } });
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
      case "checkpoint":
        this.#listener.checkpoint(message.state).then(
          () => this.#send({ type: "checkpointStored", id: message.id }),
          (error) =>
            this.#send({
              type: "checkpointRefused",
              id: message.id,
              message: failureOf(error, null).error.message,
            }),
        );
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
