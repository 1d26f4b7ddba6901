// Which database has the operations of a (service, tenant). Nothing is moved: a route that changes leaves what was there.

/** A database, and what it takes. */
export interface StoreRoute<S> {
  store: S;
  /** Null: those of every service. */
  services: ReadonlySet<string> | null;
  /** Null: those of every tenant. */
  tenants: ReadonlySet<string> | null;
}

/** Where a (service, tenant) is. The first route that takes it counts; what none takes is in the main store. */
export class StoreRoutes<S> {
  /** The main store first, then the routes' in their order; each once. */
  readonly stores: readonly S[];
  readonly main: S;
  readonly #routes: readonly StoreRoute<S>[];
  readonly #known = new Map<string, number>();

  constructor(main: S, routes: readonly StoreRoute<S>[]) {
    this.main = main;
    this.#routes = routes;
    this.stores = [...new Set([main, ...routes.map(({ store }) => store)])];
  }

  storeOf(scope: { service: string; tenant: string }): S {
    return this.stores[this.placeOf(scope)] ?? this.main;
  }

  /** As an index of `stores`. */
  placeOf({ service, tenant }: { service: string; tenant: string }): number {
    const text = `${service}\n${tenant}`;
    const known = this.#known.get(text);
    if (known !== undefined) return known;
    const route = this.#routes.find(
      ({ services, tenants }) => (services?.has(service) ?? true) && (tenants?.has(tenant) ?? true),
    );
    const place = this.stores.indexOf(route?.store ?? this.main);
    if (this.#known.size >= KNOWN_MAX) this.#known.clear();
    this.#known.set(text, place);
    return place;
  }
}

/** Tenants come from tokens: what is remembered of them is bounded. */
const KNOWN_MAX = 10_000;
