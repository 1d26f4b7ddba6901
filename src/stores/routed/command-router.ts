// Which databases a command goes to, and how their answers become one. There is no transaction over two databases, and none is
// needed: a command concerns the operations of one. Those that concern all (a heartbeat, a tick) are repeated by whoever
// sends them until they have come through.
import type {
  AcquireCommand,
  CloseSessionCommand,
  Command,
  CommandOutcome,
  Grant,
  HeartbeatCommand,
} from "../../engine/commands.ts";
import type { OpenSession, PlacePorts, Store, StorePlaces } from "../../engine/store.ts";
import { DatabaseHealth } from "./database-health.ts";
import { RoutedSessions } from "./routed-sessions.ts";
import type { StoreRoutes } from "./store-routes.ts";

/** An outcome or an error; neither while it is not there. */
interface Answer {
  place: number;
  outcome?: CommandOutcome;
  error?: unknown;
}

export class CommandRouter implements StorePlaces {
  readonly stores: readonly Pick<Store, "commit">[];
  readonly sessions: RoutedSessions = new RoutedSessions();
  /** Of each database, by its place. */
  readonly health: readonly DatabaseHealth[];
  readonly #routes: StoreRoutes<Store>;
  /** Where the next acquire asks first: in turn, so that no database starves another. */
  #turn = 0;
  #listing: Promise<readonly (readonly OpenSession[] | null)[]> | null = null;

  constructor(routes: StoreRoutes<Store>) {
    this.#routes = routes;
    this.health = routes.stores.map((store) => new DatabaseHealth(() => store.feedPosition()));
    this.stores = routes.stores.map((store, place) => ({
      commit: (commands) => this.#at(place).commit(() => store.commit(commands)),
    }));
  }

  placeOf(scope: { service: string; tenant: string }): number {
    return this.#routes.placeOf(scope);
  }

  async submit(command: Command, ports: PlacePorts): Promise<CommandOutcome> {
    switch (command.type) {
      case "openSession": {
        const outcome = await ports.send(MAIN, command);
        this.sessions.opened(command, MAIN);
        return outcome;
      }
      case "heartbeat":
        return await this.#heartbeat(command, ports);
      case "closeSession":
        return await this.#closeSession(command, ports);
      case "acquire":
        return await this.#acquire(command, ports);
      case "tickDue":
      case "expireSessions":
        return await this.#settleEach(command, ({ isUnsettled }) => !isUnsettled, ports);
      case "sweepChildren":
      case "restartWatch":
        return await this.#settleEach(command, ({ isAway }) => !isAway, ports);
      default:
        return await ports.send(this.placeOf(command.key), command);
    }
  }

  /**
   * It counts where every database has it whose work the worker has in hand: one that has not may settle that work as lost,
   * while the worker goes on. What the others say matters only if the session is at another node now.
   */
  async #heartbeat(command: HeartbeatCommand, ports: PlacePorts): Promise<CommandOutcome> {
    const { session, node, takesOver } = command;
    // Another node had it: where it was given work is to be read again.
    if (takesOver) this.sessions.closed(session);
    await this.#find(session);
    const open = this.sessions.placesOf(session) ?? this.#places;
    const isNeeded = (place: number): boolean =>
      ports.holds(session, place) ?? this.sessions.isGiver(session, place);
    const needed = open.filter(isNeeded);
    const [first = MAIN] = open.filter((place) => !this.#at(place).isAway);
    const awaited = needed.length > 0 ? needed : [first];
    // The others' leases are renewed, too, and waited for by nobody.
    for (const place of open) {
      if (!awaited.includes(place)) void this.#beatIdle(command, place, ports);
    }
    const outcomes = await Promise.all(awaited.map((place) => ports.send(place, command)));
    const refused = outcomes.find(({ type }) => type === "refused");
    if (refused) {
      this.sessions.closed(session);
      return refused;
    }
    if (takesOver) this.sessions.moved(session, node);
    const moved = outcomes.find((outcome) => outcome.type === "session" && outcome.hasMoved === true);
    return moved ?? outcomes[0] ?? { type: "session" };
  }

