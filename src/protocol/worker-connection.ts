// What a worker and a server say to each other, as plain TypeScript: one interface for a worker in the same process
// and for one on another machine.
import type { DescMessage, Registry } from "@bufbuild/protobuf";
import type { DeclaredPolicy } from "../base/policy-limits.ts";

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

/** One string for an attempt, for maps. */
export function attemptText({ service, tenant, name, leaseToken }: AttemptKey): string {
  return `${service}\n${tenant}\n${name}\n${leaseToken}`;
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
  /** The policy of its cancel, in milliseconds (src/engine/operation.ts: CancelPolicy). */
  graceMs: number;
  criticalMs: number;
  cleanupMs: number;
  killMs: number;
}

/** A committed cancel (or deadline) for an attempt that this worker runs. It may come more than once. */
export interface CancelNotice extends AttemptKey {
  /** A caller or a rule; the operation's overall deadline; the cancel or end of the parent. */
  cause: "cancel" | "deadline" | "parent";
  reason: string;
  requestedBy: string;
  /** Escalate at once, whatever section the handler is in. */
  force: boolean;
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

/** How far a cancel has come on the worker's side. */
export interface CancelStep {
  /** DEFERRED: a critical section (its reason is the detail) holds the abort back; CUT: its time is over. */
  phase: "DELIVERED" | "DEFERRED" | "CUT" | "ACKNOWLEDGED" | "ESCALATED";
  detail: string;
  /** When, on this process's monotonic clock (monotonicMs). */
  atMs: number;
}

/** A report that may tell of earlier steps of a cancel, too, in their order: they are durable with it. */
interface SteppedReport {
  steps?: readonly CancelStep[];
}

/** What a worker tells. Each is answered only when it is durable. */
export type WorkerReport =
  | { type: "progress"; attempt: AttemptKey; percent: number; message: string }
  | { type: "checkpoint"; attempt: AttemptKey; checkpoint: JsonObject }
  | ({ type: "cancelPhase"; attempt: AttemptKey } & CancelStep & SteppedReport)
  /** The handler returned. `response` null answers google.protobuf.Empty. */
  | ({ type: "complete"; attempt: AttemptKey; response: JsonObject | null } & SteppedReport)
  /** The work ended with an error, and has stopped: `evidence` says how that is known. */
  | ({
      type: "fail";
      attempt: AttemptKey;
      error: ReportedError;
      retryable: boolean;
      abortCaused: boolean;
      evidence: StopEvidence;
      mechanism: StopMechanism;
      /** What went wrong with the clean-up, for the receipt of a cancel. */
      cleanUp?: string;
    } & SteppedReport)
  /** The work stopped because of a cancel or deadline. */
  | ({
      type: "stopped";
      attempt: AttemptKey;
      evidence: StopEvidence;
      mechanism: StopMechanism;
    } & SteppedReport)
  /** Drain: the work has stopped and may be given to another worker. */
  | { type: "release"; attempt: AttemptKey };

/** "accepted", or why nothing changed. After LEASE_LOST the attempt is over for this worker. */
export type ReportOutcome = "accepted" | "LEASE_LOST" | "ALREADY_DONE" | "NOT_RETRYABLE" | "CANCEL_PENDING";

/** An operation that a running attempt starts as its child. */
export interface ChildStart {
  parent: AttemptKey;
  /** The service of the child; absent: the parent's own. */
  service?: string;
  type: string;
  payload: JsonObject;
  /** What becomes of it when the parent is cancelled or ends. Default "cancel". */
  policy: "cancel" | "abandon" | "wait";
  /** The same id within one parent (or, where `shared`, within the tenant) names the same child. */
  requestId: string;
  /** True: another operation's child of the same request id is joined. */
  shared: boolean;
  labels: Readonly<Record<string, string>>;
  description: string;
  /** Milliseconds until its deadline, or null; needed where the policy is "wait". */
  deadlineMs: number | null;
}

/** A child as its parent sees it. */
export interface ChildState {
  name: string;
  done: boolean;
  /** Set when it is done and has failed or was cancelled. */
  error: ReportedError | null;
  /** Set when it succeeded; {} for an empty response. */
  response: JsonObject | null;
}

/** What the server tells a worker. Callbacks return at once. */
export interface WorkerListener {
  /** The server is stopping, or asks this worker to: no new work; what has not begun goes back. */
  drainRequested?(): void;
  /** The lease was renewed: `leaseEndMs` has moved. */
  leaseRenewed?(): void;
  /** The session is over: its lease has passed, or the server knows it no more. Everything it ran is lost to others. */
  sessionLost?(why: string): void;
  assigned(assignment: Assignment): void;
  cancelRequested(notice: CancelNotice): void;
  revoked(notice: RevokeNotice): void;
}

/** The message that an API declares as its request, and what finds an Any in it. */
export interface RequestMessage {
  request: DescMessage;
  registry: Registry;
}

export interface WorkerHello {
  /** The worker's own name, for people. */
  worker: string;
  types: readonly string[];
  /** How operations of each type run, by type: a server on another machine learns it from here. */
  policies?: Readonly<Record<string, DeclaredPolicy>>;
  /** The request messages of types that are no plain JSON, by type: a worker far from its server decodes them itself. */
  messages?: Readonly<Record<string, RequestMessage>>;
  /** Its own build, for people; "" if it has none. */
  build?: string;
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
  /**
   * Starts a child of a running attempt. Rejects with an RpcError: PARENT_CLOSED once the parent is cancelled or ended,
   * LEASE_LOST, or what a start is refused for.
   */
  startChild(start: ChildStart): Promise<ChildState>;
  /** A child's state; waits up to `timeoutMs` for its end. */
  waitChild(
    parent: AttemptKey,
    child: { service: string; name: string },
    timeoutMs: number,
  ): Promise<ChildState>;
  /**
   * Until when the lease is certainly this worker's, on its own monotonic clock (monotonicMs): counted from the moment
   * the last answered heartbeat was SENT. Infinity in the process of a server that shares its store with none.
   */
  leaseEndMs(): number;
  /** A slot is free again. */
  slotFreed(): void;
  /** No new assignments from now on. */
  drain(): void;
  /** The session is over; whatever it still held is settled like an expired lease. */
  close(): Promise<void>;
}

export interface WorkerConnection {
  /** True if its sessions have a lease that passes: the worker then guards its work (G2). */
  readonly hasLease?: boolean;
  open(hello: WorkerHello, listener: WorkerListener): Promise<WorkerSession>;
}
