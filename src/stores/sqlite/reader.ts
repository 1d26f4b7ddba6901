// Reads: a connection of its own in a thread of its own, so that a long list never delays a commit.
// Every statement sees all commits that were durable when it began (WAL), which is what S14 asks for.
import type { DatabaseSync, StatementSync } from "node:sqlite";
import type { Clock } from "../../base/clock.ts";
import type { SlotKey } from "../../engine/decision.ts";
import type { StoredReceipt } from "../../engine/operation.ts";
import type { SlotUsers } from "../../engine/store.ts";
import { HISTORY_MAX } from "../cancel-history.ts";
import { type AttemptRow, type ChildRow, rowToAttempt, rowToChild } from "../detail-rows.ts";
import { type PayloadRow, rowToPayload, type StoredRow } from "../operation-rows.ts";
import { type ReceiptEventRow, type ReceiptRow, rowToReceipt } from "../receipt-rows.ts";
import { backUp } from "./backup.ts";
import { ChainReader } from "./chain-log.ts";
import { databasePath } from "./data-folder.ts";
import { allRows, getRow, inTransaction, openReadConnection, prepareRows } from "./database.ts";
import { FeedReader } from "./feed-reader.ts";
import { ListPager } from "./list-pager.ts";
import * as statements from "./statements.ts";
import type { DetailMessage, KeyParts, ReaderCalls, ReaderOptions } from "./thread-messages.ts";
import type { ThreadService } from "./thread-server.ts";
import { TokenKeys } from "./token-keys.ts";

export class Reader implements ThreadService<ReaderCalls> {
  readonly #database: DatabaseSync;
  readonly #options: ReaderOptions;
  readonly #pager: ListPager;
  readonly #feed: FeedReader;
  readonly #chain: ChainReader;
  readonly #keys: TokenKeys;
  readonly #getOperation: StatementSync;
  readonly #payloads: StatementSync;
  readonly #labels: StatementSync;
  readonly #attempts: StatementSync;
  readonly #receipt: StatementSync;
  readonly #receiptEvents: StatementSync;
  readonly #children: StatementSync;
  readonly #typeUsers: StatementSync;
  readonly #keyUsers: StatementSync;
  readonly #cancelHistory: StatementSync;

  readonly calls: ThreadService<ReaderCalls>["calls"] = {
    getOperations: (keys) => keys.map((key) => this.#operation(key)),
    getOperationDetail: (key) => this.#detail(key),
    getReceipt: (key) => this.#readReceipt(key),
    listOperations: (query) => this.#inOneView(() => this.#pager.list(query)),
    listChildren: ([service, tenant, name], limit) =>
      allRows<ChildRow>(this.#children, tenant, service, name, limit).map(rowToChild),
    slotUsers: (slot, limit) => this.#slotUsers(slot, limit),
    cancelDurations: (service, tenant, type) =>
      allRows<[number]>(this.#cancelHistory, service, tenant, type, HISTORY_MAX).map(([ms]) => ms),
    readFeed: (query) => this.#inOneView(() => this.#feed.read(query)),
    feedPosition: () => this.#feed.position(),
    newestTokenKey: () => this.#keys.newest(),
    tokenKeyBytes: (id) => this.#keys.bytesOf(id),
    readChain: (query) => this.#inOneView(() => this.#chain.read(query)),
    backup: (path) => backUp(this.#options, path),
    close: () => this.#database.close(),
  };

  constructor(options: ReaderOptions, clock: Clock) {
    this.#options = options;
    this.#database = openReadConnection(databasePath(options.folder), options.busyTimeoutMs);
    const prepare = (sql: string): StatementSync => prepareRows(this.#database, sql);
    this.#getOperation = prepare(statements.getOperation);
    this.#payloads = prepare(statements.getOperationDetail.payloads);
    this.#labels = prepare(statements.getOperationDetail.labels);
    this.#attempts = prepare(statements.getOperationDetail.attempts);
    this.#receipt = prepare(statements.getReceipt.head);
    this.#receiptEvents = prepare(statements.getReceipt.events);
    this.#children = prepare(statements.listChildren);
    this.#typeUsers = prepare(statements.slotUsers.ofType);
    this.#keyUsers = prepare(statements.slotUsers.ofKey);
    this.#cancelHistory = prepare(statements.cancelHistory);
    this.#pager = new ListPager(this.#database, clock);
    this.#feed = new FeedReader(this.#database);
    this.#chain = new ChainReader(this.#database);
    this.#keys = new TokenKeys(this.#database);
  }

  #operation(key: KeyParts): StoredRow | null {
    return getRow<StoredRow>(this.#getOperation, ...key) ?? null;
  }

  #slotUsers({ service, tenant, type, concurrencyKey }: SlotKey, limit: number): SlotUsers {
    const of = [service, tenant, type] as const;
    const users =
      concurrencyKey === ""
        ? allRows<[string]>(this.#typeUsers, ...of)
        : allRows<[string]>(this.#keyUsers, ...of, concurrencyKey);
    return { used: users.length, names: users.slice(0, limit).map(([name]) => name) };
  }

  /** All statements of `work` see the same rows. */
  #inOneView<T>(work: () => T): T {
    return inTransaction(this.#database, "DEFERRED", work);
  }

  #detail(key: KeyParts): DetailMessage | null {
    return this.#inOneView(() => {
      const row = this.#operation(key);
      if (row === null) return null;
      const payloads = new Map(
        allRows<[string, ...PayloadRow]>(this.#payloads, ...key).map(([kind, ...payload]) => [
          kind,
          rowToPayload(payload),
        ]),
      );
      return {
        row,
        labels: Object.fromEntries(allRows<[string, string]>(this.#labels, ...key)),
        request: payloads.get("request") ?? null,
        checkpoint: payloads.get("checkpoint") ?? null,
        attempts: allRows<AttemptRow>(this.#attempts, ...key).map(rowToAttempt),
      };
    });
  }

  #readReceipt(key: KeyParts): StoredReceipt | null {
    return this.#inOneView(() => {
      const head = getRow<ReceiptRow>(this.#receipt, ...key);
      if (!head) return null;
      const [service, tenant, name] = key;
      return rowToReceipt(
        { service, tenant, name },
        head,
        allRows<ReceiptEventRow>(this.#receiptEvents, ...key),
      );
    });
  }
}
