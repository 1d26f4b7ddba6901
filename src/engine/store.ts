// The store port. A store makes batches of commands durable and reads operations; it holds no rule of its own.
import type { Clock, Instant } from "../base/clock.ts";
import type { Command, CommandOutcome, Grant } from "./commands.ts";
import type { FeedEvent, SessionRecord, SlotKey } from "./decision.ts";
import type {
  OperationDetail,
  OperationKey,
  OperationPolicy,
  OperationState,
  ReceiptEvent,
  StoredOperation,
  StoredReceipt,
} from "./operation.ts";

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
  /** Deleted operations that are still there, too. Default false. */
  showDeleted?: boolean;
  /** AIP-132: `""` or `create_time desc`, or `create_time`. */
  orderBy?: string;
}

/** A row of a list. */
export interface ListedOperation extends StoredOperation {
  labels: Readonly<Record<string, string>>;
}

/** Which events of the feed are wanted: all of a tenant, those of some names, or those of operations that match a filter. */
export interface FeedQuery {
  service: string;
  tenant: string;
  /** As in ListQuery; null: every parent. */
  parent: string | null;
  /** AIP-160 over the operation as it stands when the event is read; `""` for all. */
  filter: string;
  /** Only these; null: all. */
  names: readonly string[] | null;
  /** Events after this position of the feed. */
  after: number;
  limit: number;
}

export interface FeedEntry extends FeedEvent {
  position: number;
  /** As it stands now, which may be later than the event; null once it is purged. */
  operation: ListedOperation | null;
}

export interface FeedPage {
  entries: readonly FeedEntry[];
  /** Everything up to here was looked at, matching or not: where the next read goes on. */
  position: number;
  /** True if the read reached the end of the feed. */
  isAtEnd: boolean;
}

/** An open session with what it holds. */
export interface OpenSession extends SessionRecord {
  /** Operations with a begun lease. */
  running: number;
  /** Operations reserved, and not begun. */
  reserved: number;
  /** Operations that are held: taken away, and perhaps still running. */
  held: number;
}

/** An operation type as a remote worker declared it. */
export interface DeclaredType {
  type: string;
  policy: OperationPolicy;
}

/** A child as its parent's Get shows it. */
export interface ChildSummary {
  service: string;
  name: string;
  type: string;
  state: OperationState;
  policy: "cancel" | "abandon" | "wait";
  detached: boolean;
}

/** How long cancels of a type took from the request to the end, of the newest hundred that stopped. */
export interface CancelHistory {
  count: number;
  p50Ms: number;
  p90Ms: number;
  maxMs: number;
}

/** The operations that use a slot of a type's or key's limit: for Explain. */
export interface SlotUsers {
  used: number;
  names: readonly string[];
}

/** Live operations by service, type and state, and the oldest pending start that is due: for metrics and Explain. */
export interface LiveCounts {
  service: string;
  type: string;
  state: OperationState;
  count: number;
  /** Of pending ones: the earliest instant at which one could have started, or null. */
  oldestStart: Instant | null;
}

/** One link of a receipt chain: an event of a receipt, sealed. Plain data; src/engine/receipts/ makes and checks it. */
export interface ChainEntry {
  service: string;
  tenant: string;
  /** 1, 2, 3, ... for each (service, tenant). */
  sequence: number;
  /** The operation's name. */
  name: string;
  /** The canonical JSON of the event: what is hashed, with every principal replaced by its salted hash. */
  content: string;
  /** base64url SHA-256 of the previous hash and the content. */
  hash: string;
}

/** A signature over the head of a chain. */
export interface ChainCheckpoint {
  service: string;
  tenant: string;
  sequence: number;
  hash: string;
  time: Instant;
  /** The id of the Ed25519 key. */
  keyId: string;
  /** base64url. */
  signature: string;
}

