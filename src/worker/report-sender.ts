// Sends reports until the server says what became of them. Reports are idempotent, so a lost answer is asked again.
import type { Logger } from "../base/logger.ts";
import { RpcError } from "../base/rpc-error.ts";
import { StatusCode } from "../base/status-code.ts";
import { delay } from "../base/timers.ts";
import type { ReportOutcome, WorkerReport, WorkerSession } from "../protocol/worker-connection.ts";

const BACKOFF_MIN_MS = 50;
/**
 * Below the time that servers give reports after their database was away, before they settle deadlines that passed meanwhile
 * (timer-keeper.ts, 2.5 s): stopped work that is told of later has ended STOP_UNCONFIRMED.
 */
const BACKOFF_MAX_MS = 1_000;

/** The server does not take the report's content; the same report would be refused again. */
export class ReportRefused extends Error {
  override name = "ReportRefused";
}

/** The reports of one session. */
export class ReportSender {
  readonly #session: WorkerSession;
  readonly #closing: AbortSignal;
  readonly #logger: Logger;

  constructor(options: { session: WorkerSession; closing: AbortSignal; logger: Logger }) {
    this.#session = options.session;
    this.#closing = options.closing;
    this.#logger = options.logger;
  }

  /**
   * Resolves with the server's answer; with null once the worker closes, or after `triesMax` tries. The first try is
   * made before this returns, so reports leave in the order of the calls. Throws ReportRefused.
   */
  async send(
    report: WorkerReport,
    triesMax: number = Number.POSITIVE_INFINITY,
  ): Promise<ReportOutcome | null> {
    for (let tries = 1; ; tries++) {
      try {
        return await this.#session.report(report);
      } catch (error) {
        if (isRefusal(error)) throw new ReportRefused(error.message, { cause: error });
        this.#logger.warn(
          { err: error, operation: report.attempt.name, report: report.type, tries },
          "report failed",
        );
      }
      if (tries >= triesMax || !(await this.#pause(tries))) return null;
    }
  }

  /** False if the worker closes. */
  async #pause(tries: number): Promise<boolean> {
    try {
      await delay(Math.min(BACKOFF_MAX_MS, BACKOFF_MIN_MS * 2 ** Math.min(tries - 1, 10)), this.#closing);
      return true;
    } catch {
      return false;
    }
  }
}

function isRefusal(error: unknown): error is RpcError {
  return error instanceof RpcError && error.code === StatusCode.INVALID_ARGUMENT;
}
