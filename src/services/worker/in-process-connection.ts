// A worker in the server's own process: the worker-transport port on one side, WorkerConnection on the other.
// Nothing is serialised but payloads; the rules are the same as for a worker far away.

import { type Clock, type Instant, monotonicMs, remainingMs } from "../../base/clock.ts";
import { StatusCode } from "../../base/status-code.ts";
import type { CommandOutcome, CancelStep as EngineStep, Grant } from "../../engine/commands.ts";
import type { Engine } from "../../engine/engine.ts";
import {
  type CancelRequest,
  isDone,
  type OperationKey,
  type OperationRecord,
  type StoredOperation,
} from "../../engine/operation.ts";
import type { FencedCommand, Session } from "../../engine/session.ts";
import type { WorkerTransport } from "../../engine/worker-transport.ts";
import { emptyPayload } from "../../protocol/empty.ts";
import { jsonPayload } from "../../protocol/json-payload.ts";
import { structValue } from "../../protocol/struct.ts";
import type {
  Assignment,
  AttemptKey,
  CancelStep,
  ChildState,
  ReportOutcome,
  WorkerConnection,
  WorkerHello,
  WorkerListener,
  WorkerReport,
  WorkerSession,
} from "../../protocol/worker-connection.ts";
import { attemptText } from "../../protocol/worker-connection.ts";
import { learnType } from "../learn-type.ts";
import { type FindStartRules, readChildStart } from "./child-starts.ts";
import {
  type EncodeResponse,
  encodeStructResponse,
  type PayloadCodec,
  structCodec,
} from "./payload-codec.ts";
import { reportDigest } from "./report-digest.ts";

/**
 * Connects a worker to an engine of the same process. The session has no timed lease: it lives and dies with the process.
 * Only on a store that other processes share it has one, which this process renews: what cannot be renewed is stopped in
 * time, and the worker comes with a new session when the store is back. There it is not guarded: nothing ends this process
 * when it is stopped for longer than the lease, and goes on.
 * `codec` knows the payloads of the server's services; without one they are plain JSON. `rulesOf` knows what may be
 * started in which service; without it no child can be started.
 */
export function createInProcessConnection(
  engine: Engine,
  codec: PayloadCodec = structCodec,
  rulesOf: FindStartRules = () => undefined,
): WorkerConnection {
  return {
    async open(hello: WorkerHello, listener: WorkerListener): Promise<WorkerSession> {
      const transport = new InProcessTransport(listener, engine.clock, codec);
      const session = await engine.openSession(
        {
          kind: "embedded",
          worker: hello.worker,
          build: hello.build ?? "",
          principal: "",
          types: hello.types,
          slots: hello.slots,
          guarded: hello.guarded,
          bootId: hello.bootId,
          leaseMs: 0,
        },
        transport,
      );
      return {
        id: session.id,
        report: (report) => sendReport(session, report, transport),
        async startChild(start) {
          await learnType(engine, start.type);
          const child = readChildStart(start, engine, rulesOf);
          return childState(await engine.startChild(session, child), child.service, codec);
        },
        async waitChild({ leaseToken: token, ...key }, child, timeoutMs) {
          return childState(
            await engine.waitChild(session, { key, token }, child, timeoutMs),
            child.service,
            codec,
          );
        },
        leaseEndMs: () => session.leaseEndMs,
        slotFreed: () => session.slotFreed(),
        drain: () => session.drain(),
        close: () => engine.closeSession(session.id),
      };
    },
  };
}

class InProcessTransport implements WorkerTransport {
  readonly reserves = false;
  readonly #listener: WorkerListener;
  readonly #clock: Clock;
  readonly #codec: PayloadCodec;
  /** Of the attempts under way whose responses are no plain JSON. */
  readonly #encoders = new Map<string, EncodeResponse>();

  constructor(listener: WorkerListener, clock: Clock, codec: PayloadCodec) {
    this.#listener = listener;
    this.#clock = clock;
    this.#codec = codec;
  }

  granted(grant: Grant): void {
    const { record } = grant;
    const encoder = this.#codec.responseEncoder(record.service, record.type);
    if (encoder !== encodeStructResponse) {
      this.#encoders.set(attemptText(attemptKey(record, record.leaseToken)), encoder);
    }
    this.#listener.assigned(toAssignment(grant, this.#clock.now(), this.#codec));
  }

