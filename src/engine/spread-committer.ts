// Group commit over several databases: a committer for each, so that one that is slow or away holds up only what is its own.
// Which of them a command concerns is the store's to say (Store.places).
import type { Command, CommandOutcome } from "./commands.ts";
import { CommitCount, type Committer, type CommitterPlace, type FoundOutcome } from "./committer.ts";
import type { OperationKey } from "./operation.ts";
import type { SessionDirectory } from "./session-directory.ts";
import type { PlacePorts, Store, StorePlaces } from "./store.ts";

/** As a Committer, for a store of several databases. */
export class SpreadCommitter {
  /** The batches of all databases, in the order in which they were sent. */
  readonly count: CommitCount = new CommitCount();
  readonly #places: StorePlaces;
  readonly #committers: readonly Committer[];
  readonly #ports: PlacePorts;

  constructor(
    places: StorePlaces,
    committerOf: (store: Pick<Store, "commit">, place: CommitterPlace) => Committer,
    sessions: () => Pick<SessionDirectory, "find">,
  ) {
    this.#places = places;
    this.#committers = places.stores.map((store, place) => committerOf(store, { place, count: this.count }));
    this.#ports = {
      send: (place, command) => this.#at(place).submit(command),
      holds: (session, place) =>
        sessions()
          .find(session)
          ?.holdsAny((key) => places.placeOf(key) === place),
      acquireUnanswered: (session) => sessions().find(session)?.acquireUnanswered(),
      workMayBeReady: (session) => sessions().find(session)?.workMayBeReady(),
    };
  }

  /** See Committer.waiting. */
  get waiting(): number {
    return this.#committers.reduce((sum, { waiting }) => sum + waiting, 0);
  }

  /** See Committer.submit. */
  submit(command: Command): Promise<CommandOutcome> {
    return this.#places.submit(command, this.#ports);
  }

  /** See Committer.submitFound; the command is one on the operation. */
  submitFound(command: Command, key: OperationKey): Promise<FoundOutcome> {
    return this.#at(this.#places.placeOf(key)).submitFound(command, key);
  }

  #at(place: number): Committer {
    const committer = this.#committers[place];
    if (committer === undefined) throw new RangeError(`there is no database ${place}`);
    return committer;
  }
}