/** An event that no chain holds yet. */
export interface UnchainedEvent extends OperationKey {
  /** The event's place among all events of the store. */
  position: number;
  type: string;
  event: ReceiptEvent;
}

export interface ListPage {
  operations: readonly ListedOperation[];
  /** `""` at the end. A page may be short, even empty, and still have a token: scans are bounded. */
  nextPageToken: string;
}

/** What is still to do when a server starts: read once by the engine. */
export interface PendingWork {
  /** When the first lease of a remote session passes, or null. */
  nextLeaseEnd: Instant | null;
  /** True if closed parents have children that were not told yet. */
  hasUnsweptChildren: boolean;
  /** The earliest timer of any operation, or null. */
  nextTimer: Instant | null;
  /** The earliest start of a pending, unassigned operation, or null. */
  nextStart: Instant | null;
}

/** A visible change that another process committed. */
export interface RemoteChange extends FeedEvent {
  type: string;
  /** A client has deleted it. */
  isDeleted: boolean;
}

/** Who is told what other processes commit to a shared store. */
export interface StoreFollower {
  /**
   * Changes that this process did not commit, in the order of the feed, each at least once and within half a second of
   * its commit, with notifications lost, too. How an operation stands now has to be read. `position`: of the feed
   * everything up to here was told, by this call or before it, or is of this process's own commits. It may come without
   * changes, to move on past those. `feed` is the one that it is a position of; "" where the store has only one.
   */
  changed(changes: readonly RemoteChange[], position: number, feed?: string): void;
  /** Pending operations of these types may be ready to start; null: of any type. */
  ready(types: ReadonlySet<string> | null): void;
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
  /** Null for a store of one database. */
  readonly places: StorePlaces | null;
  getOperation(key: OperationKey): Promise<StoredOperation | undefined>;
  getOperationDetail(key: OperationKey): Promise<OperationDetail | undefined>;
  /** Throws RpcError INVALID_FILTER or INVALID_PAGE_TOKEN. Deleted operations are left out. */
  listOperations(query: ListQuery): Promise<ListPage>;
  getReceipt(key: OperationKey): Promise<StoredReceipt | undefined>;
  pendingWork(): Promise<PendingWork>;
  /** The sessions that are open in the store: those of a former process too. */
  listSessions(): Promise<readonly OpenSession[]>;
  /**
   * All that a session holds by lease, reserved or begun, with what a grant carries: for a worker that comes back. And
   * what was taken from it and may still run (`record.held` names it): that keeps it from new work.
   */
  sessionGrants(session: string): Promise<readonly Grant[]>;
  /** Children of an operation, oldest first; at most `limit`. */
  listChildren(key: OperationKey, limit: number): Promise<readonly ChildSummary[]>;
  /**
   * Events of the feed in commit order, without a gap (S17). Throws RpcError RESUME_TOKEN_EXPIRED when events after
   * `after` are gone already, INVALID_FILTER.
   */
  readFeed(query: FeedQuery): Promise<FeedPage>;
  /** The feeds of the store: one ("") in a store of one database. Positions of two feeds cannot be compared. */
  readonly feeds: readonly string[];
  /** The feed that has the events of a service and tenant. */
  feedOf(scope: { service: string; tenant: string }): string;
  /** The position of the newest event of a feed (default the only one); 0 for an empty feed. */
  feedPosition(feed?: string): Promise<number>;
  /** A token that only this store reads, for the caller's `service` and `tenant`; and back. `openToken` throws RpcError INVALID_RESUME_TOKEN. */
  sealToken(scope: { service: string; tenant: string }, position: number): Promise<string>;
  openToken(scope: { service: string; tenant: string }, token: string): Promise<number>;
  /** The operation types that remote workers have declared, with their policies. */
  listTypes(): Promise<readonly DeclaredType[]>;
  /** Adds or replaces declared types. */
  putTypes(types: readonly DeclaredType[]): Promise<void>;
  /** Forgets declared types; those that are not there are left out. */
  dropTypes(types: readonly string[]): Promise<void>;
  cancelHistory(service: string, tenant: string, type: string): Promise<CancelHistory>;
  liveCounts(): Promise<readonly LiveCounts[]>;
  /** Operations of which an attempt was taken away and may still run (`held`), done ones too: for metrics. */
  heldCount(): Promise<number>;
  /**
   * Operations of a type that are CANCELLING, or of which an attempt was taken away and may still run, the oldest first; at
   * most `limit`.
   */
  stoppingOperations(type: string, limit: number): Promise<readonly OperationKey[]>;
  /** True if one commit can hold operations of both: a parent and its child. */
  isTogether(one: { service: string; tenant: string }, other: { service: string; tenant: string }): boolean;
  /** Who uses a slot (begun or reserved lease, or held), oldest first; at most `limit` names. `used` counts all of them. */
  slotUsers(slot: SlotKey, limit: number): Promise<SlotUsers>;
  /** Events that are in no chain yet, in commit order; at most `limit`. */
  unchainedEvents(limit: number): Promise<readonly UnchainedEvent[]>;
  /** The newest entry of a chain, or undefined. */
  chainHead(service: string, tenant: string): Promise<ChainEntry | undefined>;
  /** Appends entries (each with its event's position) and checkpoints in one transaction; throws if a sequence is taken. */
  appendChain(
    entries: readonly (ChainEntry & { position: number })[],
    checkpoints: readonly ChainCheckpoint[],
  ): Promise<void>;
  /** A part of a chain, in its order, with the checkpoints whose sequence lies in it. */
  readChain(query: {
    service: string;
    tenant: string;
    after: number;
    limit: number;
  }): Promise<{ entries: readonly ChainEntry[]; checkpoints: readonly ChainCheckpoint[] }>;
  /** Removes done operations past their retention, request keys, old feed and audit rows; at most `limit` operations. Answers how many. */
  purge(limit: number): Promise<number>;
  /** Copies the live database to a file, consistent, while commits go on. */
  backup(path: string): Promise<void>;
  /** Other processes commit to it, too: every lease is timed, and what they do is told by `follow`. */
  readonly isShared: boolean;
  /** Tells what other processes commit, from now on; one follower a store. */
  follow(follower: StoreFollower): { close(): void };
  /** A point read without waiting, if the store has it at hand; undefined says nothing. */
  peekOperation(key: OperationKey): StoredOperation | undefined;
  close(): Promise<void>;
}

