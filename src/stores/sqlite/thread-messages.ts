// What the store's threads say to the main thread, and how an error crosses.

import type { ErrorReason } from "../../base/error-reasons.ts";
import { type ErrorParameters, type FieldViolation, RpcError } from "../../base/rpc-error.ts";
import type { SlotKey } from "../../engine/decision.ts";
import type { OperationDetail, OperationKey, StoredReceipt } from "../../engine/operation.ts";
import type {
  ChainEntry,
  ChildSummary,
  DeclaredType,
  FeedQuery,
  ListPage,
  ListQuery,
  LiveCounts,
  OpenSession,
  PendingWork,
  SlotUsers,
  Store,
  UnchainedEvent,
} from "../../engine/store.ts";
import type { GrantRow } from "../detail-rows.ts";
import type { FeedPageMessage } from "../feed-page.ts";
import type { ListedRow, StoredRow } from "../operation-rows.ts";
import type { TokenKey } from "../sealed-token.ts";
import type { CommandMessage } from "./command-message.ts";
import type { CommitMessage } from "./commit-message.ts";
import { describeSqliteError, sqliteFailure } from "./sqlite-failure.ts";
import type { ClockSource } from "./store-clock.ts";

/** Names an operation in a message. */
export type KeyParts = readonly [service: string, tenant: string, name: string];

export function keyParts(key: OperationKey): KeyParts {
  return [key.service, key.tenant, key.name];
}

/** The calls that the writer's thread answers. */
export interface WriterCalls {
  commit(commands: CommandMessage): CommitMessage;
  pendingWork(): PendingWork;
  listSessions(): readonly OpenSession[];
  sessionGrants(session: string): readonly GrantRow[];
  liveCounts(): readonly LiveCounts[];
  heldCount(): number;
  stoppingOperations(type: string, limit: number): readonly KeyParts[];
  listTypes(): readonly DeclaredType[];
  putTypes(types: readonly DeclaredType[]): void;
  dropTypes(types: readonly string[]): void;
  unchainedEvents(limit: number): readonly UnchainedEvent[];
  chainHead(service: string, tenant: string): ChainEntry | undefined;
  appendChain(...appended: Parameters<Store["appendChain"]>): void;
  /** Answers which operations are gone. */
  purge(limit: number): readonly KeyParts[];
  close(): void;
}

/** The calls that a reader's thread answers. */
export interface ReaderCalls {
  /** One row for each key, in order. */
  getOperations(keys: readonly KeyParts[]): readonly (StoredRow | null)[];
  getOperationDetail(key: KeyParts): DetailMessage | null;
  getReceipt(key: KeyParts): StoredReceipt | null;
  listOperations(query: ListQuery): PageMessage;
  listChildren(key: KeyParts, limit: number): readonly ChildSummary[];
  slotUsers(slot: SlotKey, limit: number): SlotUsers;
  /** Durations in milliseconds, newest first. */
  cancelDurations(service: string, tenant: string, type: string): readonly number[];
  readFeed(query: FeedMessageQuery): FeedMessage;
  feedPosition(): number;
  newestTokenKey(): TokenKey;
  tokenKeyBytes(id: number): Uint8Array | undefined;
  readChain(query: Parameters<Store["readChain"]>[0]): Awaited<ReturnType<Store["readChain"]>>;
  backup(path: string): void;
  close(): void;
}

/** An OperationDetail with its operation as a row. */
export interface DetailMessage extends Omit<OperationDetail, "record" | "response" | "metadata"> {
  row: StoredRow;
}

/** A ListPage with its operations as rows. */
export interface PageMessage extends Omit<ListPage, "operations"> {
  rows: readonly ListedRow[];
}

/**
 * A FeedQuery whose names are known by a number: up to 10,000 of them go to the reader's thread once, and not with each
 * read.
 */
export interface FeedMessageQuery extends Omit<FeedQuery, "names"> {
  names: { id: number; names: readonly string[] | null } | null;
}

/** A page; "names unknown" asks for the names again. */
export type FeedMessage = "names unknown" | FeedPageMessage;

export interface WriterOptions {
  folder: string;
  busyTimeoutMs: number;
  /** Only for tests: instead of the anchored clock. */
  clock: ClockSource | null;
}

export interface ReaderOptions {
  folder: string;
  busyTimeoutMs: number;
  clock: ClockSource;
}

/** The first message of a thread, once. `line` is for the operator. */
export type ThreadOpened<Value> = { type: "opened"; value: Value } | { type: "openFailed"; line: string };

/** What a thread says unasked. `fatal` comes at most once: nothing is acknowledged after it. */
export type ThreadEvent = { type: "fatal"; line: string } | { type: "notice"; line: string };

export type ThreadReply =
  | { type: "reply"; id: number; value: unknown }
  | { type: "error"; id: number; error: ThreadError };

export interface ThreadCall {
  id: number;
  method: string;
  args: readonly unknown[];
}

/** How long a caller may wait before it tries again what a locked or failing database refused. */
const RETRY_DELAY_MS = 1000;

/** STORAGE_UNAVAILABLE for an error of the database. */
export function storageUnavailable(cause: unknown): RpcError {
  return new RpcError("STORAGE_UNAVAILABLE", {}, { retryDelayMs: RETRY_DELAY_MS, cause });
}

/** An error as data. Without a reason it is a bug of ours, and the text is for the log only. */
export interface ThreadError {
  reason: ErrorReason | null;
  parameters: ErrorParameters;
  fieldViolations: readonly FieldViolation[];
  retryDelayMs: number | null;
  text: string;
}

export function encodeError(error: unknown): ThreadError {
  if (error instanceof RpcError) {
    const { reason, parameters, fieldViolations, retryDelayMs = null, cause } = error;
    const text = cause === undefined ? "" : describeSqliteError(cause);
    return { reason, parameters, fieldViolations, retryDelayMs, text };
  }
  if (sqliteFailure(error) !== "command") return encodeError(storageUnavailable(error));
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return { reason: null, parameters: {}, fieldViolations: [], retryDelayMs: null, text };
}

export function decodeError(error: ThreadError): Error {
  const { reason, parameters, fieldViolations, retryDelayMs, text } = error;
  if (reason === null) return new Error(`the store failed: ${text}`);
  const retry = retryDelayMs === null ? {} : { retryDelayMs };
  const cause = text === "" ? {} : { cause: text };
  return new RpcError(reason, parameters, { fieldViolations, ...retry, ...cause });
}
