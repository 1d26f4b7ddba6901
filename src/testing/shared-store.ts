// One SQLite store as several server processes would share it: each node has a store of its own over it, and hears of the
// others' commits by its follower. For tests of engines side by side in one process; what is told when is the test's choice.
import { startTimer } from "../base/timers.ts";
import { keyOf } from "../engine/decision.ts";
import type { OperationKey, StoredOperation } from "../engine/operation.ts";
import type { CommitResult, RemoteChange, Store, StoreFollower } from "../engine/store.ts";
import type { SqliteStore } from "../stores/sqlite/sqlite-store.ts";

/** How the others hear of a commit: at once, by the next look (250 ms), or never. */
export type Delivery = "push" | "poll" | "none";

const POLL_MS = 250;

/** A store that several engines of one process use as if each were a process. */
export class SharedStore {
  delivery: Delivery = "push";
  /** What point reads of a node find, and when; undefined: what is there. For races between reads and commits. */
  readsAs: ((key: OperationKey, node: string) => Promise<StoredOperation | undefined>) | null = null;
  /** Commits of any node are answered only after it. */
  afterCommit: ((result: CommitResult) => Promise<void>) | null = null;
  /** Before commits and looks at what is due, of any node: throws what a database that is away throws, or waits for it. */
  reach: (() => Promise<void>) | null = null;
  readonly #store: SqliteStore;
  readonly #nodes = new Set<NodeStore>();
  #commits = 0;

  constructor(store: SqliteStore) {
    this.#store = store;
  }

  /** The store of one more node. It is closed by whoever opened the one below. */
  node(name: string): Store {
    const node = new NodeStore(this, this.#store, name);
    this.#nodes.add(node);
    return node.port();
  }

  async commit(from: NodeStore, commands: Parameters<Store["commit"]>[0]): Promise<CommitResult> {
    this.#commits++;
    try {
      await this.reach?.();
      const result = await this.#store.commit(commands);
      this.#spread(from, result.changed);
      await this.afterCommit?.(result);
      return result;
    } finally {
      this.#commits--;
    }
  }

  /** The end of the feed, where nothing is under way that might not have been told yet; else 0. */
  async quietPosition(): Promise<number> {
    if (this.#commits > 0) return 0;
    const position = await this.#store.feedPosition();
    return this.#commits === 0 ? position : 0;
  }

  #spread(from: NodeStore, changed: readonly StoredOperation[]): void {
    const changes = changed.map(changeOf);
    const types = new Set(changed.flatMap(({ record }) => (record.lease === null ? record.type : [])));
    for (const node of this.#nodes) if (node !== from) node.tell(changes, types);
  }
}

class NodeStore {
  readonly #shared: SharedStore;
  readonly #store: SqliteStore;
  readonly #name: string;
  #follower: StoreFollower | null = null;
  #untold: { changes: RemoteChange[]; types: Set<string> } = { changes: [], types: new Set() };
  #isDue = false;

  constructor(shared: SharedStore, store: SqliteStore, name: string) {
    this.#shared = shared;
    this.#store = store;
    this.#name = name;
  }

  /** Everything that this file does not say is the SQLite store's. */
  port(): Store {
    const own: Partial<Store> = {
      isShared: true,
      commit: (commands) => this.#shared.commit(this, commands),
      peekOperation: () => undefined,
      pendingWork: async () => {
        await this.#shared.reach?.();
        return await this.#store.pendingWork();
      },
      getOperation: async (key) =>
        (await this.#shared.readsAs?.(key, this.#name)) ?? (await this.#store.getOperation(key)),
      follow: (follower) => {
        this.#follower = follower;
        return { close: () => (this.#follower = null) };
      },
      close: async () => {},
    };
    return new Proxy<Store>(this.#store, {
      get: (store, name) => {
        const value = Reflect.get(name in own ? own : store, name) as unknown;
        return typeof value === "function" ? value.bind(store) : value;
      },
    });
  }

  tell(changes: readonly RemoteChange[], types: ReadonlySet<string>): void {
    this.#untold.changes.push(...changes);
    for (const type of types) this.#untold.types.add(type);
    const { delivery } = this.#shared;
    if (this.#isDue || delivery === "none") return;
    this.#isDue = true;
    if (delivery === "push") setImmediate(() => void this.#deliver());
    else startTimer(POLL_MS, () => void this.#deliver(), { unref: true });
  }

  async #deliver(): Promise<void> {
    this.#isDue = false;
    const { changes, types } = this.#untold;
    this.#untold = { changes: [], types: new Set() };
    this.#follower?.changed(changes, 0);
    if (types.size > 0) this.#follower?.ready(types);
    // A store that is closed meanwhile has nobody left to tell.
    const position = await this.#shared.quietPosition().catch(() => 0);
    if (this.#untold.changes.length === 0) this.#follower?.changed([], position);
  }
}

function changeOf({ record }: StoredOperation): RemoteChange {
  const { revision, state, updateTime: time, type, deleteTime } = record;
  return { ...keyOf(record), revision, state, time, type, isDeleted: deleteTime !== null };
}
