// In which databases a session is open. A worker has one session; its leases are rows of the databases that gave it work, and
// each of them times it by its own clock. It is opened in the main one at once, in each other one before it first asks
// there for work.
import type { OpenSessionCommand } from "../../engine/commands.ts";
import type { Store } from "../../engine/store.ts";

interface Place {
  facts: Omit<OpenSessionCommand, "type">;
  stores: Set<Store>;
  /** Those that have given it work: they must hear each of its heartbeats. */
  givers: Set<Store>;
}

export class RoutedSessions {
  readonly #stores: readonly Store[];
  readonly #places = new Map<string, Place>();

  /** The main store first. */
  constructor(stores: readonly Store[]) {
    this.#stores = stores;
  }

  opened(command: OpenSessionCommand, store: Store): void {
    const { type: _, ...facts } = command;
    const place = this.#places.get(command.session);
    if (place) place.stores.add(store);
    else this.#places.set(command.session, { facts, stores: new Set([store]), givers: new Set() });
  }

  /** It has, or had, work of this database. */
  gave(session: string, store: Store): void {
    this.#places.get(session)?.givers.add(store);
  }

  isGiver(session: string, store: Store): boolean {
    return this.#places.get(session)?.givers.has(store) ?? true;
  }

  closed(session: string): void {
    this.#places.delete(session);
  }

  /** What opens the session in this database; null where it is open already, or nowhere at all. */
  opening(session: string, store: Store): OpenSessionCommand | null {
    const place = this.#places.get(session);
    return !place || place.stores.has(store) ? null : { type: "openSession", ...place.facts };
  }

  /** The databases that must hear of the session: all of them while nobody knows. */
  storesOf(session: string): readonly Store[] {
    const place = this.#places.get(session);
    return place ? this.#stores.filter((store) => place.stores.has(store)) : this.#stores;
  }

  /**
   * Finds a session that another process opened, or a former life of this one: until then its heartbeats would go where
   * it is not open, and be refused.
   */
  async find(session: string): Promise<void> {
    if (this.#places.has(session)) return;
    const lists = await Promise.all(this.#stores.map((store) => store.listSessions()));
    for (const [index, list] of lists.entries()) {
      const found = list.find((each) => each.session === session);
      const store = this.#stores[index];
      if (!found || !store) continue;
      const { openTime: _o, heartbeatTime: _b, running, reserved, held, ...facts } = found;
      this.opened({ type: "openSession", ...facts }, store);
      if (running + reserved + held > 0) this.gave(session, store);
    }
  }
}
