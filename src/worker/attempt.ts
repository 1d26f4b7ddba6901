// One attempt at an operation on this worker: starts its run, passes on aborts, climbs the ladder when they are
// ignored, and reports what happened. It does not know how the work is run (runner.ts).
import { type AbortCause, OperationAborted } from "../base/abort-reasons.ts";
import { monotonicMs } from "../base/clock.ts";
import type { Logger } from "../base/logger.ts";
import { StatusCode } from "../base/status-code.ts";
import type {
  Assignment,
  AttemptKey,
  CancelNotice,
  JsonObject,
  ReportOutcome,
  RevokeNotice,
  WorkerReport,
} from "../protocol/worker-connection.ts";
import { endReport } from "./attempt-end.ts";
import { failureOf } from "./handler-failure.ts";
import { ProgressMerger } from "./progress-merger.ts";
import { ReportRefused, type ReportSender } from "./report-sender.ts";
import type { Run, RunEnd, StartRun } from "./runner.ts";
import { StopLadder } from "./stop-ladder.ts";

/** The report of a revoked attempt is for the receipt only. */
const REVOKED_TRIES_MAX = 3;

export interface AttemptOptions {
  assignment: Assignment;
  startRun: StartRun;
  sender: ReportSender;
  logger: Logger;
  /** The work goes on past the time by which it should have stopped. */
  onStuck(attempt: Attempt): void;
}

/** An attempt under way. */
export class Attempt {
  /** Resolves when the work has stopped and its end is reported; never rejects. */
  readonly ended: Promise<void>;
  readonly assignment: Assignment;
  readonly #key: AttemptKey;
  readonly #sender: ReportSender;
  readonly #logger: Logger;
  readonly #ladder: StopLadder;
  readonly #progress: ProgressMerger;
  readonly #checkpoints = new Set<Promise<unknown>>();
  readonly #run: Run;
  #abortedBy: AbortCause | null = null;
  #abortedAtMs = 0;
  #isCancelled = false;
  #isRevoked = false;
  #isAcknowledged = false;
  #hasEnded = false;

