// Commands: everything that can happen to an operation or a session, as data. The store runs them through `decide`.
import type { Instant } from "../base/clock.ts";
import type {
  CancelCause,
  ChildPolicy,
  Evidence,
  Mechanism,
  OperationKey,
  OperationPolicy,
  OperationRecord,
  Payload,
  Progress,
  StatusValue,
} from "./operation.ts";

/** Creates an operation. The id, the policy and the deadline are resolved by the caller. */
export interface StartCommand {
  type: "start";
  key: OperationKey;
  id: string;
  parent: string;
  operationType: string;
  createdBy: string;
  /** Where the call came in, for the audit: `native/grpc`, ... */
  origin: string;
  description: string;
  labels: Readonly<Record<string, string>>;
  policy: OperationPolicy;
  startAfter: Instant;
  deadline: Instant | null;
  priority: number;
  concurrencyKey: string;
  supersedeKey: string;
  rerunOf: string;
  /** The attempt that starts it as its child: fenced, and refused once the parent is closed (PARENT_CLOSED). */
  parentAttempt: ParentAttempt | null;
  /** With a parent and a request key that is known: the known operation becomes a child of this parent, too. */
  shared: boolean;
  request: Payload | null;
  metadata: Payload | null;
  /** Unique per (service, tenant, method); `digest` is over the decoded request. */
  requestKey: { method: string; requestId: string; digest: string } | null;
}

/** The running attempt that starts a child. */
export interface ParentAttempt {
  key: OperationKey;
  session: string;
  token: number;
  policy: ChildPolicy;
}

/**
 * Grants a lease to a session; with `begin`, the attempt starts in the same commit. Without, it is reserved, unless
 * the grant gives up an older attempt that is held: that one begins at once, too (see `lease.begun` of the answer).
 */
export interface AssignCommand {
  type: "assign";
  key: OperationKey;
  session: string;
  guarded: boolean;
  begin: boolean;
}

/** Every write of a worker carries the lease token it was granted. */
interface FencedCommand {
  key: OperationKey;
  session: string;
  token: number;
}

/** The worker starts the work that it had reserved. */
export interface BeginCommand extends FencedCommand {
  type: "begin";
}

/** The worker gives back work that it had reserved and not begun: free of charge. */
export interface ReturnCommand extends FencedCommand {
  type: "return";
}

/** The worker drains: begun work goes back if it may be retried. */
export interface ReleaseCommand extends FencedCommand {
  type: "release";
}

export interface ProgressCommand extends FencedCommand {
  type: "progress";
  progress: Progress;
}

export interface CheckpointCommand extends FencedCommand {
  type: "checkpoint";
  checkpoint: Payload;
}

/** How far a cancel has come on the worker's side. */
export interface CancelStep {
  phase: "DELIVERED" | "DEFERRED" | "CUT" | "ACKNOWLEDGED" | "ESCALATED";
  detail: string;
  /** How long ago that was, in milliseconds; absent: just now. */
  agoMs?: number;
}

/**
 * A report that may tell of earlier steps of a cancel, too, in their order: they are the same change, each with its own
 * time. Without a cancel under way they count for nothing.
 */
interface SteppedCommand extends FencedCommand {
  steps?: readonly CancelStep[];
}

export interface CancelPhaseCommand extends SteppedCommand, CancelStep {
  type: "cancelPhase";
}

export interface CompleteCommand extends SteppedCommand {
  type: "complete";
  response: Payload;
  /** Hash of the response: a repeated report of the same result is OK (S12). */
  digest: string;
  /** Only the result is known, and not that all work has stopped: it is held until there is evidence. */
  mayStillRun?: boolean;
}

export interface FailCommand extends SteppedCommand {
  type: "fail";
  error: StatusValue;
  retryable: boolean;
  /** The error is the abort reason of this attempt, by identity or along its cause chain. */
  abortCaused: boolean;
  /** The work has stopped, and this is how that is known: the handler's end is itself evidence. */
  evidence: Evidence;
  mechanism: Mechanism;
  /** What went wrong with the clean-up of work that was stopped, for the receipt; at most 1024 characters. */
  cleanUp?: string;
  digest: string;
  /** As of CompleteCommand; while a cancel is under way the end is then STOP_UNCONFIRMED. */
  mayStillRun?: boolean;
}

