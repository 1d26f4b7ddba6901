// One attempt at an operation on this worker: starts its run, passes on aborts, and climbs the ladder when they are
// ignored. It does not know how the work is run (runner.ts), nor how the server is told (attempt-reports.ts).
import { type AbortCause, OperationAborted } from "../base/abort-reasons.ts";
import { monotonicMs } from "../base/clock.ts";
import type { Logger } from "../base/logger.ts";
import type {
  Assignment,
  AttemptKey,
  CancelNotice,
  ChildState,
  JsonObject,
  RevokeNotice,
  WorkerSession,
} from "../protocol/worker-connection.ts";
import { AttemptChildren } from "./attempt-children.ts";
import { AttemptReports, type ReportedWork } from "./attempt-reports.ts";
import { failureOf } from "./handler-failure.ts";
import type { ReportSender } from "./report-sender.ts";
import type { ChildOrder, Run, RunEnd, RunListener, StartRun } from "./runner.ts";
import { StopLadder, type StopTimes } from "./stop-ladder.ts";

/** The clean-up keeps its own time; this much later it is stopped by force. */
const CLEANUP_SLACK_MS = 50;

/** Nobody sees it; without one, each end of an attempt would make an error with a stack. */
const OVER = "the attempt is over";

export interface AttemptOptions {
  assignment: Assignment;
  startRun: StartRun;
  session: Pick<WorkerSession, "startChild" | "waitChild">;
  sender: ReportSender;
  logger: Logger;
  /** The work goes on past the time by which it should have stopped. */
  onStuck(attempt: Attempt): void;
  /** Nothing of the work runs any more; comes before that is reported. */
  onGone(): void;
}

interface Abort {
  cause: AbortCause;
  reason?: string;
  requestedBy?: string;
  graceMs: number;
  force?: boolean;
}

/**
 * An attempt under way. What few attempts need (the ladder of a stop, children) is made when it is needed: thousands begin in a
 * second, and what each leaves behind is copied by the garbage collector for as long as it runs.
 */
export class Attempt implements RunListener, ReportedWork {
  /** Resolves when the work has stopped and its end is reported; never rejects. */
  readonly ended: Promise<void>;
  readonly assignment: Assignment;
  readonly #options: AttemptOptions;
  readonly #reports: AttemptReports;
  readonly #run: Run;
  #stop: StopLadder | undefined;
  #family: { children: AttemptChildren; over: AbortController } | undefined;
  #abortedBy: AbortCause | null = null;
  #abortedAtMs = 0;
  /** The critical section that holds the abort back. */
  #section: string | null = null;
  #isCut = false;
  #isCancelled = false;
  #isForced = false;
  #isRevoked = false;
  #isAcknowledged = false;
  #isCleaning = false;
  #hasEnded = false;

  constructor(options: AttemptOptions) {
    const { assignment, sender, logger } = options;
    this.assignment = assignment;
    this.#options = options;
    this.#reports = new AttemptReports({ attempt: this.#key(), sender, logger, work: this });
    this.#run = this.#start(options.startRun);
    this.ended = this.#end();
  }

  get isOpen(): boolean {
    return !this.#hasEnded && !this.#isRevoked;
  }

  get isCancelled(): boolean {
    return this.#isCancelled;
  }

  /** The server says that the attempt is this worker's no more. */
  lost(): void {
    this.revoked({ reason: "lease-lost", killMs: this.assignment.killMs });
  }

