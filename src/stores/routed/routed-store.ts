// Several databases as one store: each (service, tenant) is in one of them. What concerns one operation goes to its own; what
// concerns all of them (sessions, timers, retention) goes to each.
import type { Clock } from "../../base/clock.ts";
import { RpcError } from "../../base/rpc-error.ts";
import type { Command, CommandOutcome, Grant } from "../../engine/commands.ts";
import { Committer } from "../../engine/committer.ts";
import type { SlotKey } from "../../engine/decision.ts";
import type {
  OperationDetail,
  OperationKey,
  StoredOperation,
  StoredReceipt,
} from "../../engine/operation.ts";
import type {
  CancelHistory,
  ChainCheckpoint,
  ChainEntry,
  ChildSummary,
  CommitFailure,
  CommitResult,
  DeclaredType,
  FeedPage,
  FeedQuery,
  ListPage,
  ListQuery,
  LiveCounts,
  OpenSession,
  PendingWork,
  SlotUsers,
  Store,
  StoreFollower,
  UnchainedEvent,
} from "../../engine/store.ts";
import { CommandRouter } from "./command-router.ts";
import type { DatabaseHealth } from "./database-health.ts";
import { type StoreRoute, StoreRoutes } from "./store-routes.ts";

type Scope = { service: string; tenant: string };

/** A store over several. It owns them: closing it closes all. */
export class RoutedStore implements Store {
  /** The main store's: the others decide by their own, and all of them are set by the same time servers. */
  readonly clock: Clock;
  readonly isShared: boolean;
  readonly #routes: StoreRoutes<Store>;
  readonly places: CommandRouter;

  /** `main` takes what no route takes, the sessions of all workers, and the declared types. */
  constructor(main: Store, routes: readonly StoreRoute<Store>[]) {
    this.#routes = new StoreRoutes(main, routes);
    this.clock = main.clock;
    this.isShared = this.#all.some((store) => store.isShared);
    this.places = new CommandRouter(this.#routes);
  }

  get #all(): readonly Store[] {
    return this.#routes.stores;
  }

  /** A transaction in each database that the batch concerns; what fails in one of them is told by its own outcomes. */
  async commit(commands: readonly Command[]): Promise<CommitResult> {
    const changed: StoredOperation[] = [];
    const committers = this.places.stores.map(
      (store) =>
        new Committer(
          store,
          (some) => changed.push(...some),
          () => {},
        ),
    );
    const ports = {
      send: (place: number, command: Command) =>
        committers[place]?.submit(command) ?? Promise.reject(new RangeError(`there is no database ${place}`)),
      holds: () => undefined,
      acquireUnanswered: () => undefined,
      workMayBeReady: () => undefined,
    };
    const outcomes = commands.map((command) => this.places.submit(command, ports).catch(failureOf));
    return { outcomes: await Promise.all(outcomes), changed };
  }

  getOperation(key: OperationKey): Promise<StoredOperation | undefined> {
    return this.#of(key).getOperation(key);
  }

  getOperationDetail(key: OperationKey): Promise<OperationDetail | undefined> {
    return this.#of(key).getOperationDetail(key);
  }

  listOperations(query: ListQuery): Promise<ListPage> {
    return this.#of(query).listOperations(query);
  }

  getReceipt(key: OperationKey): Promise<StoredReceipt | undefined> {
    return this.#of(key).getReceipt(key);
  }

