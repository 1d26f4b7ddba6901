// A PostgreSQL store in a database of its own, for the store suites: opened by two processes' worth of stores, so that what one
// node keeps in memory meets what another one commits.
import { type SlotKey, slotText } from "../../../src/engine/decision.ts";
import type { Store } from "../../../src/engine/store.ts";
import { PostgresStore } from "../../../src/stores/postgres/postgres-store.ts";
import { SharedClock } from "../../../src/stores/sqlite/store-clock.ts";
import { sharedPostgres } from "../../postgres/shared-postgres.ts";
import type { TestDatabases } from "../../postgres/test-databases.ts";
import type { AuditRow, FeedRow, StoreHarness } from "./store-harness.ts";

let template: Promise<string> | undefined;

/** A database with the schema, which is copied for each harness: a tenth of the time of making it anew. */
async function makeTemplate(databases: TestDatabases): Promise<string> {
  const name = await databases.createDatabase();
  const store = await PostgresStore.open({ url: databases.url(name) });
  await store.close();
  return name;
}

/** A shared store under test. */
export class PostgresHarness implements StoreHarness {
  readonly #databases: TestDatabases;
  readonly #database: string;
  readonly #clock = new SharedClock(1_795_000_000_000_000);
  #store: PostgresStore | undefined;

  private constructor(databases: TestDatabases, database: string) {
    this.#databases = databases;
    this.#database = database;
  }

  static async open(): Promise<PostgresHarness> {
    const databases = await sharedPostgres();
    template ??= makeTemplate(databases);
    const database = await databases.createDatabase({ template: await template });
    const harness = new PostgresHarness(databases, database);
    harness.#store = await harness.openNode();
    return harness;
  }

  get store(): Store {
    if (!this.#store) throw new Error("the store is not open");
    return this.#store;
  }

  get url(): string {
    return this.#databases.url(this.#database);
  }

  /** One more node on the same database; the caller closes it. */
  openNode(): Promise<PostgresStore> {
    return PostgresStore.open({ url: this.url, clock: this.#clock });
  }

  advance(milliseconds: number): void {
    this.#clock.advance(milliseconds);
  }

  async reopen(): Promise<void> {
    await this.#store?.close();
    this.#store = await this.openNode();
  }

  feed(tenant: string): Promise<readonly FeedRow[]> {
    const sql = `SELECT (feed.position - cardinality(names) + event)::double precision AS position,
        names[event] AS name, coalesce(revisions[event], revisions[1])::double precision AS revision,
        coalesce(states[event], states[1]) AS state
      FROM feed, generate_subscripts(names, 1) AS event WHERE coalesce(tenants[event], tenants[1]) = $1 ORDER BY 1`;
    return this.#select(sql, tenant);
  }

  audit(tenant: string): Promise<readonly AuditRow[]> {
    const sql = `SELECT name, action, principal, origin, reason,
        revision_before::double precision AS "revisionBefore", revision_after::double precision AS "revisionAfter"
      FROM audit WHERE tenant = $1 ORDER BY audit.position`;
    return this.#select(sql, tenant);
  }

  /** How many use each slot of a tenant, by slotText. */
  async slots(tenant: string): Promise<ReadonlyMap<string, number>> {
    const sql = `SELECT service, tenant, type, concurrency_key AS "concurrencyKey", used::integer AS used
      FROM slots WHERE tenant = $1`;
    const rows = await this.#select<SlotKey & { used: number }>(sql, tenant);
    return new Map(rows.map(({ used, ...slot }) => [slotText(slot), used]));
  }

  async dispose(): Promise<void> {
    await this.#store?.close();
    await this.#databases.dropDatabase(this.#database);
  }

  async #select<Row>(sql: string, tenant: string): Promise<Row[]> {
    return (await this.#databases.query(sql, [tenant], this.#database)) as Row[];
  }
}
