// Runs a handler in the worker's own event loop. Nothing can stop it but itself: after the grace there is only waiting.
import type { OperationAborted } from "../base/abort-reasons.ts";
import type { Assignment, StopMechanism } from "../protocol/worker-connection.ts";
import type { InlineHandler } from "./define-operation.ts";
import { failureOf, responseOf } from "./handler-failure.ts";
import { createContext } from "./operation-context.ts";
import type { Run, RunEnd, RunListener } from "./runner.ts";

/**
 * Starts an inline handler. Its first step runs in a microtask: the caller may be in the middle of handing out a whole
 * batch of assignments. Evidence is HANDLER_STOPPED: its promise settled.
 */
export function runInline(handler: InlineHandler, assignment: Assignment, listener: RunListener): Run {
  const controller = new AbortController();
  const { signal } = controller;
  return {
    ended: settle(handler, assignment, signal, listener),
    abort(reason: OperationAborted): void {
      controller.abort(reason);
      listener.acknowledged();
    },
    escalate: () => "an inline handler cannot be stopped by force",
  };
}

async function settle(
  handler: InlineHandler,
  assignment: Assignment,
  signal: AbortSignal,
  listener: RunListener,
): Promise<RunEnd> {
  await undefined;
  const evidence = "HANDLER_STOPPED";
  const mechanism = (): StopMechanism => (signal.aborted ? "SIGNAL" : "NONE");
  try {
    // A cancel that came together with the assignment: the handler need not begin.
    signal.throwIfAborted();
    const context = createContext(assignment, signal, listener);
    const response = responseOf(await handler(context, assignment.input));
    return { type: "returned", response, evidence, mechanism: mechanism() };
  } catch (error) {
    return { type: "threw", ...failureOf(error, signal.reason), evidence, mechanism: mechanism() };
  }
}
