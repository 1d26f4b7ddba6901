// The first module of an attempt's thread: loads the handler's module, calls its export `handler`, tells the worker
// how it went. The worker ends the thread; nothing here does.
import { type MessagePort, parentPort, receiveMessageOnPort, workerData } from "node:worker_threads";
import { OperationAborted } from "../base/abort-reasons.ts";
import { assert } from "../base/assert.ts";
import type { JsonObject } from "../protocol/worker-connection.ts";
import type { InlineHandler } from "./define-operation.ts";
import { failureOf, responseOf } from "./handler-failure.ts";
import { createContext } from "./operation-context.ts";
import type { FromThread, ThreadStart, ToThread } from "./thread-messages.ts";

class AttemptThread {
  readonly #port: MessagePort;
  readonly #controller = new AbortController();
  readonly #checkpoints = new Map<number, { resolve(): void; reject(error: Error): void }>();
  #checkpointsMade = 0;
  #settled = false;

  constructor(port: MessagePort) {
    this.#port = port;
    port.on("message", (message: ToThread) => this.#receive(message));
    // Errors of promises and callbacks that the handler left alone come here too. Dealing with them inside the thread
    // keeps their identity, so that an abort reason that nobody caught still counts as one.
    process.on("uncaughtException", (error) => this.#threw(error));
  }

  async run({ module, facts, input }: ThreadStart): Promise<void> {
    const { signal } = this.#controller;
    const context = createContext(facts, signal, {
      progress: (percent, message) => this.#send({ type: "progress", percent, message }),
      checkpoint: (state) => this.#checkpoint(state),
      log: (message, fields) => this.#send({ type: "log", message, fields }),
    });
    try {
      const handler = await loadHandler(module);
      // An abort that came while the module was loaded may still wait in the queue: then nothing need begin.
      for (let next = receiveMessageOnPort(this.#port); next; next = receiveMessageOnPort(this.#port)) {
        this.#receive(next.message as ToThread);
      }
      signal.throwIfAborted();
      const response = responseOf(await handler(context, input));
      this.#settle({ type: "returned", response });
    } catch (error) {
      this.#threw(error);
    }
  }

  #receive(message: ToThread): void {
    if (message.type === "abort") {
      this.#controller.abort(new OperationAborted(message.abort));
      this.#send({ type: "acknowledged" });
      return;
    }
    const checkpoint = this.#checkpoints.get(message.id);
    this.#checkpoints.delete(message.id);
    if (message.type === "checkpointStored") checkpoint?.resolve();
    else checkpoint?.reject(new Error(message.message));
  }

  #checkpoint(state: JsonObject): Promise<void> {
    const id = ++this.#checkpointsMade;
    return new Promise((resolve, reject) => {
      this.#checkpoints.set(id, { resolve, reject });
      this.#send({ type: "checkpoint", id, state });
    });
  }

  #threw(error: unknown): void {
    this.#settle({ type: "threw", ...failureOf(error, this.#controller.signal.reason) });
  }

  /** The first end counts. */
  #settle(message: FromThread): void {
    if (this.#settled) return;
    this.#send(message);
    this.#settled = true;
  }

  #send(message: FromThread): void {
    if (!this.#settled) this.#port.postMessage(message);
  }
}

async function loadHandler(module: string): Promise<InlineHandler> {
  const { handler } = (await import(module)) as { handler?: unknown };
  if (typeof handler !== "function")
    throw new TypeError(`${module} has no export "handler" that is a function`);
  return handler as InlineHandler;
}

assert(parentPort !== null, "thread-entry runs in a worker thread only");
void new AttemptThread(parentPort).run(workerData as ThreadStart);
