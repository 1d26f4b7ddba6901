// A thread that hears nothing: it never gives its event loop back, and beats from a busy loop.
import type { OperationContext } from "../../src/worker/worker.ts";
import { type TracedPayload, tracer, workerName } from "./traced-work.ts";

export async function handler(context: OperationContext, input: TracedPayload): Promise<undefined> {
  const { ms = 0, beatMs = 50 } = input;
  const trace = tracer(context);
  trace(`begin thread ${workerName} ${process.pid} ${Date.now()}`);
  const endMs = performance.now() + ms;
  for (let next = performance.now() + beatMs; performance.now() < endMs; ) {
    if (performance.now() < next) continue;
    next += beatMs;
    trace(`beat ${Date.now()}`);
  }
  trace(`end done ${Date.now()}`);
  return undefined;
}
