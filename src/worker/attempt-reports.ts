// What one attempt tells the server: phases, progress, checkpoints and, last, how its work ended. It decides nothing about
// the work itself (attempt.ts).
import { monotonicMs } from "../base/clock.ts";
import type { Logger } from "../base/logger.ts";
import { StatusCode } from "../base/status-code.ts";
import { startTimer, type Timer } from "../base/timers.ts";
import type {
  AttemptKey,
  CancelStep,
  JsonObject,
  ReportOutcome,
  WorkerReport,
} from "../protocol/worker-connection.ts";
import { type AttemptAbort, endReport } from "./attempt-end.ts";
import { ProgressMerger } from "./progress-merger.ts";
import { ReportRefused, type ReportSender } from "./report-sender.ts";
import type { RunEnd } from "./runner.ts";

/** The report of a revoked attempt is for the receipt only. */
const REVOKED_TRIES_MAX = 3;

/**
 * A cancel is delivered and acknowledged within a millisecond, and most work stops soon after. Told one by one these are
 * three changes of the operation, each with its rows and its share of a commit; told together they are one. So a step
 * waits this long for what follows. Of 10,000 that were cancelled at once, the steps took half of the store's time; and
 * for somebody who watches a slow stop, 20 ms are nothing.
 */
const STEPS_MS = 20;

/** Those that may wait: somebody may want to act on the others. */
const patientPhases: ReadonlySet<CancelStep["phase"]> = new Set(["DELIVERED", "ACKNOWLEDGED"] as const);

/** The attempt that is told of. */
export interface ReportedWork {
  /** It is under way, and this worker's. */
  readonly isOpen: boolean;
  readonly isCancelled: boolean;
  /** The server says that the attempt is this worker's no more. */
  lost(): void;
}

export interface AttemptReportsOptions {
  attempt: AttemptKey;
  sender: ReportSender;
  logger: Logger;
  work: ReportedWork;
}

/** The reports of one attempt. */
export class AttemptReports {
  readonly #options: AttemptReportsOptions;
  #progress: ProgressMerger | undefined;
  #checkpoints: Set<Promise<unknown>> | undefined;
  #forsaken: PromiseWithResolvers<never> | undefined;
  /** Steps of the cancel that are not told yet. */
  #steps: CancelStep[] = [];
  #stepsDue: Timer | undefined;

  constructor(options: AttemptReportsOptions) {
    this.#options = options;
  }

  /**
   * The work must stop, and nobody may be there to answer: checkpoints that it waits for fail now.
   *
   *   the server is away -> `await ctx.checkpoint()` -> the lease ends: the handler could not see its signal, would count
   *   as one that ignores it, and the watchdog would kill the whole worker.
   */
  forsake(): void {
    this.#whenForsaken().reject(new Error("the checkpoint may not be stored: the attempt's lease is lost"));
  }

