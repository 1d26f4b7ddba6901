// What a worker and a server say to each other, as plain TypeScript: one interface for a worker in the same process
// and, later, for one on another machine.

/** A JSON object: what handlers of plain operations take and give. */
export type JsonObject = { [key: string]: JsonValue };
export type JsonValue = null | boolean | number | string | JsonValue[] | JsonObject;

/** Names one attempt; every report carries it. The token fences: a stale one is refused. */
export interface AttemptKey {
  service: string;
  tenant: string;
  name: string;
  leaseToken: number;
}

/** An operation given to this worker. Its attempt has begun: that is already durable. */
export interface Assignment extends AttemptKey {
  type: string;
  /** 1 for the first. */
  attempt: number;
  maxAttempts: number;
  createdBy: string;
  input: JsonObject;
  /** The last checkpoint of an earlier attempt, if there is one. */
  checkpoint: JsonObject | null;
  /** Milliseconds until the operation's overall deadline, or null. */
  deadlineMs: number | null;
  attemptTimeoutMs: number;
  killMs: number;
}

/** A committed cancel (or deadline) for an attempt that this worker runs. It may come more than once. */
export interface CancelNotice extends AttemptKey {
  cause: "cancel" | "deadline";
  reason: string;
  requestedBy: string;
  /** Milliseconds from now until the worker must escalate. */
  graceMs: number;
  /** Milliseconds from now until the operation ends without evidence. */
  deadlineMs: number;
}

/** The attempt is no longer this worker's (timed out, lease lost, deleted): stop the work, report nothing. */
export interface RevokeNotice extends AttemptKey {
  reason: "timeout" | "lease-lost";
  killMs: number;
}

export type StopEvidence = "HANDLER_STOPPED" | "THREAD_TERMINATED" | "PROCESS_EXITED";
export type StopMechanism = "NONE" | "SIGNAL" | "TERMINATE" | "SIGTERM" | "SIGKILL";

/** google.rpc.Status without details. */
export interface ReportedError {
  code: number;
  message: string;
}

/** What a worker tells. Each is answered only when it is durable. */
export type WorkerReport =
  | { type: "progress"; attempt: AttemptKey; percent: number; message: string }
  | { type: "checkpoint"; attempt: AttemptKey; checkpoint: JsonObject }
  | {
      type: "cancelPhase";
      attempt: AttemptKey;
      phase: "DELIVERED" | "ACKNOWLEDGED" | "ESCALATED";
      detail: string;
    }
  /** The handler returned. `response` null answers google.protobuf.Empty. */
  | { type: "complete"; attempt: AttemptKey; response: JsonObject | null }
  /** The work ended with an error, and has stopped: `evidence` says how that is known. */
  | {
      type: "fail";
      attempt: AttemptKey;
      error: ReportedError;
      retryable: boolean;
      abortCaused: boolean;
      evidence: StopEvidence;
      mechanism: StopMechanism;
    }
  /** The work stopped because of a cancel or deadline. */
  | { type: "stopped"; attempt: AttemptKey; evidence: StopEvidence; mechanism: StopMechanism }
  /** Drain: the work has stopped and may be given to another worker. */
  | { type: "release"; attempt: AttemptKey };

/** "accepted", or why nothing changed. After LEASE_LOST the attempt is over for this worker. */
export type ReportOutcome = "accepted" | "LEASE_LOST" | "ALREADY_DONE" | "NOT_RETRYABLE" | "CANCEL_PENDING";

/** What the server tells a worker. Callbacks return at once. */
export interface WorkerListener {
  assigned(assignment: Assignment): void;
  cancelRequested(notice: CancelNotice): void;
  revoked(notice: RevokeNotice): void;
}

export interface WorkerHello {
  /** The worker's own name, for people. */
  worker: string;
  types: readonly string[];
  /** How many operations it runs at once. */
  slots: number;
  /** True if no work of this worker can outlive its lease (G2). */
  guarded: boolean;
  /** The machine's boot id: after a reboot no process of the old boot is left. */
  bootId: string;
}

/** One worker's session. */
export interface WorkerSession {
  readonly id: string;
  /** Resolves when the report is durable. Rejects only when the server cannot say (retry: reports are idempotent). */
  report(report: WorkerReport): Promise<ReportOutcome>;
  /** A slot is free again. */
  slotFreed(): void;
  /** No new assignments from now on. */
  drain(): void;
  /** The session is over; whatever it still held is settled like an expired lease. */
  close(): Promise<void>;
}

export interface WorkerConnection {
  open(hello: WorkerHello, listener: WorkerListener): Promise<WorkerSession>;
}
