// What the traced operations do in their own process or thread: write a begin, beats and an end into the attempt's file.
import { appendFileSync, existsSync } from "node:fs";
import { basename, join } from "node:path";
import { delay } from "../../src/base/timers.ts";
import { type OperationContext, RetryableError } from "../../src/worker/worker.ts";

export const traceFolder = process.env["BELAY_TEST_TRACES"] ?? "";
export const workerName = process.env["BELAY_TEST_WORKER"] ?? "";

/** What an operation is told to do. Each field may be absent. */
export interface TracedPayload {
  /** How long it works. */
  ms?: number;
  /** How long attempts after the first work. */
  retryMs?: number;
  beatMs?: number;
  /** It does not heed its signal. */
  deaf?: boolean;
  /** It ends when the file of this name and `-WORKER` is there, instead of after `ms`. */
  gate?: string;
  /** So many attempts fail and may be repeated. */
  failures?: number;
  children?: number;
  childMs?: number;
  kind?: string;
  policy?: "cancel" | "wait" | "abandon";
}

/** The file of an attempt, and what is written into it: by one append each, so that it is there when it has happened. */
export function tracer({
  name,
  attempt,
}: Pick<OperationContext, "name" | "attempt">): (line: string) => void {
  const file = join(traceFolder, `${basename(name)}.${attempt}`);
  return (line) => appendFileSync(file, `${line}\n`);
}

/** Works as the payload says; `work` comes first, and its failures count as the attempt's. */
export async function followPayload(
  context: OperationContext,
  payload: TracedPayload,
  work?: () => Promise<void>,
): Promise<{ by: string }> {
  const { ms = 0, retryMs = ms, beatMs = 50, deaf = false, gate = "", failures = 0 } = payload;
  const trace = tracer(context);
  trace(`begin inline ${workerName} ${process.pid} ${Date.now()}`);
  try {
    await work?.();
    const signal = deaf ? undefined : context.signal;
    const endMs = performance.now() + (context.attempt > 1 ? retryMs : ms);
    const isOver = (): boolean =>
      gate === "" ? performance.now() >= endMs : existsSync(`${gate}-${workerName}`);
    while (!isOver()) {
      trace(`beat ${Date.now()}`);
      await delay(beatMs, signal);
    }
    if (context.attempt <= failures) throw new RetryableError(`attempt ${context.attempt} is to fail`);
  } catch (error) {
    trace(`end ${context.signal.aborted ? "stopped" : "failed"} ${Date.now()}`);
    throw error;
  }
  trace(`end done ${Date.now()}`);
  return { by: workerName };
}
