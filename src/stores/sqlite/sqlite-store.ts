// The embedded store: the port of src/engine/store.ts over SQLite. This file is the main thread's side: it hands
// batches to the writer's thread, reads to the readers' threads, and keeps what was last seen at hand.
import type { Clock, Instant } from "../../base/clock.ts";
import { RpcError } from "../../base/rpc-error.ts";
import type { Command, Grant } from "../../engine/commands.ts";
import type { SlotKey } from "../../engine/decision.ts";
import type {
  OperationDetail,
  OperationKey,
  OperationState,
  StoredOperation,
  StoredReceipt,
} from "../../engine/operation.ts";
import type {
  CancelHistory,
  ChainEntry,
  ChildSummary,
  CommitResult,
  DeclaredType,
  FeedPage,
  FeedQuery,
  ListedOperation,
  ListPage,
  ListQuery,
  LiveCounts,
  OpenSession,
  PendingWork,
  SlotUsers,
  Store,
  UnchainedEvent,
} from "../../engine/store.ts";
import { cancelHistoryOf } from "../cancel-history.ts";
import { rowToGrant } from "../detail-rows.ts";
import {
  type ListedRow,
  rowBytes,
  rowToLabels,
  rowToStoredOperation,
  type StoredRow,
} from "../operation-rows.ts";
import { PointReads } from "../point-reads.ts";
import { openResumeToken, type ResumeScope, requireSameHistory, sealResumeToken } from "../resume-token.ts";
import { TokenKeyring } from "../token-keyring.ts";
import { cachedPointReads } from "./cached-point-reads.ts";
import { encodeCommands } from "./command-message.ts";
import { decodeCommitResult } from "./commit-message.ts";
import { databasePath } from "./data-folder.ts";
import { holdLog } from "./database.ts";
import { FeedNames } from "./feed-names.ts";
import { OperationCache } from "./operation-cache.ts";
import { clockOf, type SharedClock } from "./store-clock.ts";
import { ThreadClient } from "./thread-client.ts";
import {
  keyParts,
  type ReaderCalls,
  type ReaderOptions,
  type ThreadEvent,
  type WriterCalls,
  type WriterOptions,
} from "./thread-messages.ts";
import type { WriterOpened } from "./writer-thread.ts";

export { StoreOpenError } from "../store-open-error.ts";

export interface SqliteStoreOptions {
  /** Called once when the disk or the database failed: nothing is acknowledged any more, the process must end. */
  onFatal?(line: string): void;
  /** What an operator should know: the disk is full, there is room again. */
  onNotice?(line: string): void;
  /** Operations kept at hand on the main thread; default 32 MiB. */
  cacheBytes?: number;
  /** How long a commit waits for a foreign lock of the database; default 5,000. */
  busyTimeoutMs?: number;
  /** Only for tests: a clock that is moved by hand. */
  clock?: SharedClock;
}

const CACHE_BYTES = 32 * 1024 * 1024;
const BUSY_TIMEOUT_MS = 5000;

type Reader = ThreadClient<ReaderCalls>;
type ReaderKind = "points" | "lists" | "feed";

/** A store in one folder, owned by one process. */
export class SqliteStore implements Store {
  readonly clock: Clock;
  readonly isShared = false;
  readonly places = null;
  readonly feeds: readonly string[] = [""];
  readonly #writer: ThreadClient<WriterCalls>;
  readonly #options: SqliteStoreOptions;
  readonly #readerOptions: ReaderOptions;
  readonly #cache: OperationCache;
  readonly #points: PointReads;
  /** A long scan of a list holds up no Get, and no watch. Started when first used. */
  readonly #readers = new Map<ReaderKind, Promise<Reader>>();
  readonly #feedNames = new FeedNames();
  readonly #tokenKeys: TokenKeyring;
  /** Under way. */
  #commits = 0;
  #fatalLine: string | null = null;
  #closing: Promise<void> | null = null;

