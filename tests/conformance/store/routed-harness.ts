// Two SQLite stores as one, for the store suites: tenants with an odd number are in the second one.
import type { Store } from "../../../src/engine/store.ts";
import { RoutedStore } from "../../../src/stores/routed/routed-store.ts";
import { SqliteHarness } from "./sqlite-harness.ts";
import type { AuditRow, FeedRow, StoreHarness } from "./store-harness.ts";

/** The odd ones of `tenant-1`, `tenant-2`, ... */
class OddTenants extends Set<string> {
  override has(tenant: string): boolean {
    return Number(tenant.split("-")[1]) % 2 === 1;
  }
}

/** A routed store under test. */
export class RoutedHarness implements StoreHarness {
  readonly main: SqliteHarness = new SqliteHarness();
  readonly other: SqliteHarness = new SqliteHarness();
  #store: RoutedStore | undefined;

  get store(): Store {
    if (!this.#store) throw new Error("the store is not open");
    return this.#store;
  }

  async open(): Promise<this> {
    await this.main.open();
    await this.other.open();
    this.route();
    return this;
  }

  /** As another process on the same two databases would: it knows no session. */
  route(): void {
    const route = { store: this.other.store, services: null, tenants: new OddTenants() };
    this.#store = new RoutedStore(this.main.store, [route]);
  }

  advance(milliseconds: number): void {
    this.main.advance(milliseconds);
    this.other.advance(milliseconds);
  }

  async reopen(): Promise<void> {
    await this.#store?.close();
    await this.open();
  }

  async feed(tenant: string): Promise<readonly FeedRow[]> {
    return [...(await this.main.feed(tenant)), ...(await this.other.feed(tenant))];
  }

  async audit(tenant: string): Promise<readonly AuditRow[]> {
    return [...(await this.main.audit(tenant)), ...(await this.other.audit(tenant))];
  }

  async dispose(): Promise<void> {
    await this.main.dispose();
    await this.other.dispose();
  }
}
