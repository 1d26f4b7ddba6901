// The options and answers of the client's calls, as plain data. Limits are in operations.proto.
import type { JsonObject } from "@bufbuild/protobuf";
import type {
  CancelPreview,
  ExportReceiptsResponse,
  Operation,
  OperationEvent,
  Verdict,
} from "../protocol/gen/belay/v1/operations_pb.ts";

export interface CallOptions {
  /** Ends the call: it rejects with the signal's reason. What the server has committed stays. */
  signal?: AbortSignal | undefined;
}

/** How an operation runs; each absent field takes its type's value. Durations in milliseconds. */
export interface RunOptions {
  /** 1 is at most once. 1-100. */
  maxAttempts?: number;
  /** The delay before the second attempt, doubled for each further one. 0 to 1 hour. */
  backoffMs?: number;
  /** 0 to 1 day. */
  backoffMaxMs?: number;
  /** Each attempt's longest run. 100 ms to 7 days. */
  attemptTimeoutMs?: number;
  /** The longest time without progress or checkpoint; 0 is no limit. 0 to 7 days. */
  stallTimeoutMs?: number;
  /** How long the operation is kept when it is done. 1 s to 3,650 days. */
  retentionMs?: number;
}

/** What an operation starts with, whoever calls. */
export interface StartFields extends RunOptions {
  payload?: JsonObject;
  /** Makes the start idempotent: 1-128 characters. */
  requestId?: string;
  labels?: Record<string, string>;
  /** 0-256 characters. */
  description?: string;
  /** "" or for instance `projects/p/locations/l`. */
  parent?: string;
  /** The operation ends FAILED (DEADLINE_EXCEEDED) if it is not done by then. */
  deadline?: Date;
  /** How long the handler may take to stop by itself; default the type's. */
  graceMs?: number;
  /** false: cancel is refused with UNIMPLEMENTED. */
  cancellable?: boolean;
  /** Higher ones start first: -100 to 100. Default 0. */
  priority?: number;
  /** The work does not start before this time has passed. 0 to 365 days. */
  startDelayMs?: number;
  /** Operations of this type with the same key share `keyLimit`. 0-256 characters. */
  concurrencyKey?: string;
  /** How many operations of this type and key may run at once: 1-10,000. Default the type's. */
  keyLimit?: number;
  /** Live operations of this type with the same key are cancelled, with the cause "superseded". 0-256 characters. */
  supersedeKey?: string;
  /** Cancelled, with the cause "unwatched", when nobody has watched or waited for this long: 1 s to 30 days. */
  unwatchedTimeoutMs?: number;
}

/** One start of a batch. */
export interface StartRequest extends StartFields {
  type: string;
}

export interface StartOptions extends StartFields, CallOptions {
  /**
   * Cancels the operation when this signal aborts, also while the start is under way, with the message of the signal's
   * reason as the reason. It only counts as long as this process lives; an operation that must not outlive its caller
   * wants `unwatchedTimeoutMs`, too. (`signal` is something else: it ends the call, and never the operation.)
   * A cancel that is refused, or that does not reach the server within 30 s, is told by the handle's `wait()` and
   * `result()`, which reject with it.
   */
  cancelOn?: AbortSignal;
}

export interface ListOptions extends CallOptions {
  /** AIP-160; default all. */
  filter?: string;
  parent?: string;
  /** 1-1000; default 50. */
  pageSize?: number;
  pageToken?: string;
  /** Default "create_time desc". */
  orderBy?: "create_time desc" | "create_time";
  /** Deleted operations that are still there, too. Default false. */
  showDeleted?: boolean;
}

export interface OperationPage {
  /** Without payloads, checkpoints, attempts and children: `get` has them. */
  operations: Operation[];
  /** "" at the end. A page may be short, even empty, and still have a token. */
  nextPageToken: string;
}

export interface WaitOptions extends CallOptions {
  /** Default: no limit. */
  timeoutMs?: number;
}

/** How a cancel proceeds. */
export interface CancelHow {
  /** Overrides the type's grace; it can only shorten one that is already running. 0 to 10 minutes. */
  graceMs?: number;
  /** No grace, no critical section: stop it by force at once. It needs the permission to force. */
  force?: boolean;
}

export interface CancelOptions extends CancelHow, CallOptions {
  /** Why: stored in the receipt and shown to the handler; 0-1024 characters. */
  reason?: string;
  /** Answer when the operation is done, or after this time at the latest. Default: at once. */
  waitMs?: number;
  /** For whom the caller acts; stored in the receipt. 0-256 characters. */
  onBehalfOf?: string;
  /** Only if the operation still has this etag; else the call rejects with ABORTED (ETAG_MISMATCH). */
  etag?: string;
}

export interface CancelOperationsOptions extends CancelHow, CallOptions {
  reason?: string;
  onBehalfOf?: string;
  /** Only operations of this parent. */
  parent?: string;
  /** Makes the call idempotent: 1-128 characters. */
  requestId?: string;
}

export type VerdictName = Exclude<keyof typeof Verdict, "VERDICT_UNSPECIFIED">;

export interface CancelResult {
  /** What the request met. */
  verdict: VerdictName;
  operation: Operation;
}

export interface PreviewResult extends CancelResult {
  /** What would stop, what would run on, and how long it usually takes. */
  preview: CancelPreview;
}

export interface RerunOptions extends CallOptions {
  /** Makes the call idempotent: 1-128 characters. */
  requestId?: string;
}

export interface ReleaseOptions extends CallOptions {
  /** How it is known that the work is gone. 1-1024 characters. */
  reason: string;
  onBehalfOf?: string;
}

export interface ExportOptions extends CallOptions {
  /** Entries after this sequence number; default 0n: from the beginning. */
  after?: bigint;
  /** Entries of a page: 1-1000; default 500. */
  pageSize?: number;
}

/** A part of the chain of receipts. */
export type ReceiptChainPage = ExportReceiptsResponse;

export interface WatchOptions extends CallOptions {
  /** Only these operations. The watch ends when all of them are done. At most 10,000. */
  names?: readonly string[];
  /** AIP-160: operations that match it as they stand when a change of theirs is told. */
  filter?: string;
  /** Only operations of this parent. */
  parent?: string;
  /** First the present state of everything that is watched. Default true, unless there is a resume token. */
  initial?: boolean;
  /** Goes on after the event that had it. */
  resumeToken?: string;
  /** How long the server may be away before the watch gives up, in milliseconds. Default 60,000; Infinity for ever. */
  awayMaxMs?: number;
}

/**
 * What a watch tells. `present` is a state as it stood when the watch began; after a broken connection it may be told
 * again. `caughtUp` follows the last of them, once. `change` is one visible change: of each operation they come in order,
 * without a gap.
 */
export type WatchEvent =
  | { type: "present"; event: OperationEvent; resumeToken: string }
  | { type: "change"; event: OperationEvent; resumeToken: string }
  | { type: "caughtUp"; resumeToken: string };
