// Reads: a connection of its own in a thread of its own, so that a long list never delays a commit.
// Every statement sees all commits that were durable when it began (WAL), which is what S14 asks for.
import type { DatabaseSync, StatementSync } from "node:sqlite";
import type { Clock, Instant } from "../../base/clock.ts";
import type {
  AttemptRecord,
  CancelRequest,
  OperationState,
  ReceiptEvent,
  StoredReceipt,
} from "../../engine/operation.ts";
import type { ListQuery } from "../../engine/store.ts";
import { backUp } from "./backup.ts";
import { databasePath } from "./data-folder.ts";
import { allRows, getRow, inTransaction, openReadConnection, prepareRows } from "./database.ts";
import { ListPager } from "./list-pager.ts";
import { type PayloadRow, rowToPayload, type StoredRow, statusFromJson } from "./rows.ts";
import * as statements from "./statements.ts";
import type { DetailMessage, KeyParts, PageMessage, ReaderCalls, ReaderOptions } from "./thread-messages.ts";
import type { ThreadService } from "./thread-server.ts";

type AttemptRow = [number, string, Instant, Instant, string, string | null];
type ReceiptRow = [string, string, string | null, Instant | null, number, string, ...PayloadRow];
type ReceiptEventRow = [Instant, string, string, string];

export class Reader implements ThreadService<ReaderCalls> {
  readonly #database: DatabaseSync;
  readonly #options: ReaderOptions;
  readonly #pager: ListPager;
  readonly #getOperation: StatementSync;
  readonly #payloads: StatementSync;
  readonly #labels: StatementSync;
  readonly #attempts: StatementSync;
  readonly #receipt: StatementSync;
  readonly #receiptEvents: StatementSync;

  readonly calls: ThreadService<ReaderCalls>["calls"] = {
    getOperations: (keys) => keys.map((key) => this.#operation(key)),
    getOperationDetail: (key) => this.#detail(key),
    getReceipt: (key) => this.#readReceipt(key),
    listOperations: (query) => this.#list(query),
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
    this.#pager = new ListPager(this.#database, clock);
  }

  #operation(key: KeyParts): StoredRow | null {
    return getRow<StoredRow>(this.#getOperation, ...key) ?? null;
  }

  #list(query: ListQuery): PageMessage {
    return inTransaction(this.#database, "DEFERRED", () => this.#pager.list(query));
  }

  #detail(key: KeyParts): DetailMessage | null {
    return inTransaction(this.#database, "DEFERRED", () => {
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
    return inTransaction(this.#database, "DEFERRED", () => {
      const head = getRow<ReceiptRow>(this.#receipt, ...key);
      if (!head) return null;
      const [type, cancel, outcome, doneTime, attempt, session, ...checkpoint] = head;
      const [service, tenant, name] = key;
      return {
        service,
        tenant,
        name,
        type,
        cancel: JSON.parse(cancel) as CancelRequest,
        outcome: outcome as OperationState | null,
        doneTime,
        attempt,
        session,
        checkpoint: rowToPayload(checkpoint),
        events: allRows<ReceiptEventRow>(this.#receiptEvents, ...key).map(rowToReceiptEvent),
      };
    });
  }
}

function rowToAttempt([attempt, session, startTime, endTime, outcome, error]: AttemptRow): AttemptRecord {
  return {
    attempt,
    session,
    startTime,
    endTime,
    outcome: outcome as AttemptRecord["outcome"],
    error: error === null ? null : statusFromJson(error),
  };
}

function rowToReceiptEvent([time, kind, detail, by]: ReceiptEventRow): ReceiptEvent {
  return { time, kind: kind as ReceiptEvent["kind"], detail, by };
}
