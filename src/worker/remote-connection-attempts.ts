// The attempts that this worker has in hand, as the connection sees them: reserved ones become the worker's only when the
// server has acknowledged that they begin. What comes for one before that waits with it.

import { RpcError } from "../base/rpc-error.ts";
import { StatusCode } from "../base/status-code.ts";
import { delay } from "../base/timers.ts";
import type {
  Assignment,
  AttemptKey,
  CancelNotice,
  ReportOutcome,
  RevokeNotice,
  WorkerListener,
  WorkerReport,
} from "../protocol/worker-connection.ts";
import { attemptText } from "../protocol/worker-connection.ts";
import type { RemoteReports } from "./remote-connection-reports.ts";

const RETRY_MIN_MS = 50;
const RETRY_MAX_MS = 5_000;

interface InHand {
  assignment: Assignment;
  /** The worker knows of it. */
  isRunning: boolean;
  /** What came before it ran: the newest cancel is the strictest. */
  cancel: CancelNotice | null;
  isRevoked: boolean;
}

export interface RemoteAttemptsParts {
  reports: RemoteReports;
  listener: WorkerListener;
  /** The work of an assignment that never reached the worker occupies its slot no more. */
  slotFreed(): void;
  /** The server could not say, or refused, what was reported of an attempt; for the log. */
  failed(assignment: Assignment, error: unknown): void;
}

export class RemoteAttempts {
  readonly #parts: RemoteAttemptsParts;
  readonly #inHand = new Map<string, InHand>();
  #isClosed = false;

  constructor(parts: RemoteAttemptsParts) {
    this.#parts = parts;
  }

  get keys(): AttemptKey[] {
    return [...this.#inHand.values()].map(({ assignment: { service, tenant, name, leaseToken } }) => {
      return { service, tenant, name, leaseToken };
    });
  }

  /** The same assignment may come again. */
  has(attempt: AttemptKey): boolean {
    return this.#inHand.has(attemptText(attempt));
  }

  /** Says that the work is about to begin, and lets it begin when that is durable. */
  async assigned(assignment: Assignment): Promise<void> {
    const text = attemptText(assignment);
    const attempt: InHand = { assignment, isRunning: false, cancel: null, isRevoked: false };
    this.#inHand.set(text, attempt);
    const { listener } = this.#parts;
    const outcome = await this.#begin(assignment);
    if (this.#isClosed) return;
    if (outcome !== "accepted") {
      this.#inHand.delete(text);
      this.#parts.slotFreed();
      return;
    }
    if (attempt.isRevoked) {
      await this.#neverRan(assignment);
      return;
    }
    attempt.isRunning = true;
    listener.assigned(assignment);
    if (attempt.cancel) listener.cancelRequested(attempt.cancel);
  }

  cancelRequested(notice: CancelNotice): void {
    const attempt = this.#inHand.get(attemptText(notice));
    if (!attempt) return;
    if (attempt.isRunning) this.#parts.listener.cancelRequested(notice);
    else attempt.cancel = notice;
  }

  revoked(notice: Omit<RevokeNotice, "killMs"> & { killMs?: number }): void {
    const attempt = this.#inHand.get(attemptText(notice));
    if (!attempt) return;
    attempt.isRevoked = true;
    const { killMs } = attempt.assignment;
    if (attempt.isRunning) this.#parts.listener.revoked({ killMs, ...notice });
  }

  /** Follows the answer to a report of the worker. */
  reported(report: WorkerReport, outcome: ReportOutcome): void {
    const isOver = outcome === "accepted" ? endReports.has(report.type) : overOutcomes.has(outcome);
    if (isOver) this.#inHand.delete(attemptText(report.attempt));
  }

  close(): void {
    this.#isClosed = true;
    this.#inHand.clear();
  }

  /** Asked until it is answered: reserved work that nobody begins or returns would wait for as long as the session lives. */
  async #begin(attempt: Assignment): Promise<ReportOutcome> {
    for (let tries = 0; !this.#isClosed; tries++) {
      try {
        return await this.#parts.reports.report({ type: "started", attempt });
      } catch (error) {
        this.#parts.failed(attempt, error);
        if (!(error instanceof RpcError) || error.code !== StatusCode.UNAVAILABLE) break;
        await delay(Math.min(RETRY_MAX_MS, RETRY_MIN_MS * 2 ** Math.min(tries, 10)));
      }
    }
    return "LEASE_LOST";
  }

  /** It began, and was taken away before the worker heard of it: nothing runs, and the server may know that. */
  async #neverRan(attempt: Assignment): Promise<void> {
    const report = { type: "stopped", attempt, evidence: "HANDLER_STOPPED", mechanism: "NONE" } as const;
    await this.#parts.reports.report(report).catch((error: unknown) => this.#parts.failed(attempt, error));
    if (this.#inHand.delete(attemptText(attempt))) this.#parts.slotFreed();
  }
}

const endReports: ReadonlySet<WorkerReport["type"]> = new Set<WorkerReport["type"]>([
  "complete",
  "fail",
  "stopped",
  "release",
]);

const overOutcomes: ReadonlySet<ReportOutcome> = new Set<ReportOutcome>(["LEASE_LOST", "ALREADY_DONE"]);
