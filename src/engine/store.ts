// The store port. A store makes batches of commands durable and reads operations; it holds no rule of its own.
import type { Clock, Instant } from "../base/clock.ts";
import type { Command, CommandOutcome } from "./commands.ts";
import type { OperationDetail, OperationKey, StoredOperation, StoredReceipt } from "./operation.ts";

/** What a commit tells besides the outcomes: enough to wake waiters, workers and timers. */
export interface CommitResult {
  /** One for each command, in order. */
  outcomes: readonly (CommandOutcome | CommitFailure)[];
  /** Every operation that the commit changed, as it now stands. */
  changed: readonly StoredOperation[];
}

export interface ListQuery {
  service: string;
  tenant: string;
  /** `""` lists `operations/*`; otherwise the parent whose operations are listed. */
  parent: string;
  /** AIP-160; `""` for all. */
  filter: string;
  /** Already within limits: 1-1000. */
  pageSize: number;
  /** `""` for the first page. */
  pageToken: string;
}

export interface ListPage {
  operations: readonly StoredOperation[];
  /** `""` at the end. A page may be short, even empty, and still have a token: scans are bounded. */
  nextPageToken: string;
}

/** What is still to do when a server starts: read once by the engine. */
export interface PendingWork {
  /** The earliest timer of any operation, or null. */
  nextTimer: Instant | null;
  /** The earliest start of a pending, unassigned operation, or null. */
  nextStart: Instant | null;
}

/**
 * A durable store of operations.
 *
 * `commit` is one transaction: it loads the read set, runs `decide`, writes, and resolves only after the
 * commit is durable (G9). A command that breaks its batch fails alone: the batch is bisected, the others are
 * committed without it, and its own outcome is a CommitFailure.
 * Reads see every commit that was acknowledged before they were called (S14).
 */
export interface Store {
  readonly clock: Clock;
  /** Throws RpcError STORAGE_FULL or STORAGE_UNAVAILABLE for the whole batch. */
  commit(commands: readonly Command[]): Promise<CommitResult>;
  getOperation(key: OperationKey): Promise<StoredOperation | undefined>;
  getOperationDetail(key: OperationKey): Promise<OperationDetail | undefined>;
  /** Throws RpcError INVALID_FILTER or INVALID_PAGE_TOKEN. Deleted operations are left out. */
  listOperations(query: ListQuery): Promise<ListPage>;
  getReceipt(key: OperationKey): Promise<StoredReceipt | undefined>;
  pendingWork(): Promise<PendingWork>;
  /** The sessions that are open in the store: those of a former process too. */
  listSessions(): Promise<readonly { session: string; kind: "embedded" | "remote"; bootId: string }[]>;
  /** Removes done operations past their retention, request keys, old feed and audit rows; at most `limit` operations. Answers how many. */
  purge(limit: number): Promise<number>;
  /** Copies the live database to a file, consistent, while commits go on. */
  backup(path: string): Promise<void>;
  /** A point read without waiting, if the store has it at hand; undefined says nothing. */
  peekOperation(key: OperationKey): StoredOperation | undefined;
  close(): Promise<void>;
}

/** In `CommitResult.outcomes`, for a command that the database refused by itself. A bug, or a full disk. */
export interface CommitFailure {
  type: "failed";
  message: string;
  /** The disk is full, and this was no delete: the caller gets STORAGE_FULL. */
  reason?: "STORAGE_FULL";
}