  constructor(options: AttemptOptions) {
    const { assignment, sender, logger } = options;
    const { service, tenant, name, leaseToken } = assignment;
    this.assignment = assignment;
    this.#key = { service, tenant, name, leaseToken };
    this.#sender = sender;
    this.#logger = logger;
    this.#ladder = new StopLadder({ escalate: () => this.#escalate(), stuck: () => options.onStuck(this) });
    this.#progress = new ProgressMerger((value) =>
      this.#tell({ type: "progress", attempt: this.#key, ...value }),
    );
    this.#run = this.#start(options.startRun);
    this.ended = this.#finish();
  }

  /**
   * A committed cancel or deadline. The first aborts the work; one that is repeated, or comes later, can only shorten
   * the grace (G4).
   */
  cancelRequested(notice: CancelNotice): void {
    if (this.#hasEnded || this.#isRevoked) return;
    if (!this.#isCancelled) {
      this.#isCancelled = true;
      this.#tellPhase("DELIVERED", "");
      if (this.#isAcknowledged) this.#tellPhase("ACKNOWLEDGED", "");
      const { cause, reason, requestedBy, graceMs } = notice;
      this.#abort({ cause, reason, requestedBy, graceMs });
    }
    this.#ladder.climb(notice.graceMs, notice.deadlineMs);
  }

  /** The attempt is not ours any more: its work is stopped, and nothing of it counts but that it stopped. */
  revoked({ reason, killMs }: Pick<RevokeNotice, "reason" | "killMs">): void {
    if (this.#hasEnded || this.#isRevoked) return;
    this.#isRevoked = true;
    const text = reason === "timeout" ? "the attempt's time is over" : "";
    this.#abort({ cause: "lease-lost", reason: text, graceMs: killMs });
    this.#ladder.climb(killMs, 2 * killMs);
  }

  /** The worker stops. The work has `graceMs` before it is stopped by force. */
  shutDown(graceMs: number): void {
    if (this.#hasEnded) return;
    this.#abort({ cause: "shutdown", graceMs });
    this.#ladder.climb(graceMs, graceMs + this.assignment.killMs);
  }

  #start(startRun: StartRun): Run {
    try {
      return startRun(this.assignment, {
        progress: (percent, message) => {
          if (this.#isOpen()) this.#progress.push({ percent, message });
        },
        checkpoint: (state) => this.#checkpoint(state),
        log: (message, fields) => this.#log(message, fields),
        acknowledged: () => {
          if (this.#isAcknowledged) return;
          this.#isAcknowledged = true;
          this.#tellPhase("ACKNOWLEDGED", "");
        },
      });
    } catch (error) {
      // Nothing was started. The settled promise is all the evidence that is needed.
      const end: RunEnd = {
        type: "threw",
        ...failureOf(error, undefined),
        evidence: "HANDLER_STOPPED",
        mechanism: "NONE",
      };
      return { ended: Promise.resolve(end), abort: () => {}, escalate: () => "" };
    }
  }

  #isOpen(): boolean {
    return !this.#hasEnded && !this.#isRevoked;
  }

  #abort(abort: { cause: AbortCause; reason?: string; requestedBy?: string; graceMs: number }): void {
    if (this.#abortedBy !== null) return;
    this.#abortedBy = abort.cause;
    this.#abortedAtMs = monotonicMs();
    this.#run.abort(new OperationAborted(abort));
  }

  #escalate(): void {
    const ignoredS = ((monotonicMs() - this.#abortedAtMs) / 1000).toFixed(1);
    const { name, type, attempt } = this.assignment;
    const detail = this.#run.escalate();
    this.#logger.warn(
      { operation: name, type, attempt, detail },
      `handler ignoring the signal for ${ignoredS} s`,
    );
    this.#tellPhase("ESCALATED", `ignoring the signal for ${ignoredS} s: ${detail}`);
  }

  async #checkpoint(checkpoint: JsonObject): Promise<void> {
    if (!this.#isOpen()) throw new Error("the attempt is over: its checkpoint was not stored");
    const sent = this.#send({ type: "checkpoint", attempt: this.#key, checkpoint });
    this.#checkpoints.add(sent);
    try {
      const outcome = await sent;
      if (outcome !== "accepted")
        throw new Error(`the checkpoint was not stored: ${outcome ?? "the worker closes"}`);
    } finally {
      this.#checkpoints.delete(sent);
    }
  }

  #log(message: string, fields: JsonObject | undefined): void {
    const { name, type, attempt } = this.assignment;
    this.#logger.info({ ...fields, operation: name, type, attempt }, message);
  }

  /** Phases are those of a cancel; another abort has none. */
  #tellPhase(phase: "DELIVERED" | "ACKNOWLEDGED" | "ESCALATED", detail: string): void {
    if (!this.#isCancelled || !this.#isOpen()) return;
    void this.#tell({ type: "cancelPhase", attempt: this.#key, phase, detail });
  }

  /** Sends what nobody waits for. */
  async #tell(report: WorkerReport): Promise<void> {
    try {
      await this.#send(report);
    } catch (error) {
      this.#logger.warn(
        { err: error, operation: this.assignment.name, report: report.type },
        "report refused",
      );
    }
  }

  /** Sends a report of running work; an answer that says "not yours any more" stops the work. */
  async #send(report: WorkerReport): Promise<ReportOutcome | null> {
    const outcome = await this.#sender.send(report);
    // ALREADY_DONE after a cancel: it ended unconfirmed, and how this work ends is still worth knowing.
    const isLost = outcome === "LEASE_LOST" || (outcome === "ALREADY_DONE" && !this.#isCancelled);
    if (isLost) this.revoked({ reason: "lease-lost", killMs: this.assignment.killMs });
    return outcome;
  }

  async #finish(): Promise<void> {
    const end = await this.#run.ended;
    this.#hasEnded = true;
    this.#ladder.cancel();
    if (!this.#isRevoked) this.#progress.flush();
    // A checkpoint that the handler did not wait for belongs to the operation as well: after its end it is too late.
    if (this.#checkpoints.size > 0) await Promise.allSettled(this.#checkpoints);
    try {
      await this.#reportEnd(end);
    } catch (error) {
      this.#logger.error(
        { err: error, operation: this.assignment.name },
        "the end of an attempt was not reported",
      );
    }
  }

  async #reportEnd(end: RunEnd): Promise<void> {
    const abort = { abortedBy: this.#abortedBy, isCancelled: this.#isCancelled, isRevoked: this.#isRevoked };
    const { evidence, mechanism } = end;
    const attempt = this.#key;
    const stopped: WorkerReport = { type: "stopped", attempt, evidence, mechanism };
    const report = endReport(end, abort, attempt);
    const outcome = await this.#sendEnd(report);
    if (outcome === "ALREADY_DONE" && this.#isCancelled && report.type !== "stopped") {
      await this.#sender.send(stopped); // the cancel ended unconfirmed: this is its late evidence
    }
    if (report.type !== "release") return;
    if (outcome === "CANCEL_PENDING") await this.#sender.send(stopped);
    if (outcome !== "NOT_RETRYABLE") return;
    const error = {
      code: StatusCode.ABORTED,
      message: "the worker shut down, and the operation may not run again",
    };
    await this.#sender.send({
      type: "fail",
      attempt,
      error,
      retryable: false,
      abortCaused: false,
      evidence,
      mechanism,
    });
  }

  async #sendEnd(report: WorkerReport): Promise<ReportOutcome | null> {
    try {
      return await this.#sender.send(report, this.#isRevoked ? REVOKED_TRIES_MAX : undefined);
    } catch (error) {
      if (!(error instanceof ReportRefused) || report.type !== "complete") throw error;
      // The response cannot be stored: the operation fails, rather than stay open for ever.
      const failure = { code: StatusCode.INTERNAL, message: `the response was refused: ${error.message}` };
      const { attempt } = report;
      const reason = {
        retryable: false,
        abortCaused: false,
        evidence: "HANDLER_STOPPED",
        mechanism: "NONE",
      } as const;
      return this.#sender.send({ type: "fail", attempt, error: failure, ...reason });
    }
  }
}
