// The interface behind which the three kinds of handler run. A runner starts the work, passes on the abort and says
// when and how the work ended; leases, cancels and reports are the attempt's.
import type { OperationAborted } from "../base/abort-reasons.ts";
import type {
  Assignment,
  ChildStart,
  ChildState,
  JsonObject,
  ReportedError,
  StopEvidence,
  StopMechanism,
} from "../protocol/worker-connection.ts";

/** A child that a handler starts; whose child it is, is known. */
export type ChildOrder = Omit<ChildStart, "parent">;

/** What the work asks of its attempt while it runs. Calls after its end do nothing, or are refused. */
export interface RunRequests {
  /** percent is within 0-100. */
  progress(percent: number, message: string): void;
  /** Resolves when the checkpoint is durable. */
  checkpoint(state: JsonObject): Promise<void>;
  log(message: string, fields: JsonObject | undefined): void;
  /** Rejects with a ChildRefused. */
  startChild(order: ChildOrder): Promise<ChildState>;
  /** Resolves with the child's end, however long that takes. Rejects with a ChildRefused, or when the attempt is over. */
  waitChild(child: { service: string | undefined; name: string }): Promise<ChildState>;
}

/** What the work tells while it runs. */
export interface RunListener extends RunRequests {
  /** The abort has reached the work. */
  acknowledged(): void;
  /** An abort has come, and a critical section holds it back. */
  deferred(section: string): void;
  /** The handler has settled, and its clean-up begins. */
  cleaning(): void;
}

/** What a failed handler leaves behind. */
export interface Failure {
  error: ReportedError;
  retryable: boolean;
  /** The error is the reason of this attempt's abort, by identity or along its cause chain. */
  abortCaused: boolean;
  /** What went wrong with the clean-up; the error's message has it, too. */
  cleanupProblems?: readonly string[];
}

/**
 * How the work ended. `evidence` says how that is known; `mechanism` is the strongest step that was taken before.
 * `stopped` is an end that the abort brought about and that is no outcome of the handler's own: a terminated thread,
 * a process that exited after SIGTERM.
 */
export type RunEnd = { evidence: StopEvidence; mechanism: StopMechanism } & (
  | { type: "returned"; response: JsonObject | null }
  | ({ type: "threw" } & Failure)
  | { type: "stopped" }
);

/** Work under way. */
export interface Run {
  /** Resolves once the work has stopped, which may be never; does not reject. */
  readonly ended: Promise<RunEnd>;
  /**
   * The first step: lets the work know, or answers `deferred` while a critical section runs. Called again only while it
   * is held back: then the newer reason counts.
   */
  abort(reason: OperationAborted): void;
  /** The abort comes now, whatever section runs. */
  cut(): void;
  /** The grace is over: stops the work by force where that is possible. Answers what was done, for the receipt. */
  escalate(): string;
}

/** Starts the work of an assignment; must return at once. */
export type StartRun = (assignment: Assignment, listener: RunListener) => Run;