  encoderOf(attempt: AttemptKey): EncodeResponse {
    if (this.#encoders.size === 0) return encodeStructResponse;
    return this.#encoders.get(attemptText(attempt)) ?? encodeStructResponse;
  }

  /** The attempt reports no result any more. */
  forget(attempt: AttemptKey): void {
    if (this.#encoders.size > 0) this.#encoders.delete(attemptText(attempt));
  }

  cancelRequested(record: OperationRecord, token: number, cancel: CancelRequest): void {
    const now = this.#clock.now();
    this.#listener.cancelRequested({
      ...attemptKey(record, token),
      cause: cancel.cause === "deadline" || cancel.cause === "parent" ? cancel.cause : "cancel",
      force: cancel.force,
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

  renewed(): void {
    this.#listener.leaseRenewed?.();
  }

  drain(): void {
    this.#listener.drainRequested?.();
  }

  ended(why: "expired" | "replaced" | "closed"): void {
    this.#listener.sessionLost?.(why);
  }
}

function attemptKey({ service, tenant, name }: OperationKey, leaseToken: number): AttemptKey {
  return { service, tenant, name, leaseToken };
}

/** `service` is the child's own, also where its stand-in is beside the parent: the response is of its types. */
function childState({ record, response }: StoredOperation, service: string, codec: PayloadCodec): ChildState {
  const { name, state, outcome } = record;
  const error =
    outcome?.kind === "error" ? { code: outcome.status.code, message: outcome.status.message } : null;
  const answer =
    state !== "SUCCEEDED" ? null : response === null ? {} : codec.decodeRequest(service, response);
  return { name, done: isDone(state), error, response: answer };
}

function toAssignment({ record, request, checkpoint }: Grant, now: Instant, codec: PayloadCodec): Assignment {
  return {
    ...attemptKey(record, record.leaseToken),
    type: record.type,
    attempt: record.attempt,
    maxAttempts: record.policy.maxAttempts,
    createdBy: record.createdBy,
    input: request === null ? {} : codec.decodeRequest(record.service, request),
    checkpoint: checkpoint === null ? null : structValue(checkpoint),
    deadlineMs: record.deadline === null ? null : remainingMs(record.deadline, now),
    attemptTimeoutMs: record.policy.attemptTimeoutMs,
    graceMs: record.policy.cancel.graceMs,
    criticalMs: record.policy.cancel.criticalMs,
    cleanupMs: record.policy.cancel.cleanupMs,
    killMs: record.policy.cancel.killMs,
  };
}

/**
 * Throws PAYLOAD_TOO_LARGE, _DEEP or _MANY_KEYS, and INVALID_FIELD for a response that is not of its declared type: the
 * worker then fails the operation, or rejects the checkpoint.
 */
function toCommand(session: string, report: WorkerReport, encodeResponse: EncodeResponse): FencedCommand {
  const { service, tenant, name, leaseToken: token } = report.attempt;
  const fenced = { key: { service, tenant, name }, session, token };
  switch (report.type) {
    case "progress":
      return { ...fenced, type: "progress", progress: { percent: report.percent, message: report.message } };
    case "checkpoint":
      return { ...fenced, type: "checkpoint", checkpoint: jsonPayload(report.checkpoint, "checkpoint") };
    case "cancelPhase":
      return { ...fenced, type: "cancelPhase", ...toStep(report), ...toSteps(report) };
    case "complete": {
      const response = encodeResponse(report.response);
      const digest = response === emptyPayload ? emptyDigest : reportDigest(response.typeUrl, response.bytes);
      return { ...fenced, type: "complete", response, digest, ...toSteps(report) };
    }
    case "fail": {
      const { retryable, abortCaused, evidence, mechanism } = report;
      const error = {
        code: report.error.code || StatusCode.UNKNOWN,
        message: report.error.message,
        details: [],
      };
      const digest = reportDigest(String(error.code), error.message);
      const cleanUp = report.cleanUp !== undefined && { cleanUp: report.cleanUp };
      const failure = { error, retryable, abortCaused, evidence, mechanism, digest, ...cleanUp };
      return { ...fenced, type: "fail", ...failure, ...toSteps(report) };
    }
    case "stopped": {
      const { evidence, mechanism } = report;
      return { ...fenced, type: "stopped", evidence, mechanism, ...toSteps(report) };
    }
    case "release":
      return { ...fenced, type: "release" };
  }
}

/** Of the commonest result. */
const emptyDigest = reportDigest(emptyPayload.typeUrl, emptyPayload.bytes);

function toStep({ phase, detail, atMs }: CancelStep): EngineStep {
  return { phase, detail, agoMs: monotonicMs() - atMs };
}

function toSteps({ steps = [] }: { steps?: readonly CancelStep[] }): { steps?: readonly EngineStep[] } {
  return steps.length === 0 ? {} : { steps: steps.map(toStep) };
}

async function sendReport(
  session: Session,
  report: WorkerReport,
  transport: InProcessTransport,
): Promise<ReportOutcome> {
  const { attempt } = report;
  const command = toCommand(session.id, report, transport.encoderOf(attempt));
  const outcome = outcomeOf(await session.report(command));
  if (outcome === "LEASE_LOST" || endReports.has(report.type)) transport.forget(attempt);
  return outcome;
}

const endReports: ReadonlySet<WorkerReport["type"]> = new Set(["complete", "fail", "stopped", "release"]);

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
