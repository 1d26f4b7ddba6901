// Waiting at the terminal: a bar on a terminal, a line for each change otherwise; then the outcome on standard output.
import { wallClockInstant } from "../base/clock.ts";
import { delay } from "../base/timers.ts";
import { type BelayClient, BelayError, type Operation } from "../client/client.ts";
import { operationToJson } from "../client/operation-json.ts";
import { CliError } from "./exit-codes.ts";
import { Interrupted, interruptible } from "./interrupt.ts";
import { elapsedMs, outcomeFields, progressText, stateName } from "./operation-view.ts";
import { printFields, printJson, printNote } from "./output.ts";
import { ProgressBar } from "./progress-bar.ts";

/** How often progress is read: as often as an eye follows it, or as often as a log wants a line. */
const TERMINAL_PERIOD_MS = 200;
const LOG_PERIOD_MS = 1000;

export interface ShowWaitOptions {
  timeoutMs: number | undefined;
  json: boolean;
  /** What is printed of it at the end, without `json`. Default outcomeFields. */
  fields?: (operation: Operation, nowMs: number) => ReturnType<typeof outcomeFields>;
}

/**
 * Waits, shows how far the operation is, prints the outcome and answers the operation, done or not.
 * SIGINT ends the wait with a CliError that says that the operation goes on.
 */
export async function showWait(
  client: BelayClient,
  name: string,
  options: ShowWaitOptions,
): Promise<Operation> {
  const progress = process.stderr.isTTY ? new BarProgress() : new LineProgress();
  try {
    const operation = await interruptible((signal) =>
      waitWithProgress(client, name, options, progress, signal),
    );
    progress.end();
    if (options.json) printJson(operationToJson(operation));
    else printFields((options.fields ?? outcomeFields)(operation, nowMs()));
    return operation;
  } catch (error) {
    progress.end();
    if (!(error instanceof Interrupted)) throw error;
    throw new CliError(`stopped waiting; ${name} goes on (belay cancel ${name} stops it)`, error.exitCode);
  }
}

async function waitWithProgress(
  client: BelayClient,
  name: string,
  options: ShowWaitOptions,
  progress: BarProgress | LineProgress,
  signal: AbortSignal,
): Promise<Operation> {
  const ended = new AbortController();
  const watching = watchProgress(client, name, progress, AbortSignal.any([signal, ended.signal]));
  try {
    return await client.wait(name, {
      signal,
      ...(options.timeoutMs !== undefined && { timeoutMs: options.timeoutMs }),
    });
  } finally {
    ended.abort();
    await watching;
  }
}

/** Reads the operation again and again until aborted. Errors are the wait's to tell: an unanswered read shows nothing. */
async function watchProgress(
  client: BelayClient,
  name: string,
  progress: BarProgress | LineProgress,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    try {
      const operation = await client.get(name, { signal });
      // The end is told once, by the outcome.
      if (!signal.aborted && !operation.done) progress.show(operation);
      await delay(progress.periodMs, signal);
    } catch (error) {
      if (signal.aborted || !(error instanceof BelayError)) return;
      await delay(progress.periodMs, signal).catch(() => undefined);
    }
  }
}

class BarProgress {
  readonly periodMs = TERMINAL_PERIOD_MS;
  readonly #bar = new ProgressBar(process.stderr);

  show(operation: Operation): void {
    this.#bar.draw({
      name: operation.name,
      state: stateName(operation),
      percent: operation.progress?.percent,
      message: operation.progress?.message ?? "",
      elapsedMs: elapsedMs(operation, nowMs()),
    });
  }

  end(): void {
    this.#bar.clear();
  }
}

class LineProgress {
  readonly periodMs = LOG_PERIOD_MS;
  #shown = "";

  show(operation: Operation): void {
    const line = `${operation.name} ${stateName(operation)} ${progressText(operation)}`.trimEnd();
    if (line !== this.#shown) printNote(line);
    this.#shown = line;
  }

  end(): void {}
}

function nowMs(): number {
  return wallClockInstant() / 1000;
}
