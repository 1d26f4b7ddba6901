// What callers ask of the engine, and what they get. Starts have a file of their own (start-command.ts).
import type { CancelCommand, Verdict } from "./commands.ts";
import type { OperationKey, StoredOperation } from "./operation.ts";

export interface CancelCall {
  key: OperationKey;
  requestedBy: string;
  reason: string;
  origin: string;
  graceMs: number | null;
  /** The native surface still reaches what a client deleted while it ran. */
  includeDeleted?: boolean;
  /** For whom the caller acts. Default "". */
  onBehalfOf?: string;
  /** The id of the caller's request, as in the server's logs. Default "". */
  requestId?: string;
  /** No grace and no critical section. Default false. */
  force?: boolean;
  /** Only if the operation has this revision (ETAG_MISMATCH). Default null: whatever it has. */
  ifRevision?: number | null;
  /** The caller's trace context (W3C traceparent): the spans of the attempts are linked to it. */
  traceparent?: string | undefined;
  /** A rule's, where the server itself cancels: refused by no policy. Default: a caller's, "cancel". */
  cause?: CancelCommand["cause"];
}

/** What a cancel met, and the operation after it. */
export interface Cancelled {
  verdict: Verdict;
  operation: StoredOperation;
}

/** An operator's word that held work is gone. */
export interface OverrideCall {
  key: OperationKey;
  requestedBy: string;
  onBehalfOf: string;
  requestId: string;
  reason: string;
  origin: string;
}

export interface DeleteCall {
  key: OperationKey;
  requestedBy: string;
  origin: string;
}

/** A call that is held. */
export interface WaitOptions {
  timeoutMs: number;
  onCallerGone(callback: () => void): void;
  /** The native surface also waits for an operation that a client deleted while it ran. */
  includeDeleted?: boolean;
}

export interface Started {
  operation: StoredOperation;
  /** False: its request id was used before, and this is what it made. */
  created: boolean;
}
