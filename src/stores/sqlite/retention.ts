// Retention: removes what is past its time, in bounded transactions. Only done operations are ever removed (S19).
import type { DatabaseSync, StatementSync } from "node:sqlite";
import type { Instant } from "../../base/clock.ts";
import { AUDIT_RETENTION, FEED_RETENTION, RECEIPT_RETENTION } from "../retention-periods.ts";
import { allRows, inTransaction, prepareRows } from "./database.ts";
import { purge } from "./log-statements.ts";
import type { KeyParts } from "./thread-messages.ts";

/** Events, entries and receipts removed in one transaction: some milliseconds. */
const LOG_ROWS = 2000;

export class Retention {
  readonly #database: DatabaseSync;
  readonly #expired: StatementSync;
  readonly #deleted: StatementSync;
  readonly #keepCheckpoint: StatementSync;
  readonly #operation: StatementSync;
  readonly #feed: StatementSync;
  readonly #noteFeedRemoved: StatementSync;
  readonly #audit: StatementSync;
  readonly #receipts: StatementSync;

  constructor(database: DatabaseSync) {
    this.#database = database;
    this.#expired = prepareRows(database, purge.expired);
    this.#deleted = prepareRows(database, purge.deleted);
    this.#keepCheckpoint = database.prepare(purge.keepCheckpoint);
    this.#operation = database.prepare(purge.operation);
    this.#feed = database.prepare(purge.feed);
    this.#noteFeedRemoved = database.prepare(purge.noteFeedRemoved);
    this.#audit = database.prepare(purge.audit);
    this.#receipts = database.prepare(purge.receipts);
  }

  /** Removes up to `limit` expired operations with all that is theirs; with `deletedToo`, then also deleted ones. */
  purgeOperations(limit: number, now: Instant, deletedToo: boolean): readonly KeyParts[] {
    return inTransaction(this.#database, "IMMEDIATE", () => {
      const keys: KeyParts[] = allRows<[string, string, string]>(this.#expired, now, limit);
      this.#remove(keys);
      if (!deletedToo || keys.length >= limit) return keys;
      const deleted = allRows<[string, string, string]>(this.#deleted, limit - keys.length);
      this.#remove(deleted);
      return [...keys, ...deleted];
    });
  }

  /** Removes old feed, audit and receipt rows; true if there may be more. */
  purgeLogs(now: Instant): boolean {
    return inTransaction(this.#database, "IMMEDIATE", () => {
      const events = this.#feed.run(LOG_ROWS, now - FEED_RETENTION).changes;
      if (Number(events) > 0) this.#noteFeedRemoved.run();
      const entries = this.#audit.run(LOG_ROWS, now - AUDIT_RETENTION).changes;
      const receipts = this.#receipts.run(now - RECEIPT_RETENTION, LOG_ROWS).changes;
      return Number(events) > 0 || Number(entries) > 0 || receipts === LOG_ROWS;
    });
  }

  #remove(keys: readonly KeyParts[]): void {
    for (const key of keys) {
      this.#keepCheckpoint.run(...key);
      this.#operation.run(...key);
    }
  }
}
