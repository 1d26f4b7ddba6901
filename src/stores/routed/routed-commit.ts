// A batch over several databases: each gets its own commands in one commit, all at once, and the outcomes are put together.
// There is no transaction over two databases, and none is needed: a command concerns the operations of one. Those that
// concern all (a heartbeat, a tick) are repeated by whoever sends them until they have come through.
import { monotonicMs } from "../../base/clock.ts";
import { RpcError } from "../../base/rpc-error.ts";
import type { AcquireCommand, Command, CommandOutcome } from "../../engine/commands.ts";
import type { StoredOperation } from "../../engine/operation.ts";
import type { CommitFailure, CommitResult, Store } from "../../engine/store.ts";
import type { RoutedSessions } from "./routed-sessions.ts";
import type { StoreRoutes } from "./store-routes.ts";

type Outcome = CommandOutcome | CommitFailure;

/** The commands of one database, with their places in the batch. */
interface Part {
  store: Store;
  places: number[];
  commands: Command[];
}

export class RoutedCommit {
  readonly #routes: StoreRoutes<Store>;
  readonly #sessions: RoutedSessions;
  /** Where the next acquire asks first: in turn, so that no database starves another. */
  #turn = 0;
  /** Databases that failed a moment ago: until this time of the monotonic clock they are asked only for what is theirs. */
  readonly #resting = new Map<Store, number>();

  constructor(routes: StoreRoutes<Store>, sessions: RoutedSessions) {
    this.#routes = routes;
    this.#sessions = sessions;
  }

  async commit(commands: readonly Command[]): Promise<CommitResult> {
    for (const command of commands) {
      if ("session" in command && command.type !== "openSession") await this.#sessions.find(command.session);
    }
    const outcomes: Outcome[][] = commands.map(() => []);
    const changed: StoredOperation[] = [];
    const parts = this.#split(commands);
    await Promise.all(parts.map((part) => this.#commitPart(part, outcomes, changed)));
    await this.#acquireElsewhere(commands, parts, outcomes, changed);
    for (const command of commands) {
      if (command.type === "closeSession") this.#sessions.closed(command.session);
    }
    return { outcomes: commands.map((command, index) => merged(command, outcomes[index] ?? [])), changed };
  }

  #split(commands: readonly Command[]): Part[] {
    const parts = new Map<Store, Part>();
    const add = (store: Store, command: Command, place: number): void => {
      const part = parts.get(store) ?? { store, places: [], commands: [] };
      parts.set(store, part);
      part.places.push(place);
      part.commands.push(command);
    };
    for (const [place, command] of commands.entries()) {
      for (const store of this.#storesOf(command)) {
        const opening = command.type === "acquire" ? this.#sessions.opening(command.session, store) : null;
        if (opening) {
          add(store, opening, OWN);
          this.#sessions.opened(opening, store);
        }
        add(store, command, place);
      }
    }
    return [...parts.values()];
  }

  #storesOf(command: Command): readonly Store[] {
    const { stores, main } = this.#routes;
    switch (command.type) {
      case "openSession":
        this.#sessions.opened(command, main);
        return [main];
      case "heartbeat": {
        const { session } = command;
        const open = this.#sessions.storesOf(session);
        const heard = open.filter(
          (store) => this.#sessions.isGiver(session, store) || !this.#isResting(store),
        );
        return heard.length > 0 ? heard : open;
      }
      case "closeSession":
        return this.#sessions.storesOf(command.session);
      case "acquire": {
        const awake = stores.filter((store) => !this.#isResting(store));
        return [awake[this.#turn++ % awake.length] ?? main];
      }
      case "tickDue":
      case "expireSessions":
      case "sweepChildren":
      case "restartWatch":
        return stores;
      default:
        return [this.#routes.storeOf(command.key)];
    }
  }

  /** A database that fails takes only its own commands along. */
  async #commitPart(part: Part, outcomes: Outcome[][], changed: StoredOperation[]): Promise<void> {
    const { store, places, commands } = part;
    let results: readonly Outcome[];
    try {
      const result = await store.commit(commands);
      changed.push(...result.changed);
      results = result.outcomes;
    } catch (error) {
      if (!(error instanceof RpcError)) throw error;
      this.#resting.set(store, monotonicMs() + REST_MS);
      const reason = error.reason === "STORAGE_FULL" ? ({ reason: "STORAGE_FULL" } as const) : {};
      results = commands.map(() => ({ type: "failed", message: error.message, ...reason }));
    }
    for (const [index, place] of places.entries()) {
      const outcome = results[index];
      if (place !== OWN && outcome) outcomes[place]?.push(outcome);
      if (outcome?.type === "granted" && outcome.grants.length > 0) {
        const command = commands[index];
        if (command?.type === "acquire") this.#sessions.gave(command.session, store);
      }
    }
  }

  #isResting(store: Store): boolean {
    return (this.#resting.get(store) ?? 0) > monotonicMs();
  }

  /** A worker that got less than it asked for is given the rest by the other databases, one after the other. */
  async #acquireElsewhere(
    commands: readonly Command[],
    parts: readonly Part[],
    outcomes: Outcome[][],
    changed: StoredOperation[],
  ): Promise<void> {
    for (const [place, command] of commands.entries()) {
      if (command.type !== "acquire") continue;
      const first = parts.find(({ places }) => places.includes(place))?.store;
      for (const store of this.#routes.stores) {
        const left = command.limit - grantedCount(outcomes[place] ?? []);
        if (left <= 0) break;
        if (store !== first && !this.#isResting(store))
          await this.#acquireFrom(store, { ...command, limit: left }, place, outcomes, changed);
      }
    }
  }

  async #acquireFrom(
    store: Store,
    command: AcquireCommand,
    place: number,
    outcomes: Outcome[][],
    changed: StoredOperation[],
  ): Promise<void> {
    const opening = this.#sessions.opening(command.session, store);
    const part = { store, places: opening ? [OWN, place] : [place] };
    await this.#commitPart(
      { ...part, commands: opening ? [opening, command] : [command] },
      outcomes,
      changed,
    );
    if (opening) this.#sessions.opened(opening, store);
  }
}

/** How long a database that failed is not asked for work. */
const REST_MS = 1000;

/** The place of a command that nobody waits for. */
const OWN = -1;

function grantedCount(outcomes: readonly Outcome[]): number {
  return outcomes.reduce((sum, outcome) => sum + (outcome.type === "granted" ? outcome.grants.length : 0), 0);
}

/** The outcomes of one command in several databases, as one. */
function merged(command: Command, outcomes: readonly Outcome[]): Outcome {
  const [first] = outcomes;
  if (!first) return { type: "failed", message: `${command.type} reached no database` };
  if (outcomes.length === 1) return first;
  if (command.type === "acquire") {
    const grants = outcomes.flatMap((outcome) => (outcome.type === "granted" ? outcome.grants : []));
    // What one database granted is the worker's, whatever the others said.
    return grants.length > 0 ? { type: "granted", grants } : first;
  }
  // A heartbeat counts only where every database that gave the worker work has it: one that has not may settle what it
  // gave as lost, while the worker goes on.
  const failed = outcomes.find(({ type }) => type === "failed");
  if (failed) return failed;
  const refused = outcomes.find(({ type }) => type === "refused");
  if (refused) return refused;
  if (first.type !== "settled") return first;
  const count = outcomes.reduce((sum, outcome) => sum + (outcome.type === "settled" ? outcome.count : 0), 0);
  return { type: "settled", count };
}