  private constructor(writer: ThreadClient<WriterCalls>, opened: WriterOpened, options: SqliteStoreOptions) {
    this.#writer = writer;
    this.#options = options;
    this.#readerOptions = {
      folder: opened.folder,
      busyTimeoutMs: options.busyTimeoutMs ?? BUSY_TIMEOUT_MS,
      clock: opened.clock,
    };
    this.clock = clockOf(opened.clock);
    this.#cache = new OperationCache(options.cacheBytes ?? CACHE_BYTES);
    this.#points = new PointReads(cachedPointReads(this.#cache, () => this.#reader("points")));
    this.#tokenKeys = new TokenKeyring(this.clock, {
      newest: async () => (await this.#reader("feed")).call("newestTokenKey"),
      bytesOf: async (id) => (await this.#reader("feed")).call("tokenKeyBytes", id),
    });
  }

  /**
   * Opens the store in a folder, which is made if it is missing; the schema is brought up to date. Throws
   * StoreOpenError, whose message is one line for the operator: in use, not writable, no database, a newer schema.
   */
  static async open(folder: string, options: SqliteStoreOptions = {}): Promise<SqliteStore> {
    const { busyTimeoutMs = BUSY_TIMEOUT_MS, clock } = options;
    const data: WriterOptions = {
      folder,
      busyTimeoutMs,
      clock: clock ? { kind: "shared", buffer: clock.buffer } : null,
    };
    let store: SqliteStore | undefined;
    const { client, value } = await ThreadClient.start<WriterCalls, WriterOpened>({
      module: "writer-thread",
      name: "belay-writer",
      data,
      onEvent: (event) => {
        if (store) store.#hear(event);
        else if (event.type === "notice") options.onNotice?.(event.line);
        else options.onFatal?.(event.line);
      },
      onDied: (cause) => {
        if (store) store.#fatal(`the store's writer is gone: ${cause}; restart Belay`);
      },
    });
    store = new SqliteStore(client, value, options);
    return store;
  }

  async commit(commands: readonly Command[]): Promise<CommitResult> {
    this.#requireOpen();
    if (commands.length === 0) return { outcomes: [], changed: [] };
    this.#commits++;
    try {
      const message = await this.#writer.call("commit", encodeCommands(commands));
      const { outcomes, changed, changedBytes } = decodeCommitResult(message);
      let index = 0;
      for (const stored of changed) this.#cache.committed(stored, changedBytes[index++] ?? 0);
      return { outcomes, changed };
    } catch (error) {
      if (!(error instanceof RpcError && error.reason === "STORAGE_FULL")) this.#cache.clear();
      throw error instanceof RpcError || this.#fatalLine === null ? error : unavailable(error);
    } finally {
      this.#commits--;
    }
  }

  peekOperation(key: OperationKey): StoredOperation | undefined {
    return this.#cache.get(key);
  }

  async getOperation(key: OperationKey): Promise<StoredOperation | undefined> {
    return this.#cache.get(key) ?? this.#points.read(key);
  }

  async getOperationDetail(key: OperationKey): Promise<OperationDetail | undefined> {
    const reader = await this.#reader("points");
    const detail = await reader.call("getOperationDetail", keyParts(key));
    if (!detail) return undefined;
    const { row, ...rest } = detail;
    const stored = rowToStoredOperation(row);
    this.#cache.seen(stored, rowBytes(row), true);
    return { ...stored, ...rest };
  }

  async listOperations(query: ListQuery): Promise<ListPage> {
    const reader = await this.#reader("lists");
    const page = await reader.call("listOperations", query);
    // No later Get may answer an older state than this page showed (S14). While commits are under way the page may
    // be ahead of their replies, so then it is kept.
    const keep = this.#commits > 0;
    const operations = page.rows.map((row) => this.#seen(row, keep));
    return { operations, nextPageToken: page.nextPageToken };
  }

  #seen(row: ListedRow, keep: boolean): ListedOperation {
    const stored = rowToStoredOperation(row as unknown as StoredRow);
    return { ...this.#cache.seen(stored, rowBytes(row), keep), labels: rowToLabels(row) };
  }

  async readFeed(query: FeedQuery): Promise<FeedPage> {
    const reader = await this.#reader("feed");
    const page = await this.#feedNames.read(query, reader);
    const keep = this.#commits > 0;
    const operations = page.rows.map((row) => this.#seen(row, keep));
    const { service, tenant } = query;
    const entries = page.events.map(([position, name, revision, state, time, row]) => ({
      ...{ position, service, tenant, name, revision, state: state as OperationState, time },
      operation: operations[row] ?? null,
    }));
    return { entries, position: page.position, isAtEnd: page.isAtEnd };
  }

  feedOf(): string {
    return "";
  }

  async feedPosition(): Promise<number> {
    const reader = await this.#reader("feed");
    return reader.call("feedPosition");
  }

  async sealToken(scope: ResumeScope, position: number): Promise<string> {
    const told = { position, sealTime: this.clock.now() };
    return sealResumeToken(await this.#tokenKeys.newest(), scope, told);
  }

  async openToken(scope: ResumeScope, token: string): Promise<number> {
    const claims = openResumeToken(token, await this.#tokenKeys.keysFor(token), scope);
    const [newest, time] = await Promise.all([this.feedPosition(), this.#eventTime(scope, claims.position)]);
    requireSameHistory(claims, { newest, time });
    return claims.position;
  }

  /** Null where the event is not of this scope, or is gone: then only the end of the feed tells what was lost. */
  async #eventTime(scope: ResumeScope, position: number): Promise<Instant | null> {
    const query = { ...scope, parent: null, filter: "", names: null, after: position - 1, limit: 1 };
    const page = await this.readFeed(query).catch(() => null);
    const [entry] = page?.entries ?? [];
    return entry?.position === position ? entry.time : null;
  }

  async getReceipt(key: OperationKey): Promise<StoredReceipt | undefined> {
    const reader = await this.#reader("points");
    return (await reader.call("getReceipt", keyParts(key))) ?? undefined;
  }

  pendingWork(): Promise<PendingWork> {
    return this.#call("pendingWork");
  }

  listSessions(): Promise<readonly OpenSession[]> {
    return this.#call("listSessions");
  }

  async sessionGrants(session: string): Promise<readonly Grant[]> {
    const rows = await this.#call("sessionGrants", session);
    return rows.map(rowToGrant);
  }

  liveCounts(): Promise<readonly LiveCounts[]> {
    return this.#call("liveCounts");
  }

  heldCount(): Promise<number> {
    return this.#call("heldCount");
  }

  async stoppingOperations(type: string, limit: number): Promise<readonly OperationKey[]> {
    const rows = await this.#call("stoppingOperations", type, limit);
    return rows.map(([service, tenant, name]) => ({ service, tenant, name }));
  }

  isTogether(): boolean {
    return true;
  }

  listTypes(): Promise<readonly DeclaredType[]> {
    return this.#call("listTypes");
  }

  putTypes(types: readonly DeclaredType[]): Promise<void> {
    return this.#call("putTypes", types);
  }

  dropTypes(types: readonly string[]): Promise<void> {
    return this.#call("dropTypes", types);
  }

  unchainedEvents(limit: number): Promise<readonly UnchainedEvent[]> {
    return this.#call("unchainedEvents", limit);
  }

  chainHead(service: string, tenant: string): Promise<ChainEntry | undefined> {
    return this.#call("chainHead", service, tenant);
  }

  appendChain(...appended: Parameters<Store["appendChain"]>): Promise<void> {
    return this.#call("appendChain", ...appended);
  }

  async readChain(query: Parameters<Store["readChain"]>[0]): ReturnType<Store["readChain"]> {
    const reader = await this.#reader("lists");
    return reader.call("readChain", query);
  }

  async listChildren(key: OperationKey, limit: number): Promise<readonly ChildSummary[]> {
    const reader = await this.#reader("points");
    return reader.call("listChildren", keyParts(key), limit);
  }

  async slotUsers(slot: SlotKey, limit: number): Promise<SlotUsers> {
    const reader = await this.#reader("points");
    return reader.call("slotUsers", slot, limit);
  }

  async cancelHistory(service: string, tenant: string, type: string): Promise<CancelHistory> {
    const reader = await this.#reader("points");
    return cancelHistoryOf(await reader.call("cancelDurations", service, tenant, type));
  }

  async purge(limit: number): Promise<number> {
    const purged = await this.#call("purge", limit);
    for (const [service, tenant, name] of purged) this.#cache.removed({ service, tenant, name });
    return purged.length;
  }

  async backup(path: string): Promise<void> {
    const reader = await this.#reader("lists");
    await reader.call("backup", path);
  }

  /** A folder is one process's: there is nobody to follow. */
  follow(): { close(): void } {
    return { close() {} };
  }

  /** Ends the threads; the database is left in one file. After a fatal failure nothing is written any more. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    // Readers first: the last connection to close is the one that may write the log back.
    for (const reader of this.#readers.values()) {
      await reader.then(
        (client) => client.close(),
        () => undefined,
      );
    }
    if (this.#fatalLine === null) await this.#writer.close();
    else await this.#writer.terminate();
  }

  async #call<M extends keyof WriterCalls>(
    method: M,
    ...args: Parameters<WriterCalls[M]>
  ): Promise<ReturnType<WriterCalls[M]>> {
    this.#requireOpen();
    return (await this.#writer.call(method, ...(args as never))) as ReturnType<WriterCalls[M]>;
  }

  #reader(kind: ReaderKind): Promise<Reader> {
    this.#requireOpen();
    const known = this.#readers.get(kind);
    if (known) return known;
    const started = ThreadClient.start<ReaderCalls, null>({
      module: "reader-thread",
      name: `belay-reader-${kind}`,
      data: this.#readerOptions,
      onEvent: () => undefined,
      // The next read starts another.
      onDied: () => this.#readers.delete(kind),
    }).then(({ client }) => client);
    this.#readers.set(kind, started);
    started.catch(() => this.#readers.delete(kind));
    return started;
  }

  #hear(event: ThreadEvent): void {
    if (event.type === "notice") this.#options.onNotice?.(event.line);
    else this.#fatal(event.line);
  }

  #fatal(line: string): void {
    if (this.#fatalLine !== null) return;
    this.#fatalLine = line;
    try {
      holdLog(databasePath(this.#readerOptions.folder));
    } catch {
      // The file cannot even be read: then nothing can write the log back either.
    }
    this.#options.onFatal?.(line);
  }

  #requireOpen(): void {
    if (this.#closing !== null) throw new RpcError("SHUTTING_DOWN");
  }
}

function unavailable(cause: unknown): RpcError {
  return new RpcError("STORAGE_UNAVAILABLE", {}, { cause });
}