/** The work stopped because of the cancel, and this is how that is known. */
export interface StoppedCommand extends SteppedCommand {
  type: "stopped";
  evidence: Evidence;
  mechanism: Mechanism;
}

export interface CancelCommand {
  type: "cancel";
  key: OperationKey;
  cause: Exclude<CancelCause, "deadline">;
  requestedBy: string;
  onBehalfOf: string;
  requestId: string;
  /** Escalate at once. On a repeated cancel it escalates one that was cooperative (G4). */
  force: boolean;
  /** Only if the operation still has this revision (REVISION_MISMATCH); null: whatever it has. */
  ifRevision: number | null;
  reason: string;
  origin: string;
  /** Overrides the policy's grace; on a repeated cancel it can only shorten. */
  graceMs: number | null;
  /** The native surface still reaches an operation that a client deleted while it ran. */
  includeDeleted: boolean;
}

/** An operator's word that the held work is gone: slot and key are free, the receipt says who said so. */
export interface OverrideCommand {
  type: "override";
  key: OperationKey;
  requestedBy: string;
  onBehalfOf: string;
  requestId: string;
  reason: string;
  origin: string;
}

/** Somebody watches or waits: the operation's watch deadline starts anew. Nothing visible changes. */
export interface WatchedCommand {
  type: "watched";
  key: OperationKey;
}

/** A child of this operation has ended, or was detached from it. Made by `decide` with the child's own change. */
export interface ChildEndedCommand {
  type: "childEnded";
  key: OperationKey;
  child: { service: string; name: string };
  /** DETACHED: others still want it. */
  outcome: "SUCCEEDED" | "FAILED" | "CANCELLED" | "DETACHED";
  /** Nobody knows whether its work stopped. */
  unconfirmed: boolean;
  /** It had ended before, unconfirmed: only that is taken back. */
  wasUnconfirmed: boolean;
}

export interface DeleteCommand {
  type: "delete";
  key: OperationKey;
  requestedBy: string;
  origin: string;
}

/** The session that held the operation is gone. */
export interface ExpireLeaseCommand {
  type: "expireLease";
  key: OperationKey;
  session: string;
  /** True if a process of the lost attempt was seen alive and could not be ended: the guard failed, so the expiry is no evidence. */
  survived: boolean;
  /** The work is known to be gone, also where nothing guarded it. */
  isGone?: boolean;
}

/** Time has passed: deadlines and timeouts that are due take effect. */
export interface TickCommand {
  type: "tick";
  key: OperationKey;
}

/** The commands that act on one operation: what `transition` takes. */
export type OperationCommand =
  | StartCommand
  | AssignCommand
  | BeginCommand
  | ReturnCommand
  | ReleaseCommand
  | ProgressCommand
  | CheckpointCommand
  | CancelPhaseCommand
  | CompleteCommand
  | FailCommand
  | StoppedCommand
  | CancelCommand
  | DeleteCommand
  | ExpireLeaseCommand
  | OverrideCommand
  | WatchedCommand
  | ChildEndedCommand
  | TickCommand;

/** A worker connects. */
export interface OpenSessionCommand {
  type: "openSession";
  session: string;
  /** "embedded": lives and dies with the server process. On a store of one process it has no timed lease (leaseMs 0). */
  kind: "embedded" | "remote";
  worker: string;
  /** The worker's own build, for people; "" if it has none. */
  build: string;
  /** Who opened it; "" for embedded ones. */
  principal: string;
  types: readonly string[];
  slots: number;
  guarded: boolean;
  bootId: string;
  leaseMs: number;
  /** The server process that has the worker's stream, where several share a store; absent on a store of one process. */
  node?: string;
}

export interface HeartbeatCommand {
  type: "heartbeat";
  session: string;
  /** Refused with SESSION_MOVED if another node has the session; absent: whoever has it. */
  node?: string;
  /** The worker has come to `node`: the session is that node's from now on. */
  takesOver?: boolean;
}

