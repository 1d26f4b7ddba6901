// A SQLite store in a folder of its own, for the store suites.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import type { Store } from "../../../src/engine/store.ts";
import { SqliteStore } from "../../../src/stores/sqlite/sqlite-store.ts";
import { SharedClock } from "../../../src/stores/sqlite/store-clock.ts";
import type { AuditRow, FeedRow, StoreHarness } from "./store-harness.ts";

/** An embedded store under test. */
export class SqliteHarness implements StoreHarness {
  readonly #folder = mkdtempSync(join(tmpdir(), "belay-store-"));
  readonly #clock = new SharedClock(1_795_000_000_000_000);
  #store: SqliteStore | undefined;

  get store(): Store {
    if (!this.#store) throw new Error("the store is not open");
    return this.#store;
  }

  async open(): Promise<this> {
    this.#store = await SqliteStore.open(this.#folder, { clock: this.#clock });
    return this;
  }

  advance(milliseconds: number): void {
    this.#clock.advance(milliseconds);
  }

  async reopen(): Promise<void> {
    await this.#store?.close();
    await this.open();
  }

  feed(tenant: string): Promise<readonly FeedRow[]> {
    return this.#select(
      "SELECT position, name, revision, state FROM feed_events WHERE tenant = ? ORDER BY position",
      tenant,
    );
  }

  audit(tenant: string): Promise<readonly AuditRow[]> {
    const sql = `SELECT name, action, principal, origin, reason, revision_before AS revisionBefore,
      revision_after AS revisionAfter FROM audit_entries WHERE tenant = ? ORDER BY position`;
    return this.#select(sql, tenant);
  }

  async dispose(): Promise<void> {
    await this.#store?.close();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  async #select<Row>(sql: string, tenant: string): Promise<Row[]> {
    const database = new DatabaseSync(join(this.#folder, "belay.db"), { readOnly: true });
    try {
      return database
        .prepare(sql)
        .all(tenant)
        .map((row) => ({ ...row })) as Row[];
    } finally {
      database.close();
    }
  }
}