  async pendingWork(): Promise<PendingWork> {
    const all = await this.#those(
      ({ isUnsettled }) => !isUnsettled,
      (store) => store.pendingWork(),
    );
    const first = (field: "nextLeaseEnd" | "nextTimer" | "nextStart"): number | null => {
      const instants = all.flatMap((work) => work[field] ?? []);
      return instants.length === 0 ? null : Math.min(...instants);
    };
    return {
      nextLeaseEnd: first("nextLeaseEnd"),
      hasUnsweptChildren: all.some(({ hasUnsweptChildren }) => hasUnsweptChildren),
      nextTimer: first("nextTimer"),
      nextStart: first("nextStart"),
    };
  }

  /** Each session once, with what it has in all databases that are there. Without the main one there is no list. */
  async listSessions(): Promise<readonly OpenSession[]> {
    const sessions = new Map<string, OpenSession>();
    const { main } = this.#routes;
    const [first, others] = await Promise.all([
      main.listSessions(),
      this.#there((store) => (store === main ? Promise.resolve([]) : store.listSessions())),
    ]);
    for (const session of [...first, ...others.flat()]) {
      const known = sessions.get(session.session);
      sessions.set(session.session, known ? joined(known, session) : session);
    }
    this.places.sessions.keepOnly(new Set(sessions.keys()));
    return [...sessions.values()];
  }

  /**
   * Throws STORAGE_UNAVAILABLE while a database is away, or has not answered what it was asked to give: all of it is needed. At
   * once, since the session asks for no work meanwhile.
   */
  async sessionGrants(session: string): Promise<readonly Grant[]> {
    const { health, sessions } = this.places;
    if (sessions.asked(session) > 0 || health.some(({ isAway }) => isAway))
      throw new RpcError("STORAGE_UNAVAILABLE");
    return (await this.#each((store) => store.sessionGrants(session))).flat();
  }

  listChildren(key: OperationKey, limit: number): Promise<readonly ChildSummary[]> {
    return this.#of(key).listChildren(key, limit);
  }

  readFeed(query: FeedQuery): Promise<FeedPage> {
    return this.#of(query).readFeed(query);
  }

  /** The feeds of all databases, by the place of each. */
  get feeds(): readonly string[] {
    return this.#all.map((_, index) => String(index));
  }

  feedOf(scope: Scope): string {
    return String(this.#routes.placeOf(scope));
  }

  async feedPosition(feed = "0"): Promise<number> {
    return (await this.#all[Number(feed)]?.feedPosition()) ?? 0;
  }

  sealToken(scope: Scope, position: number): Promise<string> {
    return this.#of(scope).sealToken(scope, position);
  }

  openToken(scope: Scope, token: string): Promise<number> {
    return this.#of(scope).openToken(scope, token);
  }

  listTypes(): Promise<readonly DeclaredType[]> {
    return this.#routes.main.listTypes();
  }

  putTypes(types: readonly DeclaredType[]): Promise<void> {
    return this.#routes.main.putTypes(types);
  }

  dropTypes(types: readonly string[]): Promise<void> {
    return this.#routes.main.dropTypes(types);
  }

  cancelHistory(service: string, tenant: string, type: string): Promise<CancelHistory> {
    return this.#of({ service, tenant }).cancelHistory(service, tenant, type);
  }

  async liveCounts(): Promise<readonly LiveCounts[]> {
    const counts = new Map<string, LiveCounts>();
    for (const each of (await this.#there((store) => store.liveCounts())).flat()) {
      const text = `${each.service}\n${each.type}\n${each.state}`;
      const known = counts.get(text);
      const oldestStart = earlier(known?.oldestStart ?? null, each.oldestStart);
      counts.set(text, { ...each, count: each.count + (known?.count ?? 0), oldestStart });
    }
    return [...counts.values()];
  }

  async heldCount(): Promise<number> {
    return sum(await this.#there((store) => store.heldCount()));
  }

  async stoppingOperations(type: string, limit: number): Promise<readonly OperationKey[]> {
    const lists = await this.#there((store) => store.stoppingOperations(type, limit));
    return lists.flat().slice(0, limit);
  }

  isTogether(one: Scope, other: Scope): boolean {
    return this.#of(one) === this.#of(other);
  }

  slotUsers(slot: SlotKey, limit: number): Promise<SlotUsers> {
    return this.#of(slot).slotUsers(slot, limit);
  }

  async unchainedEvents(limit: number): Promise<readonly UnchainedEvent[]> {
    return (await this.#there((store) => store.unchainedEvents(limit))).flat().slice(0, limit);
  }

  chainHead(service: string, tenant: string): Promise<ChainEntry | undefined> {
    return this.#of({ service, tenant }).chainHead(service, tenant);
  }

  /** One transaction for each database: a chain is in one of them. */
  async appendChain(
    entries: readonly (ChainEntry & { position: number })[],
    checkpoints: readonly ChainCheckpoint[],
  ): Promise<void> {
    const entriesOf = Map.groupBy(entries, (entry) => this.#of(entry));
    const checkpointsOf = Map.groupBy(checkpoints, (checkpoint) => this.#of(checkpoint));
    for (const store of this.#all) {
      const parts = [entriesOf.get(store) ?? [], checkpointsOf.get(store) ?? []] as const;
      if (parts.some(({ length }) => length > 0)) await store.appendChain(...parts);
    }
  }

  readChain(query: Parameters<Store["readChain"]>[0]): ReturnType<Store["readChain"]> {
    return this.#of(query).readChain(query);
  }

  async purge(limit: number): Promise<number> {
    return sum(await this.#there((store) => store.purge(limit)));
  }

  /** Throws NOT_SUPPORTED: each database is backed up by itself. */
  async backup(): Promise<void> {
    throw new RpcError("STORAGE_UNAVAILABLE", {}, { cause: "several databases are backed up one by one" });
  }

  follow(follower: StoreFollower): { close(): void } {
    const follows = this.#all.map((store, index) =>
      store.follow({
        changed: (changes, position) => follower.changed(changes, position, String(index)),
        ready: (types) => follower.ready(types),
      }),
    );
    return {
      close() {
        for (const follow of follows) follow.close();
      },
    };
  }

  peekOperation(key: OperationKey): StoredOperation | undefined {
    return this.#of(key).peekOperation(key);
  }

  async close(): Promise<void> {
    for (const health of this.places.health) health.close();
    await this.#each((store) => store.close());
  }

  #of(scope: Scope): Store {
    return this.#routes.storeOf(scope);
  }

  #each<T>(call: (store: Store) => Promise<T>): Promise<T[]> {
    return Promise.all(this.#all.map(call));
  }

  /** Of the databases that are there. Rejects if none is. */
  #there<T>(call: (store: Store) => Promise<T>): Promise<T[]> {
    return this.#those(({ isAway }) => !isAway, call);
  }

  async #those<T>(
    isAsked: (health: DatabaseHealth) => boolean,
    call: (store: Store) => Promise<T>,
  ): Promise<T[]> {
    const { health } = this.places;
    const isNoneThere = health.every(({ isAway }) => isAway);
    const answers = await Promise.allSettled(
      this.#all.flatMap((store, place) => {
        const here = health[place];
        return here && (isNoneThere || isAsked(here)) ? [here.read(() => call(store))] : [];
      }),
    );
    const [failed] = answers.filter((answer) => answer.status === "rejected");
    const answered = answers.flatMap((answer) => (answer.status === "fulfilled" ? [answer.value] : []));
    if (answered.length === 0 && failed) throw failed.reason;
    return answered;
  }
}

function joined(one: OpenSession, other: OpenSession): OpenSession {
  return {
    ...one,
    heartbeatTime: Math.min(one.heartbeatTime, other.heartbeatTime),
    running: one.running + other.running,
    reserved: one.reserved + other.reserved,
    held: one.held + other.held,
  };
}

/** As the outcome of one command of a batch. */
function failureOf(error: unknown): CommandOutcome | CommitFailure {
  if (!(error instanceof RpcError)) throw error;
  const reason = error.reason === "STORAGE_FULL" ? ({ reason: "STORAGE_FULL" } as const) : {};
  return { type: "failed", message: error.message, ...reason };
}

function earlier(one: number | null, other: number | null): number | null {
  return one === null || other === null ? (one ?? other) : Math.min(one, other);
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
