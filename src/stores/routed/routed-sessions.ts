// In which databases a session is open. A worker has one session; its leases are rows of the databases that gave it work, and
// each of them times it by its own clock. It is opened in the main one at once, in each other one before it first asks
// there for work.
import type { OpenSessionCommand } from "../../engine/commands.ts";
import type { OpenSession } from "../../engine/store.ts";

interface OpenPlaces {
  facts: Omit<OpenSessionCommand, "type">;
  places: Set<number>;
  /** Those that have given it work. */
  givers: Set<number>;
}

/** What is known of the open sessions; databases by their place, the main one is 0. */
export class RoutedSessions {
  readonly #sessions = new Map<string, OpenPlaces>();
  /** Of those that were asked for: what a database may grant yet that was slow to answer. */
  readonly #asked = new Map<string, number>();

  isKnown(session: string): boolean {
    return this.#sessions.has(session);
  }

  opened(command: OpenSessionCommand, place: number): void {
    const { type: _, ...facts } = command;
    const known = this.#sessions.get(command.session);
    if (known) known.places.add(place);
    else this.#sessions.set(command.session, { facts, places: new Set([place]), givers: new Set() });
  }

  /** It has, or had, work of this database. */
  gave(session: string, place: number): void {
    this.#sessions.get(session)?.givers.add(place);
  }

  isGiver(session: string, place: number): boolean {
    return this.#sessions.get(session)?.givers.has(place) ?? true;
  }

  /** So many slots of it may yet be filled by a database that nobody waits for any more. */
  asked(session: string): number {
    return this.#asked.get(session) ?? 0;
  }

  /** `change` slots more, or fewer. */
  noteAsked(session: string, change: number): void {
    const asked = this.asked(session) + change;
    if (asked > 0) this.#asked.set(session, asked);
    else this.#asked.delete(session);
  }

  /** It is at another node now: what opens it elsewhere says so. */
  moved(session: string, node: string | undefined): void {
    const known = this.#sessions.get(session);
    if (known && node !== undefined) known.facts = { ...known.facts, node };
  }

  /** Its lease in this database has passed, while it had nothing there: it is opened anew before it asks there again. */
  expired(session: string, place: number): void {
    const known = this.#sessions.get(session);
    known?.places.delete(place);
    known?.givers.delete(place);
  }

  closed(session: string): void {
    this.#sessions.delete(session);
  }

  /** Forgets what is not open any more. */
  keepOnly(open: ReadonlySet<string>): void {
    for (const session of this.#sessions.keys()) if (!open.has(session)) this.#sessions.delete(session);
  }

  /** What opens the session in this database; null where it is open already, or nowhere at all. */
  opening(session: string, place: number): OpenSessionCommand | null {
    const known = this.#sessions.get(session);
    return !known || known.places.has(place) ? null : { type: "openSession", ...known.facts };
  }

  /** The databases that must hear of the session; null while nobody knows. */
  placesOf(session: string): readonly number[] | null {
    const known = this.#sessions.get(session);
    return known ? [...known.places].sort((one, other) => one - other) : null;
  }

  /**
   * Takes over a session that another process opened, or a former life of this one, from the lists of all databases. Null is a
   * list that could not be read: there it may have work, and must be heard.
   */
  found(session: string, lists: readonly (readonly OpenSession[] | null)[]): void {
    for (const [place, list] of lists.entries()) {
      const found = list?.find((each) => each.session === session);
      if (!found) continue;
      const { openTime: _o, heartbeatTime: _b, running, reserved, held, ...facts } = found;
      this.opened({ type: "openSession", ...facts }, place);
      if (running + reserved + held > 0) this.gave(session, place);
    }
    const known = this.#sessions.get(session);
    for (const [place, list] of lists.entries()) {
      if (list !== null || !known) continue;
      known.places.add(place);
      known.givers.add(place);
    }
  }
}