/** The session ended: everything it still held is settled like an expired lease. */
export interface CloseSessionCommand {
  type: "closeSession";
  session: string;
  /** Names of operations whose work was seen alive after the session and could not be ended. */
  survivors: readonly string[];
  /** All else that it ran is known to be gone, guarded or not: the process that ran it is, and so is what that recorded. */
  isGone?: boolean;
}

/** Grants up to `limit` due pending operations of the given types: highest priority first, then oldest start. */
export interface AcquireCommand {
  type: "acquire";
  session: string;
  types: readonly string[];
  limit: number;
  guarded: boolean;
  begin: boolean;
  /** Refused with SESSION_MOVED if another node has the session; absent: whoever has it. */
  node?: string;
  /** Grants nothing but what its batch has started before it: the store looks for nothing. */
  onlyStarted?: boolean;
}

/** Ticks up to `limit` operations whose next timer is due. */
export interface TickDueCommand {
  type: "tickDue";
  limit: number;
}

/**
 * Closes up to `limit` sessions whose lease has passed: the store names them, and all that they hold, as targets;
 * `decide` looks at the heartbeat once more. Answers "settled" with the number of operations.
 */
export interface ExpireSessionsCommand {
  type: "expireSessions";
  limit: number;
}

/**
 * Tells up to `limit` live children of closed parents (cancelling or done) to stop, or to hurry where the parent's cancel is
 * stricter than theirs, or detaches those that others want.
 * Answers "settled" with how many were changed; repeated until that is 0 (the fixpoint).
 */
export interface SweepChildrenCommand {
  type: "sweepChildren";
  limit: number;
}

/** The service could not accept watchers for a while: up to `limit` watch deadlines that lie before `before` start anew. */
export interface RestartWatchCommand {
  type: "restartWatch";
  before: Instant;
  limit: number;
}

/** The commands whose targets the store finds. */
export type BatchCommand =
  | ExpireSessionsCommand
  | SweepChildrenCommand
  | RestartWatchCommand
  | OpenSessionCommand
  | HeartbeatCommand
  | CloseSessionCommand
  | AcquireCommand
  | TickDueCommand;

export type Command = OperationCommand | BatchCommand;

/** Why a command changed nothing. */
export type RefusalReason =
  | "NOT_FOUND"
  | "ALREADY_EXISTS"
  | "REQUEST_ID_REUSED"
  | "NOT_CANCELLABLE"
  | "DELETE_REFUSED"
  | "LEASE_LOST"
  | "ALREADY_DONE"
  | "NOT_RUNNABLE"
  | "NOT_BEGUN"
  | "NOT_CANCELLING"
  | "ALREADY_BEGUN"
  | "CANCEL_PENDING"
  | "NOT_RETRYABLE"
  | "SESSION_UNKNOWN"
  | "SESSION_MOVED"
  | "PARENT_CLOSED"
  | "CHILD_LIMIT"
  | "REVISION_MISMATCH"
  | "NOT_HELD";

/** What a cancel met. */
export type Verdict =
  | "PREVENTED_START"
  | "STOPPING"
  | "ALREADY_STOPPING"
  | "TOO_LATE_SUCCEEDED"
  | "TOO_LATE_FAILED"
  | "ALREADY_CANCELLED"
  | "REFUSED_NOT_CANCELLABLE";

/**
 * An operation granted by acquire, with what its handler needs. `decide` knows only the request of what its own batch has
 * started, and leaves all others null; the store fills them in.
 */
export interface Grant {
  record: OperationRecord;
  request: Payload | null;
  checkpoint: Payload | null;
}

/** The answer to a command. `changed` is false when the command was accepted and had nothing to do. */
export type Reply =
  | { type: "operation"; record: OperationRecord; changed: boolean }
  | { type: "cancel"; record: OperationRecord; changed: boolean; verdict: Verdict }
  | { type: "late"; record: OperationRecord; changed: boolean }
  | { type: "granted"; grants: readonly Grant[] }
  /** `hasMoved`: it was another node's before. */
  | { type: "session"; hasMoved?: boolean }
  | { type: "settled"; count: number };

export interface Refusal {
  type: "refused";
  reason: RefusalReason;
  /** The operation as it stands, where there is one. */
  record: OperationRecord | null;
}

export type CommandOutcome = Reply | Refusal;
