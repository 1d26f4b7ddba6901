// A worker in the server's own process: the worker-transport port on one side, WorkerConnection on the other.
// Nothing is serialised but payloads; the rules are the same as for a worker far away.
import { hash } from "node:crypto";
import { type Clock, type Instant, MICROS_PER_MS } from "../../base/clock.ts";
import { StatusCode } from "../../base/status-code.ts";
import type { CommandOutcome, Grant } from "../../engine/commands.ts";
import type { Engine } from "../../engine/engine.ts";
import type { CancelRequest, OperationKey, OperationRecord, Payload } from "../../engine/operation.ts";
import type { FencedCommand, Session } from "../../engine/session.ts";
import type { WorkerTransport } from "../../engine/worker-transport.ts";
import { emptyPayload } from "../../protocol/empty.ts";
import { jsonPayload } from "../../protocol/json-payload.ts";
import { structValue } from "../../protocol/struct.ts";
import type {
  Assignment,
  AttemptKey,
  JsonObject,
  ReportOutcome,
  WorkerConnection,
  WorkerHello,
  WorkerListener,
  WorkerReport,
  WorkerSession,
} from "../../protocol/worker-connection.ts";

/** Connects a worker to an engine of the same process. The session has no timed lease: it lives and dies with the process. */
export function createInProcessConnection(engine: Engine): WorkerConnection {
  return {
    async open(hello: WorkerHello, listener: WorkerListener): Promise<WorkerSession> {
      const transport = new InProcessTransport(listener, engine.clock);
      const session = await engine.openSession({ ...hello, kind: "embedded", leaseMs: 0 }, transport);
      return {
        id: session.id,
        report: (report) => sendReport(session, report),
        slotFreed: () => session.slotFreed(),
        drain: () => session.drain(),
        close: () => engine.closeSession(session.id),
      };
    },
  };
}

class InProcessTransport implements WorkerTransport {
  readonly #listener: WorkerListener;
  readonly #clock: Clock;

  constructor(listener: WorkerListener, clock: Clock) {
    this.#listener = listener;
    this.#clock = clock;
  }

  granted(grant: Grant): void {
    this.#listener.assigned(toAssignment(grant, this.#clock.now()));
  }

  cancelRequested(record: OperationRecord, token: number, cancel: CancelRequest): void {
    const now = this.#clock.now();
    this.#listener.cancelRequested({
      ...attemptKey(record, token),
      cause: cancel.cause,
      reason: cancel.reason,
      requestedBy: cancel.requestedBy,
      graceMs: remainingMs(cancel.graceEndTime, now),
      deadlineMs: remainingMs(cancel.deadline, now),
    });
  }

  revoked(key: OperationKey, token: number, record: OperationRecord): void {
    const reason = record.state === "PENDING" || record.state === "FAILED" ? "timeout" : "lease-lost";
    this.#listener.revoked({ ...attemptKey(key, token), reason, killMs: record.policy.cancel.killMs });
  }
}

function attemptKey({ service, tenant, name }: OperationKey, leaseToken: number): AttemptKey {
  return { service, tenant, name, leaseToken };
}

function remainingMs(until: Instant, now: Instant): number {
  return Math.max(0, (until - now) / MICROS_PER_MS);
}

function toJson(payload: Payload | null): JsonObject | null {
  return payload === null ? null : structValue(payload);
}

function toAssignment({ record, request, checkpoint }: Grant, now: Instant): Assignment {
  return {
    ...attemptKey(record, record.leaseToken),
    type: record.type,
    attempt: record.attempt,
    maxAttempts: record.policy.maxAttempts,
    createdBy: record.createdBy,
    input: toJson(request) ?? {},
    checkpoint: toJson(checkpoint),
    deadlineMs: record.deadline === null ? null : remainingMs(record.deadline, now),
    attemptTimeoutMs: record.policy.attemptTimeoutMs,
    killMs: record.policy.cancel.killMs,
  };
}

/** Over the payload or the error: a repeated report of the same result is recognised by it (S12). */
function digestOf(...parts: readonly (string | Uint8Array)[]): string {
  return hash("sha256", Buffer.concat(parts.map((part) => Buffer.from(part))), "base64url");
}

/** Throws PAYLOAD_TOO_LARGE, _DEEP or _MANY_KEYS: the worker then fails the operation, or rejects the checkpoint. */
function toCommand(session: string, report: WorkerReport): FencedCommand {
  const { service, tenant, name, leaseToken: token } = report.attempt;
  const fenced = { key: { service, tenant, name }, session, token };
  switch (report.type) {
    case "progress":
      return { ...fenced, type: "progress", progress: { percent: report.percent, message: report.message } };
    case "checkpoint":
      return { ...fenced, type: "checkpoint", checkpoint: jsonPayload(report.checkpoint, "checkpoint") };
    case "cancelPhase":
      return { ...fenced, type: "cancelPhase", phase: report.phase, detail: report.detail };
    case "complete": {
      const response = report.response === null ? emptyPayload : jsonPayload(report.response, "response");
      return { ...fenced, type: "complete", response, digest: digestOf(response.typeUrl, response.bytes) };
    }
    case "fail": {
      const { retryable, abortCaused, evidence, mechanism } = report;
      const error = {
        code: report.error.code || StatusCode.UNKNOWN,
        message: report.error.message,
        details: [],
      };
      const digest = digestOf(String(error.code), error.message);
      return { ...fenced, type: "fail", error, retryable, abortCaused, evidence, mechanism, digest };
    }
    case "stopped":
      return { ...fenced, type: "stopped", evidence: report.evidence, mechanism: report.mechanism };
    case "release":
      return { ...fenced, type: "release" };
  }
}

async function sendReport(session: Session, report: WorkerReport): Promise<ReportOutcome> {
  return outcomeOf(await session.report(toCommand(session.id, report)));
}

function outcomeOf(outcome: CommandOutcome): ReportOutcome {
  if (outcome.type !== "refused") return "accepted";
  switch (outcome.reason) {
    case "ALREADY_DONE":
    case "NOT_RETRYABLE":
    case "CANCEL_PENDING":
      return outcome.reason;
    case "NOT_FOUND":
      return "ALREADY_DONE"; // done and deleted, or purged: over for the worker all the same
    default:
      return "LEASE_LOST";
  }
}
