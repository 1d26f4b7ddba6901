// Runs a handler in the worker's own event loop. Nothing can stop it but itself: after the grace there is only waiting.
import type { OperationAborted } from "../base/abort-reasons.ts";
import type { Assignment, StopMechanism } from "../protocol/worker-connection.ts";
import { CleanupStack, withCleanupProblems } from "./cleanup-stack.ts";
import { CriticalGate } from "./critical-gate.ts";
import type { InlineHandler } from "./define-operation.ts";
import { failureOf, responseOf } from "./handler-failure.ts";
import { createContext } from "./operation-context.ts";
import type { Run, RunEnd, RunListener } from "./runner.ts";

/**
 * Starts an inline handler. Its first step runs in a microtask: the caller may be in the middle of handing out a whole
 * batch of assignments. Evidence is HANDLER_STOPPED: its promise settled, and so did the clean-up.
 */
export function runInline(handler: InlineHandler, assignment: Assignment, listener: RunListener): Run {
  return new InlineRun(handler, assignment, listener);
}

class InlineRun implements Run {
  readonly ended: Promise<RunEnd>;
  readonly #assignment: Assignment;
  readonly #listener: RunListener;
  readonly #controller = new AbortController();
  readonly #cleanups = new CleanupStack();
  readonly #gate: CriticalGate;

  constructor(handler: InlineHandler, assignment: Assignment, listener: RunListener) {
    this.#assignment = assignment;
    this.#listener = listener;
    this.#gate = new CriticalGate({
      fire: (reason) => {
        this.#controller.abort(reason);
        listener.acknowledged();
      },
      deferred: (section) => listener.deferred(section),
    });
    this.ended = this.#settle(handler);
  }

  abort(reason: OperationAborted): void {
    this.#gate.abort(reason);
  }

  cut(): void {
    this.#gate.cut();
  }

  escalate(): string {
    this.#cleanups.cut();
    return "an inline handler cannot be stopped by force";
  }

  async #settle(handler: InlineHandler): Promise<RunEnd> {
    await undefined;
    const { signal } = this.#controller;
    const evidence = "HANDLER_STOPPED";
    const mechanism = (): StopMechanism => (signal.aborted ? "SIGNAL" : "NONE");
    try {
      // A cancel that came together with the assignment: the handler need not begin.
      signal.throwIfAborted();
      const parts = { signal, requests: this.#listener, gate: this.#gate, cleanups: this.#cleanups };
      const context = createContext(this.#assignment, parts);
      const response = responseOf(await handler(context, this.#assignment.input));
      this.#cleanups.discard();
      return { type: "returned", response, evidence, mechanism: mechanism() };
    } catch (error) {
      const failure = failureOf(error, signal.reason);
      const problems = await this.#cleanUp();
      return { type: "threw", ...withCleanupProblems(failure, problems), evidence, mechanism: mechanism() };
    }
  }

  async #cleanUp(): Promise<readonly string[]> {
    if (this.#cleanups.isEmpty) return [];
    this.#listener.cleaning();
    return await this.#cleanups.run(this.#assignment.cleanupMs);
  }
}
