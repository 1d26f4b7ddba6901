// The life of `belay exec`: a worker with one slot, whose only type nobody else has; the operation that it runs; signals
// that become cancels; and the command's exit code.
import { hostname } from "node:os";
import { basename } from "node:path";
import { monotonicMs } from "../base/clock.ts";
import { createLogger } from "../base/logger.ts";
import { randomBase36 } from "../base/random.ts";
import { StatusCode } from "../base/status-code.ts";
import { startTimer } from "../base/timers.ts";
import { type BelayClient, BelayError, type CancelOptions, type Operation, State } from "../client/client.ts";
import { defineOperation } from "../worker/define-operation.ts";
import type { Worker } from "../worker/worker.ts";
import { withClient } from "./client-options.ts";
import type { ExecOptions } from "./commands/exec.ts";
import { CliError, type ExitCode, exitCodes } from "./exit-codes.ts";
import { cancellationText, errorText } from "./operation-view.ts";
import { printNote } from "./output.ts";
import { remoteWorker } from "./remote-worker.ts";
import { signalExitCode } from "./signal-exit-code.ts";

type Words = readonly [string, ...string[]];

/** How a command ended. */
interface CommandEnd {
  readonly code: number | null;
  readonly signal: string | null;
}

/** How long the end of the command may take to be durable; its exit code is known already. */
const REPORT_MAX_MS = 10_000;
/** How long the server may take to answer a cancel from this terminal. */
const CANCEL_MAX_MS = 3_000;
/** Ctrl-C may reach this process twice (stop-signals.ts). */
const SAME_WISH_MS = 500;

/** Runs the command to its end and answers what to exit with. Throws a CliError (125) when it cannot be run. */
export async function runCommand(command: Words, options: ExecOptions): Promise<number> {
  const ended = Promise.withResolvers<CommandEnd>();
  // Only this worker has it, and the server keeps no type of this form (src/engine/operation-types.ts).
  const type = `exec.local-${randomBase36(16)}`;
  const handler = defineOperation({
    ...{ type, kind: "process", command },
    ...{ graceMs: options.grace, attemptTimeoutMs: options.timeout },
    // On this terminal it has the environment that it would have without Belay, but for the worker's credential.
    env: definedEnvironment(),
    attached: { exited: ended.resolve },
  });
  try {
    await using worker = remoteWorker({
      ...{ server: options.server, handlers: [handler], slots: 1, tokenFile: options.tokenFile },
      ...{ name: `exec on ${hostname()}`, leaseMs: options.lease, logger: createLogger("error") },
    });
    await worker.start();
    return await withClient(options, (client) =>
      runOperation(client, worker, { type, command, options, ended: ended.promise }),
    );
  } catch (error) {
    if (error instanceof CliError) throw error;
    throw new CliError(error instanceof Error ? error.message : String(error), exitCodes.EXEC_ERROR);
  }
}

interface Execution {
  type: string;
  command: Words;
  options: ExecOptions;
  /** Resolves when nothing of the command is left; never if it was not begun. */
  ended: Promise<CommandEnd>;
}

async function runOperation(client: BelayClient, worker: Worker, execution: Execution): Promise<number> {
  const { type, command, options, ended } = execution;
  const { name } = await client.start(type, {
    description: (options.description ?? command.join(" ")).slice(0, 256),
    labels: { exec: (options.name ?? basename(command[0])).slice(0, 63), ...options.label },
    ...(options.parent !== undefined && { parent: options.parent }),
  });
  if (!options.quiet) printNote(`belay: ${name} (belay cancel ${name} stops it)`);
  const signals = new CancelBySignal(client, worker, name);
  const gaveUp = new AbortController();
  try {
    const done = client.wait(name, { signal: gaveUp.signal });
    // Its rejection is told below, where it is waited for; here the command may have ended before.
    done.catch(() => undefined);
    const first = await Promise.race([ended, done.catch(() => ended), signals.stopped]);
    const end = first && "code" in first ? first : await endOf(first, ended);
    const operation = await within(
      REPORT_MAX_MS,
      done.catch(() => undefined),
    );
    return exitCodeOf(end, operation, signals.wasInterrupted);
  } finally {
    gaveUp.abort();
    signals.close();
  }
}

/** The operation is done, or the worker was closed: the command has ended, is about to, or was never begun. */
async function endOf(
  operation: Operation | undefined,
  ended: Promise<CommandEnd>,
): Promise<CommandEnd | undefined> {
  if (operation && isNeverBegun(operation)) return undefined;
  return await within(REPORT_MAX_MS, ended);
}

