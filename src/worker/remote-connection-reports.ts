// Reports on their way to the server: numbered, in order, sent again on each new stream until they are answered.
import { create } from "@bufbuild/protobuf";
import { monotonicMs } from "../base/clock.ts";
import { RpcError } from "../base/rpc-error.ts";
import { emptyPayload } from "../protocol/empty.ts";
import {
  type Ack,
  Ack_Outcome,
  type Report,
  type Report_CancelPhase,
  Report_CancelPhaseSchema,
  ReportSchema,
} from "../protocol/gen/belay/v1/workers_pb.ts";
import { StatusSchema } from "../protocol/gen/google/rpc/status_pb.ts";
import { jsonPayload } from "../protocol/json-payload.ts";
import { statusError } from "../protocol/status-error.ts";
import type { AttemptKey, ReportOutcome, WorkerReport } from "../protocol/worker-connection.ts";
import {
  fromWireOutcome,
  toAny,
  toDuration,
  toWireAttempt,
  toWireEvidence,
  toWireMechanism,
  toWirePhase,
} from "../protocol/worker-messages.ts";

/** Unanswered at once: with so many on their way a heartbeat is not held up behind the rest. */
const WINDOW = 512;

/** What the connection itself reports, beside what the worker does. */
export type ConnectionReport = { type: "started" | "returned"; attempt: AttemptKey };

interface Pending {
  message: Report;
  /** The steps that the message tells of, and when they were: how long ago that is, is said when it is sent. */
  steps: readonly { told: Report_CancelPhase; atMs: number }[];
  isSent: boolean;
  resolve(outcome: ReportOutcome): void;
  reject(error: unknown): void;
}

export class RemoteReports {
  readonly #send: (report: Report) => boolean;
  readonly #pending = new Map<bigint, Pending>();
  /** Those that wait for the window, in order. */
  #waiting: Pending[] = [];
  #inFlight = 0;
  #nextId = 1n;
  #isOver = false;

  /** `send` answers false while there is no stream. */
  constructor(send: (report: Report) => boolean) {
    this.#send = send;
  }

  /**
   * Resolves when the report is durable, or is none of this worker's any more. Rejects with an RpcError: INVALID_ARGUMENT for
   * a report that is wrong in itself, else the server could not commit it.
   */
  report(report: WorkerReport | ConnectionReport): Promise<ReportOutcome> {
    if (this.#isOver) return Promise.resolve("LEASE_LOST");
    return new Promise((resolve, reject) => {
      const reportId = this.#nextId++;
      // A response or checkpoint out of its limits is refused here: the promise rejects with what is thrown.
      const steps = stepsOf(report);
      const message = create(ReportSchema, {
        reportId,
        attempt: toWireAttempt(report.attempt),
        report: reportBody(report, steps.at(-1)?.told),
        steps: (report.type === "cancelPhase" ? steps.slice(0, -1) : steps).map(({ told }) => told),
      });
      const pending: Pending = { message, steps, isSent: false, resolve, reject };
      this.#pending.set(reportId, pending);
      this.#waiting.push(pending);
      this.#pump();
    });
  }

  answered({ reportId, outcome, error }: Ack): void {
    const pending = this.#pending.get(reportId);
    if (!pending) return; // of an earlier stream, and answered on this one already
    this.#pending.delete(reportId);
    if (pending.isSent) this.#inFlight--;
    const known = fromWireOutcome(outcome);
    if (known !== undefined) pending.resolve(known);
    else if (outcome === Ack_Outcome.REFUSED)
      pending.reject(statusError(error ?? create(StatusSchema), "report"));
    else pending.reject(new RpcError("STORAGE_UNAVAILABLE"));
    this.#pump();
  }

  /** A new stream: everything that was not answered is sent, the oldest first. */
  resend(): void {
    this.#inFlight = 0;
    this.#waiting = [...this.#pending.values()];
    for (const pending of this.#waiting) pending.isSent = false;
    this.#pump();
  }

  /** The session is lost: nothing of it counts any more. */
  close(): void {
    this.#isOver = true;
    const pending = [...this.#pending.values()];
    this.#pending.clear();
    this.#waiting = [];
    for (const { resolve } of pending) resolve("LEASE_LOST");
  }

  #pump(): void {
    while (this.#inFlight < WINDOW) {
      const next = this.#waiting[0];
      if (!next) return;
      for (const { told, atMs } of next.steps) told.ago = toDuration(monotonicMs() - atMs);
      if (!this.#send(next.message)) return;
      this.#waiting.shift();
      next.isSent = true;
      this.#inFlight++;
    }
  }
}

type ReportBody = NonNullable<Parameters<typeof create<typeof ReportSchema>>[1]>["report"];

/** `last` is the newest step, if there is one: what a cancelPhase is. */
function reportBody(
  report: WorkerReport | ConnectionReport,
  last: Report_CancelPhase | undefined,
): NonNullable<ReportBody> {
  switch (report.type) {
    case "started":
      return { case: "started", value: {} };
    case "returned":
      return { case: "returned", value: {} };
    case "release":
      return { case: "released", value: {} };
    case "progress":
      return { case: "progress", value: { percent: report.percent, message: report.message } };
    case "checkpoint":
      jsonPayload(report.checkpoint, "checkpoint");
      return { case: "checkpoint", value: report.checkpoint };
    case "cancelPhase":
      return { case: "cancelPhase", value: last ?? {} };
    case "complete": {
      // As JSON, whatever the type is: the server knows the message that the operation answers with.
      const payload = report.response === null ? emptyPayload : jsonPayload(report.response, "response");
      return { case: "completed", value: { response: toAny(payload) } };
    }
    case "fail":
      return {
        case: "failed",
        value: {
          error: { code: report.error.code, message: report.error.message },
          retryable: report.retryable,
          abortCaused: report.abortCaused,
          cleanUp: report.cleanUp ?? "",
          ...stopOf(report),
        },
      };
    case "stopped":
      return { case: "stopped", value: stopOf(report) };
  }
}

/** With what is told of the cancel, a cancelPhase's own step being the last. */
function stepsOf(report: WorkerReport | ConnectionReport): Pending["steps"] {
  const earlier = "steps" in report && report.steps ? report.steps : [];
  const steps = report.type === "cancelPhase" ? [...earlier, report] : earlier;
  return steps.map(({ phase, detail, atMs }) => ({
    told: create(Report_CancelPhaseSchema, { phase: toWirePhase(phase), detail }),
    atMs,
  }));
}

function stopOf({
  evidence,
  mechanism,
}: Pick<Extract<WorkerReport, { type: "stopped" }>, "evidence" | "mechanism">): {
  evidence: ReturnType<typeof toWireEvidence>;
  mechanism: ReturnType<typeof toWireMechanism>;
} {
  return { evidence: toWireEvidence(evidence), mechanism: toWireMechanism(mechanism) };
}