/**
 * Several databases as one store. Each takes batches of its own: one that is slow, or away, holds up no command that concerns
 * another.
 */
export interface StorePlaces {
  /** The commits of each database. */
  readonly stores: readonly Pick<Store, "commit">[];
  /** The database of a service and tenant, as an index. */
  placeOf(scope: { service: string; tenant: string }): number;
  /**
   * Sends a command to each database that it concerns, and answers for all of them. Rejects as a commit of one database does, if
   * none of those took it that must. A grant is handed out with the commit of its own database, before this resolves.
   */
  submit(command: Command, ports: PlacePorts): Promise<CommandOutcome>;
}

/** How a command is sent to one of several databases. */
export interface PlacePorts {
  send(place: number, command: Command): Promise<CommandOutcome>;
  /** True if the session has work of that database in hand; undefined if it is not known here. */
  holds(session: string, place: number): boolean | undefined;
  /** A database that was asked for work did not answer: what it may have granted the session is not known. */
  acquireUnanswered(session: string): void;
  /** The session may ask for work again. */
  workMayBeReady(session: string): void;
}

/** In `CommitResult.outcomes`, for a command that the database refused by itself. A bug, or a full disk. */
export interface CommitFailure {
  type: "failed";
  message: string;
  /** The disk is full, and this was no delete: the caller gets STORAGE_FULL. */
  reason?: "STORAGE_FULL";
}