/** The value, or undefined if it does not come in time. */
async function within<Value>(timeMs: number, value: Promise<Value>): Promise<Value | undefined> {
  const { promise: late, resolve } = Promise.withResolvers<undefined>();
  const timer = startTimer(timeMs, () => resolve(undefined));
  try {
    return await Promise.race([value, late]);
  } finally {
    timer.cancel();
  }
}

function isNeverBegun({ result, cancellation }: Operation): boolean {
  const code = result.case === "error" ? result.value.code : 0;
  return cancellation?.evidence === "NEVER_STARTED" || code === StatusCode.FAILED_PRECONDITION;
}

/** The command's own code. A cancel that the command obeyed with 0 must not look like success. */
function exitCodeOf(
  end: CommandEnd | undefined,
  operation: Operation | undefined,
  wasInterrupted: boolean,
): number {
  const isCancelled = operation?.state === State.CANCELLED;
  if (isCancelled) printNote(`belay: cancelled: ${cancellationText(operation)}`);
  else if (operation === undefined)
    printNote("belay: the server did not answer; the operation ends when it does");
  else if (operation.state === State.FAILED && end?.code === undefined) {
    const status = operation.result.case === "error" ? operation.result.value : undefined;
    throw new CliError(errorText(status), exitCodes.EXEC_ERROR);
  }
  const code: number | ExitCode = end ? (end.code ?? signalExitCode(end.signal)) : exitCodes.EXEC_ERROR;
  if (isCancelled && wasInterrupted) return exitCodes.INTERRUPTED;
  if (isCancelled && (end === undefined || code === 0)) return exitCodes.CANCELLED;
  return code;
}

/** SIGINT, SIGTERM and SIGHUP of this process cancel the operation: the first with its grace, a later one by force. */
class CancelBySignal {
  /** Resolves when the command was stopped from here, because the server did not answer. */
  readonly stopped: Promise<undefined>;
  wasInterrupted = false;
  readonly #client: BelayClient;
  readonly #worker: Worker;
  readonly #name: string;
  #stopped: () => void = () => undefined;
  #lastMs = Number.NEGATIVE_INFINITY;
  #count = 0;
  readonly #onSignal = (signal: NodeJS.Signals): void => this.#take(signal);
  readonly #onSuspend = (): void => printNote("belay: exec cannot be suspended: its lease would pass");

  constructor(client: BelayClient, worker: Worker, name: string) {
    this.#client = client;
    this.#worker = worker;
    this.#name = name;
    this.stopped = new Promise((resolve) => {
      this.#stopped = () => resolve(undefined);
    });
    for (const signal of cancelSignals) process.on(signal, this.#onSignal);
    process.on("SIGTSTP", this.#onSuspend);
  }

  close(): void {
    for (const signal of cancelSignals) process.off(signal, this.#onSignal);
    process.off("SIGTSTP", this.#onSuspend);
  }

  #take(signal: NodeJS.Signals): void {
    const nowMs = monotonicMs();
    if (nowMs - this.#lastMs < SAME_WISH_MS) return;
    this.#lastMs = nowMs;
    this.wasInterrupted ||= signal === "SIGINT";
    const force = this.#count++ > 0;
    printNote(`belay: cancelling${force ? " by force" : "; the same signal again stops it by force"}`);
    void this.#cancel({ reason: `${signal} at its terminal`, ...(force && { force }) });
  }

  async #cancel(how: CancelOptions): Promise<void> {
    try {
      await this.#client.cancel(this.#name, { ...how, signal: AbortSignal.timeout(CANCEL_MAX_MS) });
    } catch (error) {
      const isRefused = error instanceof BelayError && !error.isUnreachable;
      // By force from afar may need a permission; here the process is one's own.
      if (isRefused && !how.force) {
        printNote(`belay: ${error.message}`);
        return;
      }
      if (!isRefused) printNote("belay: the server does not answer; the command is stopped from here");
      await this.#worker.close();
      this.#stopped();
    }
  }
}

const cancelSignals = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

function definedEnvironment(): Record<string, string> {
  const { BELAY_WORKER_TOKEN: _, ...passed } = process.env;
  return Object.fromEntries(Object.entries(passed).filter(([, value]) => value !== undefined)) as Record<
    string,
    string
  >;
}
