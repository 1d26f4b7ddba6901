// One session of a worker: the attempts that run in it, their slots, and the guard of its lease. What a type's work is, and
// whether there is a next session, is the worker's matter (worker.ts).

import type { Logger } from "../base/logger.ts";
import type { Assignment, WorkerListener, WorkerSession } from "../protocol/worker-connection.ts";
import { attemptText } from "../protocol/worker-connection.ts";
import { Attempt } from "./attempt.ts";
import { LeaseGuard } from "./lease/lease-guard.ts";
import type { Watchdog } from "./lease/watchdog.ts";
import { ReportSender } from "./report-sender.ts";
import type { Run, RunEnd, StartRun } from "./runner.ts";
import { settlesWithin } from "./settles-within.ts";

export interface WorkSessionOptions {
  startRun: StartRun;
  logger: Logger;
  /** Counts what runs, and ends the process if it outlives the lease; absent where none is needed or wanted. */
  watchdog: Watchdog | undefined;
  /** Told how long the lease lasts: nanoseconds of the machine's monotonic clock. */
  leaseUntil(endNs: bigint): void;
  /** The longest kill time of what it may run. */
  killMs: number;
  drainRequested(): void;
  /** The session is over, and so is everything that ran in it. */
  lost(why: string): void;
}

/** The work of one session. */
export class WorkSession {
  readonly #options: WorkSessionOptions;
  readonly #attempts = new Map<string, Attempt>();
  readonly #stuck = new Set<Attempt>();
  readonly #closing = new AbortController();
  #slotsWithheld = 0;
  #isShuttingDown = false;
  #isLost = false;
  #open: { session: WorkerSession; sender: ReportSender; guard: LeaseGuard } | undefined;
  /** What the listener heard before the session was there. */
  #early: (() => void)[] = [];

  constructor(options: WorkSessionOptions) {
    this.#options = options;
  }

  /** The names of the operations whose work has not stopped. */
  get running(): string[] {
    return [...this.#attempts.values()].map((attempt) => attempt.assignment.name);
  }

  /** `connection.open` may call before it resolves; without a session there is nobody to report to. */
  listener(): WorkerListener {
    const whenOpen = (heard: () => void): void => {
      if (this.#open) heard();
      else this.#early.push(heard);
    };
    return {
      assigned: (assignment) => whenOpen(() => this.#assigned(assignment)),
      cancelRequested: (notice) =>
        whenOpen(() => this.#attempts.get(attemptText(notice))?.cancelRequested(notice)),
      revoked: (notice) => whenOpen(() => this.#attempts.get(attemptText(notice))?.revoked(notice)),
      leaseRenewed: () => this.#open?.guard.renewed(),
      drainRequested: () => whenOpen(() => this.#options.drainRequested()),
      sessionLost: (why) => whenOpen(() => this.#lost(why)),
    };
  }

  opened(session: WorkerSession): void {
    const { logger, leaseUntil, killMs } = this.#options;
    const sender = new ReportSender({ session, closing: this.#closing.signal, logger });
    const work = (): Iterable<Attempt> => this.#attempts.values();
    this.#open = { session, sender, guard: new LeaseGuard({ session, work, leaseUntil, killMs, logger }) };
    const early = this.#early;
    this.#early = [];
    for (const heard of early) heard();
  }

  /** No new work. */
  drain(): void {
    this.#open?.session.drain();
  }

  /** Stops all work: what is at it has its kill time, or with `atOnce` nothing. Answers how long that may take. */
  shutDown(options: { atOnce: boolean }): number {
    this.#isShuttingDown = true;
    let longestMs = 0;
    for (const attempt of this.#attempts.values()) {
      const { killMs, criticalMs, cleanupMs } = attempt.assignment;
      longestMs = Math.max(longestMs, criticalMs + cleanupMs + 2 * killMs);
      attempt.shutDown(options.atOnce ? 0 : killMs);
    }
    return longestMs;
  }

  /** True once no attempt is left; some may still come while the server learns that no more are wanted. */
  async allEnded(timeoutMs: number): Promise<boolean> {
    return await settlesWithin(this.untilAllEnded(), timeoutMs);
  }

  /** Resolves when nothing that this session began runs any more, and all of it is reported. */
  async untilAllEnded(): Promise<void> {
    while (this.#attempts.size > 0) await Promise.all([...this.#attempts.values()].map(({ ended }) => ended));
  }

  /** Reports that the server cannot take now are given up. */
  stopReporting(): void {
    this.#closing.abort();
  }

  async close(): Promise<void> {
    this.#open?.guard.stop();
    if (!this.#isLost) await this.#open?.session.close();
  }

  #assigned(assignment: Assignment): void {
    const text = attemptText(assignment);
    const open = this.#open;
    if (!open || this.#isLost || this.#attempts.has(text)) return;
    const { logger } = this.#options;
    // After its lease an assignment is not this worker's to begin, whatever the server knew when it sent it: the watchdog
    // would end the process. It goes back, if the lease turns out to be renewed.
    const hasLease = open.guard.leftMs > 0;
    const watchdog = hasLease ? this.#options.watchdog : undefined;
    watchdog?.began();
    const attempt = new Attempt({
      ...{ assignment, logger },
      startRun: hasLease ? this.#options.startRun : neverBegun,
      session: open.session,
      sender: open.sender,
      onStuck: (stuck) => this.#gotStuck(stuck),
      onGone: () => watchdog?.stopped(),
    });
    this.#attempts.set(text, attempt);
    if (open.guard.isEnding || !hasLease) attempt.leaseEnds(open.guard.leftMs);
    if (this.#isShuttingDown) attempt.shutDown(0);
    void attempt.ended.then(() => {
      this.#attempts.delete(text);
      this.#stuck.delete(attempt);
      this.#slotsWithheld++;
      this.#giveSlots();
    });
  }

  #lost(why: string): void {
    if (this.#isLost || !this.#open) return;
    this.#isLost = true;
    const { guard } = this.#open;
    guard.renewed();
    for (const attempt of this.#attempts.values()) {
      const killMs = Math.min(attempt.assignment.killMs, guard.leftMs / 2);
      attempt.revoked({ reason: "lease-lost", killMs });
    }
    // Nobody would answer a report of this session.
    this.#closing.abort();
    this.#options.lost(why);
  }

  #gotStuck(attempt: Attempt): void {
    const { name, type } = attempt.assignment;
    this.#stuck.add(attempt);
    this.#options.logger.error(
      { operation: name, type },
      "the work cannot be stopped; no new work until it is gone",
    );
  }

  #giveSlots(): void {
    if (this.#stuck.size > 0 || this.#isLost) return;
    for (; this.#slotsWithheld > 0; this.#slotsWithheld--) this.#open?.session.slotFreed();
  }
}

/** Work that did not begin. */
function neverBegun(): Run {
  const end: RunEnd = { type: "stopped", evidence: "HANDLER_STOPPED", mechanism: "NONE" };
  return { ended: Promise.resolve(end), abort: () => {}, cut: () => {}, escalate: () => "" };
}
