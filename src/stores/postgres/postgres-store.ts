// The shared store: the port of src/engine/store.ts over PostgreSQL, for any number of processes on one database. This file
// puts the parts together: commits are in commit-lane.ts, reads in postgres-reads.ts, what others do in change-follower.ts.
import { type Clock, monotonicNs } from "../../base/clock.ts";
import { randomBase36 } from "../../base/random.ts";
import { RpcError } from "../../base/rpc-error.ts";
import type { SharedFiles } from "../../base/shared-files.ts";
import { startInterval, type Timer } from "../../base/timers.ts";
import type { Command } from "../../engine/commands.ts";
import type { CommitResult, Store, StoreFollower } from "../../engine/store.ts";
import { StoreOpenError } from "../store-open-error.ts";
import { ChangeFollower } from "./change-follower.ts";
import { CommitLanes, LANES } from "./commit-lanes.ts";
import { tellConnectionBudget } from "./connection-budget.ts";
import { tellDurability } from "./durability.ts";
import { openSchema } from "./migrator.ts";
import { type NodeFacts, NodeRegistry } from "./node-registry.ts";
import { PostgresClock, readClock } from "./postgres-clock.ts";
import { describePostgresError, isLasting } from "./postgres-failure.ts";
import { PostgresFiles } from "./postgres-files.ts";
import { isBroken, POOL_SIZE, PostgresPool } from "./postgres-pool.ts";
import { PostgresReads } from "./postgres-reads.ts";

export { StoreOpenError } from "../store-open-error.ts";

export interface PostgresStoreOptions {
  /** `postgres://user:password@host:port/database`; several hosts with commas: the one that takes writes is used. */
  url: string;
  /** Connections in all; default 10. One more listens to other nodes. */
  poolSize?: number;
  /** Shown in pg_stat_activity; default `belay`. */
  applicationName?: string;
  /** Makes this process known to `belay migrate` and to other nodes; without it, it is a tool that passes by. */
  node?: NodeFacts;
  /** False: other nodes are not listened to, only polled. Default true. */
  listen?: boolean;
  /** What an operator should know: the database is away, messages of other nodes do not arrive. */
  onNotice?(line: string): void;
  /** Called once when the process must end: the schema is newer than it knows. */
  onFatal?(line: string): void;
  /** Only for tests: a clock that is moved by hand. */
  clock?: Clock;
}

const CLOCK_PERIOD_MS = 1000;
/** Looks at the database's clock before the first commit. */
const CLOCK_SAMPLES = 5;

/** A database that this process shares with others: its reads, with commits, who follows them, and the end. */
export class PostgresStore extends PostgresReads implements Store {
  readonly clock: Clock;
  readonly isShared = true;
  readonly places = null;
  readonly feeds: readonly string[] = [""];
  /** Documents that all processes on the database share. */
  readonly files: SharedFiles;
  readonly #pool: PostgresPool;
  readonly #lanes: CommitLanes;
  readonly #follower: ChangeFollower;
  readonly #registry: NodeRegistry | null;
  readonly #timer: Timer | null;
  #closing: Promise<void> | null = null;

  private constructor(parts: {
    clock: Clock;
    pool: PostgresPool;
    follower: ChangeFollower;
    registry: NodeRegistry | null;
  }) {
    const { clock, pool, follower, registry } = parts;
    super({ connections: pool, clock });
    this.clock = clock;
    this.files = new PostgresFiles(pool);
    this.#pool = pool;
    this.#follower = follower;
    this.#registry = registry;
    this.#lanes = new CommitLanes({ pool, clock });
    this.#timer =
      clock instanceof PostgresClock
        ? startInterval(CLOCK_PERIOD_MS, () => void sample(pool, clock).catch(() => undefined), {
            unref: true,
          })
        : null;
  }

  /**
   * Opens the store of a database; an empty one is given its schema. Throws StoreOpenError, whose message is one line for
   * the operator: not reachable, no right to enter, a schema that this version does not know; `isAway` tells which of these
   * may be over soon.
   */
  static async open(
    where: string | PostgresStoreOptions,
    more: Omit<PostgresStoreOptions, "url"> = {},
  ): Promise<PostgresStore> {
    const options = typeof where === "string" ? { ...more, url: where } : where;
    const pool = poolOf(options);
    const { onNotice = () => undefined, node = null } = options;
    let registry: NodeRegistry | null = null;
    try {
      await openSchema(pool);
      const clock = options.clock ?? new PostgresClock();
      if (clock instanceof PostgresClock)
        for (let look = 0; look < CLOCK_SAMPLES; look++) await sample(pool, clock);
      const onOutdated = (line: string): void => options.onFatal?.(line);
      registry = node && (await NodeRegistry.open({ ...node, connections: pool, onOutdated }));
      const follower = await ChangeFollower.open({
        connections: pool,
        listen: options.listen === false ? null : () => pool.clientConfig,
        node: node?.node ?? randomBase36(12),
        clock,
        onNotice,
      });
      const poolSize = options.poolSize ?? POOL_SIZE;
      await tellDurability(pool, onNotice);
      await tellConnectionBudget(pool, { poolSize, isRegistered: registry !== null }, onNotice);
      return new PostgresStore({ clock, pool, follower, registry });
    } catch (error) {
      await registry?.close();
      await pool.close();
      if (error instanceof StoreOpenError) throw error;
      const cause = error instanceof RpcError && error.cause !== undefined ? error.cause : error;
      const isAway = !isLasting(cause) && (error instanceof RpcError || isBroken(cause));
      throw new StoreOpenError(
        `the database at ${pool.label} cannot be opened: ${describePostgresError(cause)}`,
        { isAway },
      );
    }
  }

  async commit(commands: readonly Command[]): Promise<CommitResult> {
    this.#requireOpen();
    if (commands.length === 0) return { outcomes: [], changed: [] };
    const { positions, ...result } = await this.#lanes.commit(commands);
    const { changed } = result;
    if (positions.length === 0) this.#follower.committed({ position: null, changed });
    for (const [index, position] of positions.entries())
      this.#follower.committed({ position, changed: index === 0 ? changed : [] });
    return result;
  }

  /** Nothing is at hand: another node may have changed it (S14). */
  peekOperation(): undefined {
    return undefined;
  }

  feedOf(): string {
    return "";
  }

  isTogether(): boolean {
    return true;
  }

  /** A database has its own means of backup, which know of its log and its standbys. */
  backup(): Promise<void> {
    const line =
      "the operations are in PostgreSQL: back them up with pg_dump or pg_basebackup, see docs/guide/production.md";
    return Promise.reject(new Error(line));
  }

  follow(follower: StoreFollower): { close(): void } {
    return this.#follower.follow({
      changed: (changes, position) => {
        this.#lanes.forget(changes);
        follower.changed(changes, position);
      },
      ready: (types) => follower.ready(types),
    });
  }

  /** Commits that are under way are waited for. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    this.#timer?.cancel();
    await this.#lanes.close();
    await this.#follower.close();
    await this.#registry?.close();
    await this.#pool.close();
  }

  #requireOpen(): void {
    if (this.#closing !== null) throw new RpcError("SHUTTING_DOWN");
  }
}

function poolOf(options: PostgresStoreOptions): PostgresPool {
  try {
    return new PostgresPool(options, LANES);
  } catch (error) {
    throw new StoreOpenError(describePostgresError(error));
  }
}

async function sample(pool: PostgresPool, clock: PostgresClock): Promise<void> {
  const sentNs = monotonicNs();
  const [row] = await pool.rows<[number]>(readClock);
  if (row) clock.sampled(row[0], sentNs, monotonicNs());
}
