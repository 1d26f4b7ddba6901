// The read side of the PostgreSQL store: every read of the port, and the small writes beside commits (types, chains,
// retention). What each one asks the database is in the files of its subject.
//
// Nothing is cached: a client that saw a revision through one node never sees an older one through another (S14).
import type { Clock } from "../../base/clock.ts";
import type { Grant } from "../../engine/commands.ts";
import type { SlotKey } from "../../engine/decision.ts";
import type {
  OperationDetail,
  OperationKey,
  StoredOperation,
  StoredReceipt,
} from "../../engine/operation.ts";
import type {
  CancelHistory,
  ChainEntry,
  ChildSummary,
  DeclaredType,
  FeedPage,
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
import { openResumeToken, type ResumeScope, requireSameHistory, sealResumeToken } from "../resume-token.ts";
import { TokenKeyring } from "../token-keyring.ts";
import { ChainLog } from "./chain-log.ts";
import { FeedReads } from "./feed-reads.ts";
import { ListPager } from "./list-pager.ts";
import type { PostgresConnections } from "./queryable.ts";
import { LiveCounter } from "./reads-live-counts.ts";
import { OperationReads } from "./reads-operations.ts";
import { readTypes, removeTypes, writeTypes } from "./reads-types.ts";
import { readCancelHistory, readReceipt } from "./receipt-reads.ts";
import { Retention } from "./retention.ts";
import { SessionReads } from "./session-reads.ts";
import { TokenKeys } from "./token-keys.ts";

export interface PostgresReadsParts {
  connections: PostgresConnections;
  clock: Clock;
}

/** What of the port is not here: commits, the backup, who follows, and the end. */
type Reads = Omit<
  Store,
  | "clock"
  | "commit"
  | "places"
  | "backup"
  | "isShared"
  | "isTogether"
  | "feeds"
  | "feedOf"
  | "follow"
  | "peekOperation"
  | "close"
>;

export class PostgresReads implements Reads {
  readonly #database: PostgresConnections;
  readonly #operations: OperationReads;
  readonly #lists: ListPager;
  readonly #clock: Clock;
  readonly #feed: FeedReads;
  readonly #sessions: SessionReads;
  readonly #live: LiveCounter;
  readonly #chain: ChainLog;
  readonly #retention: Retention;
  readonly #keys: TokenKeyring;

  constructor({ connections, clock }: PostgresReadsParts) {
    const keys = new TokenKeys(connections, clock);
    this.#database = connections;
    this.#keys = new TokenKeyring(clock, keys);
    this.#operations = new OperationReads(connections);
    this.#lists = new ListPager({ database: connections, clock, keys: this.#keys });
    this.#clock = clock;
    this.#feed = new FeedReads(connections);
    this.#sessions = new SessionReads(connections);
    this.#live = new LiveCounter(connections, clock);
    this.#chain = new ChainLog(connections);
    this.#retention = new Retention(connections, clock, keys);
  }

  getOperation(key: OperationKey): Promise<StoredOperation | undefined> {
    return this.#operations.getOperation(key);
  }

  getOperationDetail(key: OperationKey): Promise<OperationDetail | undefined> {
    return this.#operations.getOperationDetail(key);
  }

  listOperations(query: ListQuery): Promise<ListPage> {
    return this.#lists.list(query);
  }

  getReceipt(key: OperationKey): Promise<StoredReceipt | undefined> {
    return readReceipt(this.#database, key);
  }

  pendingWork(): Promise<PendingWork> {
    return this.#sessions.pendingWork();
  }

  listSessions(): Promise<readonly OpenSession[]> {
    return this.#sessions.listSessions();
  }

  sessionGrants(session: string): Promise<readonly Grant[]> {
    return this.#sessions.sessionGrants(session);
  }

  listChildren(key: OperationKey, limit: number): Promise<readonly ChildSummary[]> {
    return this.#operations.listChildren(key, limit);
  }

  readFeed(query: FeedQuery): Promise<FeedPage> {
    return this.#feed.read(query);
  }

  feedPosition(): Promise<number> {
    return this.#feed.position();
  }

  async sealToken(scope: ResumeScope, position: number): Promise<string> {
    const told = { position, sealTime: this.#clock.now() };
    return sealResumeToken(await this.#keys.newest(), scope, told);
  }

  async openToken(scope: ResumeScope, token: string): Promise<number> {
    const claims = openResumeToken(token, await this.#keys.keysFor(token), scope);
    requireSameHistory(claims, await this.#feed.history(claims.position));
    return claims.position;
  }

  listTypes(): Promise<readonly DeclaredType[]> {
    return readTypes(this.#database);
  }

  putTypes(types: readonly DeclaredType[]): Promise<void> {
    return writeTypes(this.#database, types);
  }

  dropTypes(types: readonly string[]): Promise<void> {
    return removeTypes(this.#database, types);
  }

  cancelHistory(service: string, tenant: string, type: string): Promise<CancelHistory> {
    return readCancelHistory(this.#database, [service, tenant, type]);
  }

  liveCounts(): Promise<readonly LiveCounts[]> {
    return this.#live.counts();
  }

  heldCount(): Promise<number> {
    return this.#sessions.heldCount();
  }

  stoppingOperations(type: string, limit: number): Promise<readonly OperationKey[]> {
    return this.#sessions.stoppingOperations(type, limit);
  }

  slotUsers(slot: SlotKey, limit: number): Promise<SlotUsers> {
    return this.#sessions.slotUsers(slot, limit);
  }

  unchainedEvents(limit: number): Promise<readonly UnchainedEvent[]> {
    return this.#chain.unchainedEvents(limit);
  }

  chainHead(service: string, tenant: string): Promise<ChainEntry | undefined> {
    return this.#chain.head(service, tenant);
  }

  appendChain(...appended: Parameters<Store["appendChain"]>): Promise<void> {
    return this.#chain.append(...appended);
  }

  readChain(query: Parameters<Store["readChain"]>[0]): ReturnType<Store["readChain"]> {
    return this.#chain.read(query);
  }

  purge(limit: number): Promise<number> {
    return this.#retention.purge(limit);
  }
}
