// Runs a handler in the worker's own event loop. Nothing can stop it but itself: after the grace there is only waiting.
import type { OperationAborted } from "../base/abort-reasons.ts";
import type { Assignment, StopMechanism } from "../protocol/worker-connection.ts";
import { CleanupStack, withCleanupProblems } from "./cleanup-stack.ts";
import { CriticalGate, type GateListener } from "./critical-gate.ts";
import type { InlineHandler } from "./define-operation.ts";
import { failureOf, responseOf } from "./handler-failure.ts";
import { type ContextParts, createContext } from "./operation-context.ts";
import type { Run, RunEnd, RunListener } from "./runner.ts";

/**
 * Starts an inline handler. Its first step runs in a microtask: the caller may be in the middle of handing out a whole
 * batch of assignments. Evidence is HANDLER_STOPPED: its promise settled, and so did the clean-up.
 */
export function runInline(handler: InlineHandler, assignment: Assignment, listener: RunListener): Run {
  return new InlineRun(handler, assignment, listener);
}

/** Gate and clean-ups are made when the handler asks for them, or an abort comes: most handlers need neither. */
class InlineRun implements Run, ContextParts, GateListener {
  readonly ended: Promise<RunEnd>;
  readonly requests: RunListener;
  readonly #assignment: Assignment;
  readonly #controller = new AbortController();
  #gate: CriticalGate | undefined;
  #cleanups: CleanupStack | undefined;
  #hasReturned = false;

  constructor(handler: InlineHandler, assignment: Assignment, listener: RunListener) {
    this.#assignment = assignment;
    this.requests = listener;
    this.ended = this.#settle(handler);
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  get gate(): CriticalGate {
    this.#gate ??= new CriticalGate(this);
    return this.#gate;
  }

  get cleanups(): CleanupStack {
    this.#cleanups ??= new CleanupStack();
    if (this.#hasReturned) this.#cleanups.discard();
    return this.#cleanups;
  }

  fire(reason: OperationAborted): void {
    this.#controller.abort(reason);
    this.requests.acknowledged();
  }

  deferred(section: string): void {
    this.requests.deferred(section);
  }

  abort(reason: OperationAborted): void {
    this.gate.abort(reason);
  }

  cut(): void {
    this.#gate?.cut();
  }

  escalate(): string {
    this.#cleanups?.cut();
    return "an inline handler cannot be stopped by force";
  }

  async #settle(handler: InlineHandler): Promise<RunEnd> {
    await undefined;
    const evidence = "HANDLER_STOPPED";
    try {
      // A cancel that came together with the assignment: the handler need not begin.
      this.signal.throwIfAborted();
      const context = createContext(this.#assignment, this);
      const response = responseOf(await handler(context, this.#assignment.input));
      this.#hasReturned = true;
      this.#cleanups?.discard();
      return { type: "returned", response, evidence, mechanism: this.#mechanism() };
    } catch (error) {
      const failure = failureOf(error, this.signal.reason);
      const problems = await this.#cleanUp();
      return {
        type: "threw",
        ...withCleanupProblems(failure, problems),
        evidence,
        mechanism: this.#mechanism(),
      };
    }
  }

  #mechanism(): StopMechanism {
    return this.signal.aborted ? "SIGNAL" : "NONE";
  }

  async #cleanUp(): Promise<readonly string[]> {
    if (this.#cleanups === undefined || this.#cleanups.isEmpty) return [];
    this.requests.cleaning();
    return await this.#cleanups.run(this.#assignment.cleanupMs);
  }
}
