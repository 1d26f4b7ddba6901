// The first module of an attempt's thread: loads the handler's module, calls its export `handler`, tells the worker
// how it went. The worker ends the thread; nothing here does.
import { type MessagePort, parentPort, receiveMessageOnPort, workerData } from "node:worker_threads";
import { OperationAborted } from "../base/abort-reasons.ts";
import { assert } from "../base/assert.ts";
import type { ChildState } from "../protocol/worker-connection.ts";
import { ChildRefused } from "./child-operation.ts";
import { CleanupStack, withCleanupProblems } from "./cleanup-stack.ts";
import { CriticalGate } from "./critical-gate.ts";
import type { InlineHandler } from "./define-operation.ts";
import { failureOf, responseOf } from "./handler-failure.ts";
import { createContext } from "./operation-context.ts";
import type { RunRequests } from "./runner.ts";
import type { FromThread, RequestProblem, ThreadRequest, ThreadStart, ToThread } from "./thread-messages.ts";

class AttemptThread {
  readonly #port: MessagePort;
  readonly #controller = new AbortController();
  readonly #cleanups = new CleanupStack();
  readonly #gate: ToldGate;
  readonly #waiting = new Map<number, PromiseWithResolvers<ChildState | null>>();
  #cleanupMs = 0;
  #requests = 0;
  #isEnding = false;
  #settled = false;

  constructor(port: MessagePort) {
    this.#port = port;
    this.#gate = new ToldGate((message) => this.#send(message), this.#controller);
    port.on("message", (message: ToThread) => this.#receive(message));
    // Errors of promises and callbacks that the handler left alone come here too. Dealing with them inside the thread
    // keeps their identity, so that an abort reason that nobody caught still counts as one.
    process.on("uncaughtException", (error) => void this.#threw(error));
  }

  async run({ module, facts, input }: ThreadStart): Promise<void> {
    const { signal } = this.#controller;
    this.#cleanupMs = facts.cleanupMs;
    const parts = { signal, requests: this.#requestsOf(), gate: this.#gate, cleanups: this.#cleanups };
    const context = createContext(facts, parts);
    try {
      const handler = await loadHandler(module);
      // An abort that came while the module was loaded may still wait in the queue: then nothing need begin.
      for (let next = receiveMessageOnPort(this.#port); next; next = receiveMessageOnPort(this.#port)) {
        this.#receive(next.message as ToThread);
      }
      signal.throwIfAborted();
      const response = responseOf(await handler(context, input));
      if (this.#isEnding) return;
      this.#isEnding = true;
      this.#cleanups.discard();
      this.#settle({ type: "returned", response });
    } catch (error) {
      await this.#threw(error);
    }
  }

  #requestsOf(): RunRequests {
    return {
      progress: (percent, message) => this.#send({ type: "progress", percent, message }),
      log: (message, fields) => this.#send({ type: "log", message, fields }),
      checkpoint: async (state) => {
        await this.#request({ type: "checkpoint", state });
      },
      startChild: (order) => this.#requestChild({ type: "startChild", order }),
      waitChild: ({ service, name }) => this.#requestChild({ type: "waitChild", service, name }),
    };
  }

  #receive(message: ToThread): void {
    switch (message.type) {
      case "abort":
        this.#gate.abort(new OperationAborted(message.abort));
        break;
      case "cut":
        this.#gate.cut();
        break;
      case "answered":
        this.#answered(message.id)?.resolve(message.child);
        break;
      case "failed":
        this.#answered(message.id)?.reject(errorOf(message.problem));
    }
  }

  #answered(id: number): PromiseWithResolvers<ChildState | null> | undefined {
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    return waiting;
  }

  #request(request: ThreadRequest): Promise<ChildState | null> {
    const id = ++this.#requests;
    const waiting = Promise.withResolvers<ChildState | null>();
    this.#waiting.set(id, waiting);
    this.#send({ type: "request", id, request });
    return waiting.promise;
  }

  async #requestChild(request: ThreadRequest): Promise<ChildState> {
    const child = await this.#request(request);
    assert(child !== null, "a child is answered with its state");
    return child;
  }

  /** The first end counts. */
  async #threw(error: unknown): Promise<void> {
    if (this.#isEnding) return;
    this.#isEnding = true;
    const failure = failureOf(error, this.#controller.signal.reason);
    this.#settle({ type: "threw", ...withCleanupProblems(failure, await this.#cleanUp()) });
  }

  async #cleanUp(): Promise<readonly string[]> {
    if (this.#cleanups.isEmpty) return [];
    this.#send({ type: "cleaning" });
    return await this.#cleanups.run(this.#cleanupMs, { untilCut: true });
  }

  #settle(message: FromThread): void {
    this.#send(message);
    this.#settled = true;
  }

  #send(message: FromThread): void {
    if (!this.#settled) this.#port.postMessage(message);
  }
}

/** A gate that tells the worker of every section, so that it knows of one in which the handler never pauses. */
class ToldGate extends CriticalGate {
  readonly #send: (message: FromThread) => void;

  constructor(send: (message: FromThread) => void, controller: AbortController) {
    super({
      fire: (reason) => {
        controller.abort(reason);
        send({ type: "acknowledged" });
      },
      deferred: (section) => send({ type: "deferred", section }),
    });
    this.#send = send;
  }

  override enter(section: string): () => void {
    const leave = super.enter(section);
    this.#send({ type: "critical", section });
    return () => {
      leave();
      this.#send({ type: "critical", section: this.section });
    };
  }
}

function errorOf({ message, refusal }: RequestProblem): Error {
  return refusal === null ? new Error(message) : new ChildRefused({ ...refusal, message });
}

async function loadHandler(module: string): Promise<InlineHandler> {
  const { handler } = (await import(module)) as { handler?: unknown };
  if (typeof handler !== "function")
    throw new TypeError(`${module} has no export "handler" that is a function`);
  return handler as InlineHandler;
}

assert(parentPort !== null, "thread-entry runs in a worker thread only");
void new AttemptThread(parentPort).run(workerData as ThreadStart);