  #whenForsaken(): PromiseWithResolvers<never> {
    if (this.#forsaken === undefined) {
      this.#forsaken = Promise.withResolvers<never>();
      this.#forsaken.promise.catch(() => {});
    }
    return this.#forsaken;
  }

  progress(percent: number, message: string): void {
    const { attempt, work } = this.#options;
    if (!work.isOpen) return;
    this.#progress ??= new ProgressMerger((value) => this.#tell({ type: "progress", attempt, ...value }));
    this.#progress.push({ percent, message });
  }

  async checkpoint(checkpoint: JsonObject): Promise<void> {
    const { attempt, work } = this.#options;
    if (!work.isOpen) throw new Error("the attempt is over: its checkpoint was not stored");
    const sent = this.#send({ type: "checkpoint", attempt, checkpoint });
    this.#checkpoints ??= new Set();
    this.#checkpoints.add(sent);
    try {
      const outcome = await Promise.race([sent, this.#whenForsaken().promise]);
      if (outcome !== "accepted")
        throw new Error(`the checkpoint was not stored: ${outcome ?? "the worker closes"}`);
    } finally {
      this.#checkpoints?.delete(sent);
    }
  }

  /** Phases are those of a cancel; another abort has none. They are told in their order. */
  phase(phase: CancelStep["phase"], detail = ""): void {
    const { work } = this.#options;
    if (!work.isCancelled || !work.isOpen) return;
    this.#steps.push({ phase, detail, atMs: monotonicMs() });
    if (!patientPhases.has(phase)) this.#tellSteps();
    else this.#stepsDue ??= startTimer(STEPS_MS, () => this.#tellSteps());
  }

  #tellSteps(): void {
    const steps = this.#takeSteps();
    const last = steps.pop();
    const { attempt } = this.#options;
    if (last) void this.#tell({ type: "cancelPhase", attempt, ...last, steps });
  }

  /** Whoever takes them tells of them. */
  #takeSteps(): CancelStep[] {
    this.#stepsDue?.cancel();
    this.#stepsDue = undefined;
    const steps = this.#steps;
    this.#steps = [];
    return steps;
  }

  /** The end of the run, when everything before it is stored. Never rejects. */
  async end(end: RunEnd, abort: AttemptAbort): Promise<void> {
    if (!abort.isRevoked) this.#progress?.flush();
    // A checkpoint that the handler did not wait for belongs to the operation as well: after its end it is too late.
    if (this.#checkpoints && this.#checkpoints.size > 0) await Promise.allSettled(this.#checkpoints);
    try {
      await this.#reportEnd(end, abort);
    } catch (error) {
      const operation = this.#options.attempt.name;
      this.#options.logger.error({ err: error, operation }, "the end of an attempt was not reported");
    }
  }

  /** Sends what nobody waits for. */
  async #tell(report: WorkerReport): Promise<void> {
    try {
      await this.#send(report);
    } catch (error) {
      const { logger, attempt } = this.#options;
      logger.warn({ err: error, operation: attempt.name, report: report.type }, "report refused");
    }
  }

  /** Sends a report of running work; an answer that says "not yours any more" stops the work. */
  async #send(report: WorkerReport): Promise<ReportOutcome | null> {
    const outcome = await this.#options.sender.send(report);
    // ALREADY_DONE after a cancel: it ended unconfirmed, and how this work ends is still worth knowing.
    const isLost =
      outcome === "LEASE_LOST" || (outcome === "ALREADY_DONE" && !this.#options.work.isCancelled);
    if (isLost) this.#options.work.lost();
    return outcome;
  }

  async #reportEnd(end: RunEnd, abort: AttemptAbort): Promise<void> {
    const { attempt, sender } = this.#options;
    const steps = this.#takeSteps();
    const told = endReport(end, abort, attempt);
    const report = steps.length === 0 ? told : { ...told, steps };
    const triesMax = abort.isRevoked ? REVOKED_TRIES_MAX : undefined;
    let outcome: ReportOutcome | null;
    try {
      outcome = await sender.send(report, triesMax);
    } catch (error) {
      outcome = await this.#sendRefused(report, error);
    }
    if (outcome === "accepted") return;
    const { evidence, mechanism } = end;
    const stopped: WorkerReport = { type: "stopped", attempt, evidence, mechanism };
    if (outcome === "ALREADY_DONE" && abort.isCancelled && report.type !== "stopped") {
      await sender.send(stopped); // the cancel ended unconfirmed: this is its late evidence
    }
    if (report.type !== "release") return;
    if (outcome === "CANCEL_PENDING") await sender.send(stopped);
    if (outcome !== "NOT_RETRYABLE") return;
    const why = abort.abortedBy === "lease-lost" ? "lost its connection to the server" : "shut down";
    const message = `the worker ${why}, and the operation may not run again`;
    const error = { code: StatusCode.ABORTED, message };
    const failure = { type: "fail", attempt, error, retryable: false, abortCaused: false } as const;
    await sender.send({ ...failure, evidence, mechanism });
  }

  /** The response cannot be stored: the operation fails, rather than stay open for ever. */
  #sendRefused(report: WorkerReport, error: unknown): Promise<ReportOutcome | null> {
    if (!(error instanceof ReportRefused) || report.type !== "complete") throw error;
    const failure = { code: StatusCode.INTERNAL, message: `the response was refused: ${error.message}` };
    const { attempt, steps = [] } = report;
    const rest = {
      retryable: false,
      abortCaused: false,
      evidence: "HANDLER_STOPPED",
      mechanism: "NONE",
      steps,
    } as const;
    return this.#options.sender.send({ type: "fail", attempt, error: failure, ...rest });
  }
}