  /**
   * A committed cancel, deadline or end of the parent. The first aborts the work; one that is repeated, or comes later,
   * can only shorten the grace, or force (G4).
   */
  cancelRequested(notice: CancelNotice): void {
    if (this.#hasEnded || this.#isRevoked) return;
    const { cause, reason, requestedBy, force } = notice;
    const graceMs = force ? 0 : notice.graceMs;
    const { cleanupMs, killMs, criticalMs } = this.assignment;
    const lastMs = Math.max(0, notice.deadlineMs - killMs);
    const times = { criticalMs, cleanupMs, graceMs, forceMs: force ? 0 : lastMs, stuckMs: notice.deadlineMs };
    const isFirst = !this.#isCancelled;
    this.#isCancelled = true;
    this.#isForced ||= force;
    if (isFirst) {
      this.#reports.phase("DELIVERED");
      if (this.#isAcknowledged) this.#reports.phase("ACKNOWLEDGED");
      else if (this.#section !== null) this.#reports.phase("DEFERRED", this.#section);
      this.#abort({ cause, reason, requestedBy, graceMs, force }, times);
    } else this.#ladder().climb(times);
    if (force) this.#cut("by force");
  }

  /** The attempt is not ours any more: its work is stopped, and nothing of it counts but that it stopped. */
  revoked({ reason, killMs }: Pick<RevokeNotice, "reason" | "killMs">): void {
    if (this.#hasEnded || this.#isRevoked) return;
    this.#isRevoked = true;
    const text = reason === "timeout" ? "the attempt's time is over" : "";
    this.#abortAtOnce({ cause: "lease-lost", reason: text, graceMs: killMs }, 2 * killMs);
  }

  /**
   * The lease passes in `windowMs`, and nothing says that it will be renewed: until then the work must be gone. Half of
   * the time is the handler's, the other half is for force.
   */
  leaseEnds(windowMs: number): void {
    if (this.#hasEnded) return;
    this.#abortAtOnce({ cause: "lease-lost", graceMs: windowMs / 2 }, windowMs);
  }

  /** The worker stops. The work has `graceMs` after its critical sections; with 0 it is stopped at once. */
  shutDown(graceMs: number): void {
    if (this.#hasEnded) return;
    const { killMs, criticalMs, cleanupMs } = this.assignment;
    if (graceMs === 0) {
      this.#abortAtOnce({ cause: "shutdown", graceMs }, killMs);
      return;
    }
    const forceMs = criticalMs + graceMs + cleanupMs;
    const times = { criticalMs, graceMs, cleanupMs, forceMs, stuckMs: forceMs + killMs };
    this.#abort({ cause: "shutdown", graceMs }, times);
  }

  /** Neither a critical section nor a clean-up may last longer than the grace. */
  #abortAtOnce(abort: Abort, stuckMs: number): void {
    const { graceMs } = abort;
    this.#abort(abort, { criticalMs: 0, graceMs, cleanupMs: graceMs, forceMs: graceMs, stuckMs });
    this.#run.cut();
    if (abort.cause === "lease-lost") this.#reports.forsake();
  }

  /** The first cause counts; while a section holds the abort back, the newest. */
  #abort(abort: Abort, times: StopTimes): void {
    this.#ladder().climb(times);
    if (this.#abortedBy !== null && this.#section === null) return;
    if (this.#abortedBy === null) this.#abortedAtMs = monotonicMs();
    this.#abortedBy = abort.cause;
    this.#run.abort(new OperationAborted(abort));
  }

  #cut(why: string): void {
    if (this.#section !== null && !this.#isCut) {
      this.#isCut = true;
      this.#reports.phase("CUT", `${this.#section}: cut ${why}`);
    }
    this.#run.cut();
  }

  #start(startRun: StartRun): Run {
    try {
      return startRun(this.assignment, this);
    } catch (error) {
      // Nothing was started. The settled promise is all the evidence that is needed.
      const failure = failureOf(error, undefined);
      const end: RunEnd = { type: "threw", ...failure, evidence: "HANDLER_STOPPED", mechanism: "NONE" };
      return { ended: Promise.resolve(end), abort: () => {}, cut: () => {}, escalate: () => "" };
    }
  }

  progress(percent: number, message: string): void {
    this.#reports.progress(percent, message);
  }

  checkpoint(state: JsonObject): Promise<void> {
    return this.#reports.checkpoint(state);
  }

  log(message: string, fields: JsonObject | undefined): void {
    const { name, type, attempt } = this.assignment;
    this.#options.logger.info({ ...fields, operation: name, type, attempt }, message);
  }

  startChild(order: ChildOrder): Promise<ChildState> {
    return this.#children().start(order);
  }

  waitChild(child: { service: string | undefined; name: string }): Promise<ChildState> {
    return this.#children().wait(child);
  }

  acknowledged(): void {
    if (this.#isAcknowledged) return;
    this.#isAcknowledged = true;
    this.#section = null;
    this.#stop?.begun();
    this.#reports.phase("ACKNOWLEDGED");
  }

  deferred(section: string): void {
    if (this.#isAcknowledged || this.#section !== null) return;
    this.#section = section;
    this.#stop?.held();
    this.#reports.phase("DEFERRED", section);
  }

  cleaning(): void {
    this.#isCleaning = true;
    this.#ladder().cleaning(this.assignment.cleanupMs + CLEANUP_SLACK_MS);
  }

  #ladder(): StopLadder {
    this.#stop ??= new StopLadder({
      cut: () => this.#cut(`after ${this.assignment.criticalMs} ms`),
      escalate: () => this.#escalate(),
      stuck: () => this.#options.onStuck(this),
    });
    return this.#stop;
  }

  #children(): AttemptChildren {
    if (this.#family === undefined) {
      const over = new AbortController();
      if (this.#hasEnded) over.abort(OVER);
      const children = new AttemptChildren(this.#key(), this.#options.session, over.signal);
      this.#family = { children, over };
    }
    return this.#family.children;
  }

  #key(): AttemptKey {
    const { service, tenant, name, leaseToken } = this.assignment;
    return { service, tenant, name, leaseToken };
  }

  #escalate(): void {
    const { name, type, attempt } = this.assignment;
    const detail = this.#run.escalate();
    const what = this.#escalatedWhat();
    this.#options.logger.warn({ operation: name, type, attempt, detail }, `handler ${what}`);
    this.#reports.phase("ESCALATED", `${what}: ${detail}`);
  }

  #escalatedWhat(): string {
    const ignoredS = ((monotonicMs() - this.#abortedAtMs) / 1000).toFixed(1);
    if (this.#isCleaning) return "still cleaning up when its time was over";
    return this.#isForced ? "stopped by force" : `ignoring the signal for ${ignoredS} s`;
  }

  async #end(): Promise<void> {
    const end = await this.#run.ended;
    this.#hasEnded = true;
    this.#stop?.cancel();
    this.#family?.over.abort(OVER);
    this.#options.onGone();
    const { name, type, attempt } = this.assignment;
    for (const problem of (end.type === "threw" && end.cleanupProblems) || [])
      this.#options.logger.warn({ operation: name, type, attempt }, problem);
    const abort = { abortedBy: this.#abortedBy, isCancelled: this.#isCancelled, isRevoked: this.#isRevoked };
    await this.#reports.end(end, abort);
  }
}