  async #beatIdle(command: HeartbeatCommand, place: number, ports: PlacePorts): Promise<void> {
    const { session } = command;
    const answer = await answerOf(place, ports.send(place, command));
    // It may have been given something meanwhile, for which the session was opened again.
    if (answer.outcome?.type === "refused" && ports.holds(session, place) !== true)
      this.sessions.expired(session, place);
  }

  async #closeSession(command: CloseSessionCommand, ports: PlacePorts): Promise<CommandOutcome> {
    const { session } = command;
    await this.#find(session);
    const places = this.sessions.placesOf(session) ?? this.#places;
    const outcomes = await Promise.all(places.map((place) => ports.send(place, command)));
    this.sessions.closed(session);
    return settledBy(outcomes);
  }

  /**
   * Each database is asked for a share, and those that filled theirs for what the others have left. One that goes away
   * while it is asked is waited for by nobody; the slots that it may fill are not asked for elsewhere before it answers.
   */
  async #acquire(command: AcquireCommand, ports: PlacePorts): Promise<CommandOutcome> {
    const { session } = command;
    await this.#find(session);
    const grants: Grant[] = [];
    const answers: Answer[] = [];
    let asked = this.#inTurn();
    let left = command.limit - this.sessions.asked(session);
    while (left > 0 && asked.length > 0) {
      const shares = sharesOf(left, asked);
      const round = await Promise.all(
        shares.map(({ place, limit }) => this.#acquireFrom(place, { ...command, limit }, ports)),
      );
      answers.push(...round);
      for (const [index, { place, limit }] of shares.entries()) {
        const { outcome, error } = round[index] ?? {};
        const granted = outcome?.type === "granted" ? outcome.grants : [];
        grants.push(...granted);
        left -= outcome === undefined && error === undefined ? limit : granted.length;
        if (granted.length < limit) asked = asked.filter((each) => each !== place);
      }
    }
    return grants.length > 0 ? { type: "granted", grants } : this.#nothingGranted(session, answers, ports);
  }

  /** Answers neither an outcome nor an error if the database has gone away meanwhile. */
  async #acquireFrom(place: number, command: AcquireCommand, ports: PlacePorts): Promise<Answer> {
    const { session, limit } = command;
    const opening = this.sessions.opening(session, place);
    const sent = answerOf(
      place,
      // Both at once: they are of one batch.
      Promise.all([opening && ports.send(place, opening), ports.send(place, command)]).then(
        ([, outcome]) => outcome,
      ),
    );
    const told = sent.then((answer) => {
      const { outcome } = answer;
      if (outcome === undefined) ports.acquireUnanswered(session);
      if (opening && outcome) this.sessions.opened(opening, place);
      if (outcome?.type === "granted" && outcome.grants.length > 0) this.sessions.gave(session, place);
      return answer;
    });
    const inTime = await this.#at(place).whileThere(told);
    if (inTime !== null) return inTime;
    this.sessions.noteAsked(session, limit);
    void told.then(() => {
      this.sessions.noteAsked(session, -limit);
      ports.workMayBeReady(session);
    });
    return { place };
  }

  /** Refused where the session is over, or at another node; failed where nobody has answered. */
  #nothingGranted(session: string, answers: readonly Answer[], ports: PlacePorts): CommandOutcome {
    let isOpen = answers.every(({ outcome, error }) => outcome === undefined && error === undefined);
    let over: CommandOutcome | undefined;
    for (const { place, outcome } of answers) {
      if (outcome?.type === "granted") isOpen = true;
      if (outcome?.type !== "refused") continue;
      const isHeld = ports.holds(session, place) ?? this.sessions.isGiver(session, place);
      if (outcome.reason === "SESSION_MOVED" || isHeld) return outcome;
      this.sessions.expired(session, place);
      over = outcome;
    }
    if (isOpen) return { type: "granted", grants: [] };
    if (over) return over;
    throw answers.find(({ error }) => error !== undefined)?.error;
  }

  /** What is left out is done when its database is back: whoever sends these looks again, and again. */
  async #settleEach(
    command: Command,
    isAsked: (health: DatabaseHealth) => boolean,
    ports: PlacePorts,
  ): Promise<CommandOutcome> {
    const isNoneThere = this.health.every(({ isAway }) => isAway);
    const asked = this.#places.filter((place) => isNoneThere || isAsked(this.#at(place)));
    const answers = await Promise.all(asked.map((place) => answerOf(place, ports.send(place, command))));
    const outcomes = answers.flatMap(({ outcome }) => outcome ?? []);
    const [failed] = answers;
    if (outcomes.length === 0 && failed !== undefined) throw failed.error;
    return settledBy(outcomes);
  }

  /**
   * Finds a session that another process opened, or a former life of this one: until then its heartbeats would go where
   * it is not open, and be refused.
   */
  async #find(session: string): Promise<void> {
    if (this.sessions.isKnown(session)) return;
    // Thousands of workers may come at once, from a node that is gone.
    this.#listing ??= this.#list().finally(() => {
      this.#listing = null;
    });
    this.sessions.found(session, await this.#listing);
  }

  #list(): Promise<readonly (readonly OpenSession[] | null)[]> {
    const lists = this.#routes.stores.map((store, place) => {
      const health = this.#at(place);
      return health.isAway ? null : health.read(() => store.listSessions()).catch(() => null);
    });
    return Promise.all(lists);
  }

  /** The databases that are there, another one first each time. */
  #inTurn(): readonly number[] {
    const there = this.#places.filter((place) => !this.#at(place).isAway);
    if (there.length === 0) return [MAIN];
    const first = this.#turn++ % there.length;
    return [...there.slice(first), ...there.slice(0, first)];
  }

  get #places(): readonly number[] {
    return [...this.stores.keys()];
  }

  #at(place: number): DatabaseHealth {
    const health = this.health[place];
    if (health === undefined) throw new RangeError(`there is no database ${place}`);
    return health;
  }
}

/** The place of the main database. */
const MAIN = 0;

/** Parts of what is left, for each database that is asked; the first ones get more. Those that get nothing are left out. */
function sharesOf(left: number, asked: readonly number[]): { place: number; limit: number }[] {
  const shares = asked.map((place, index) => {
    const limit = Math.floor(left / asked.length) + (index < left % asked.length ? 1 : 0);
    return { place, limit };
  });
  return shares.filter(({ limit }) => limit > 0);
}

async function answerOf(place: number, sent: Promise<CommandOutcome>): Promise<Answer> {
  try {
    return { place, outcome: await sent };
  } catch (error) {
    return { place, error };
  }
}

/** What all databases have settled, as one; a refusal where one refused. */
function settledBy(outcomes: readonly CommandOutcome[]): CommandOutcome {
  const refused = outcomes.find(({ type }) => type === "refused");
  if (refused) return refused;
  const counts = outcomes.map((outcome) => (outcome.type === "settled" ? outcome.count : 0));
  return { type: "settled", count: counts.reduce((sum, count) => sum + count, 0) };
}
