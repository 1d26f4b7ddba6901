// The connections of one store: a few for reads and small transactions, handed out one caller at a time, and those that
// commits keep for themselves. All are made anew when they break, on whichever server of the URL takes writes.
import type pg from "pg";
import { monotonicMs } from "../../base/clock.ts";
import { RpcError } from "../../base/rpc-error.ts";
import { delay } from "../../base/timers.ts";
import { PostgresConnection, type ServerHabits } from "./postgres-connection.ts";
import { describePostgresError, isLasting, postgresFailure, sqlState } from "./postgres-failure.ts";
import { clientConfig, type PostgresAddress, parsePostgresUrl } from "./postgres-url.ts";
import type { BindValue, ColumnValue, PostgresConnections, Queryable, Statement } from "./queryable.ts";

export interface PoolOptions {
  /** `postgres://user:password@host:port/database`; several hosts with commas: the one that takes writes is used. */
  url: string;
  /** Connections in all, those of commits included; default 10. */
  poolSize?: number;
  /** Shown in pg_stat_activity; default `belay`. */
  applicationName?: string;
  /** What an operator should know: the database is away, it is back. */
  onNotice?(line: string): void;
}

/** Connections of a store, unless its options say otherwise. */
export const POOL_SIZE = 10;
/** How long a call waits for a connection while the database is away. */
const CONNECT_WITHIN_MS = 5000;
const BACKOFF_MIN_MS = 25;
const BACKOFF_MAX_MS = 1000;
/** A pooler that does not know a start parameter (SQLSTATE of PgBouncer and others). */
const PROTOCOL_VIOLATION = "08P01";

interface Waiting {
  resolve(connection: PostgresConnection): void;
  reject(error: unknown): void;
}

export class PostgresPool implements PostgresConnections {
  readonly #address: PostgresAddress;
  readonly #options: PoolOptions;
  readonly #habits: ServerHabits = { keepsStatements: true, takesOptions: true };
  readonly #readersMax: number;
  readonly #idle: PostgresConnection[] = [];
  readonly #waiting: Waiting[] = [];
  /** Of readers: open ones and those that are being made. */
  #count = 0;
  #preferred = 0;
  #isAway = false;
  #isClosed = false;

  constructor(options: PoolOptions, reserved: number) {
    this.#options = options;
    this.#address = parsePostgresUrl(options.url);
    this.#readersMax = Math.max(1, (options.poolSize ?? POOL_SIZE) - reserved);
  }

  /** How pg reaches the server that was last found: for a connection beside the pool's. */
  get clientConfig(): pg.ClientConfig {
    const { endpoints } = this.#address;
    const endpoint = endpoints[this.#preferred % endpoints.length] ?? endpoints[0];
    if (!endpoint) throw new Error("a database URL names a host");
    return clientConfig(this.#address, endpoint, this.#options.applicationName ?? "belay");
  }

  /** Where the database is, for people: no user, no password. */
  get label(): string {
    return this.#address.label;
  }

  async rows<Row extends readonly ColumnValue[]>(
    statement: Statement,
    values: readonly BindValue[] = [],
  ): Promise<Row[]> {
    try {
      return await this.#with((connection) => connection.rows<Row>(statement, values));
    } catch (error) {
      // A read may be asked twice; the first connection was broken before, or broke under it.
      if (!isBroken(error)) throw this.#asked(error);
    }
    try {
      return await this.#with((connection) => connection.rows<Row>(statement, values));
    } catch (error) {
      throw this.#asked(error);
    }
  }

  async transaction<T>(work: (connection: Queryable) => Promise<T>): Promise<T> {
    try {
      return await this.#transactionOnce(work);
    } catch (error) {
      // Nothing was committed, and from now on the statements are unnamed: without this a node could not even open its store
      // behind a pooler that takes connections from their statements without a word.
      if (postgresFailure(error) !== "prepared") throw this.#asked(error);
    }
    try {
      return await this.#transactionOnce(work);
    } catch (error) {
      throw this.#asked(error);
    }
  }

  async #transactionOnce<T>(work: (connection: Queryable) => Promise<T>): Promise<T> {
    return await this.#with(async (connection) => {
      try {
        await connection.begin([]);
        const result = await work(connection);
        await connection.commit([]);
        return result;
      } catch (error) {
        await connection.rollback();
        throw error;
      }
    });
  }

  /**
   * A connection of the caller's own, tried for until `withinMs` has passed. Throws STORAGE_UNAVAILABLE.
   * `hasGenericPlans`: see ConnectionSettings.
   */
  async connect(hasGenericPlans: boolean, withinMs: number = CONNECT_WITHIN_MS): Promise<PostgresConnection> {
    const until = monotonicMs() + withinMs;
    for (let pauseMs = BACKOFF_MIN_MS; ; pauseMs = Math.min(2 * pauseMs, BACKOFF_MAX_MS)) {
      if (this.#isClosed) throw new RpcError("SHUTTING_DOWN");
      try {
        const { config, habits } = { config: this.clientConfig, habits: this.#habits };
        const connection = await PostgresConnection.open({ config, habits, hasGenericPlans });
        this.#noteBack();
        return connection;
      } catch (error) {
        if (sqlState(error) === PROTOCOL_VIOLATION && this.#habits.takesOptions) {
          this.#habits.takesOptions = false;
          continue;
        }
        // A wrong password or a database that is not there does not heal by itself: it is told at once.
        const isHopeless = isLasting(error) || (!isBroken(error) && postgresFailure(error) === "command");
        this.#noteAway(error);
        this.#preferred++;
        if (isHopeless || monotonicMs() + pauseMs > until) throw unavailable(error);
      }
      await delay(pauseMs);
    }
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    for (const waiting of this.#waiting.splice(0)) waiting.reject(new RpcError("SHUTTING_DOWN"));
    await Promise.all(this.#idle.splice(0).map((connection) => connection.close()));
  }

  async #with<T>(work: (connection: PostgresConnection) => Promise<T>): Promise<T> {
    const connection = await this.#take();
    try {
      return await work(connection);
    } finally {
      this.#giveBack(connection);
    }
  }

  async #take(): Promise<PostgresConnection> {
    if (this.#isClosed) throw new RpcError("SHUTTING_DOWN");
    for (let idle = this.#idle.pop(); idle; idle = this.#idle.pop()) {
      if (!idle.isBroken) return idle;
      this.#count--;
    }
    if (this.#count >= this.#readersMax)
      return new Promise((resolve, reject) => this.#waiting.push({ resolve, reject }));
    this.#count++;
    try {
      return await this.connect(true);
    } catch (error) {
      this.#count--;
      // Those in the queue wait for a connection that nobody makes any more.
      this.#waiting.shift()?.reject(error);
      throw error;
    }
  }

  #giveBack(connection: PostgresConnection): void {
    if (this.#isClosed) void connection.close();
    if (this.#isClosed || connection.isBroken) {
      this.#count--;
      const waiting = this.#waiting.shift();
      if (waiting) this.#take().then(waiting.resolve, waiting.reject);
      return;
    }
    const waiting = this.#waiting.shift();
    if (waiting) waiting.resolve(connection);
    else this.#idle.push(connection);
  }

  /** What the caller of a read or a small transaction gets. */
  #asked(error: unknown): unknown {
    if (error instanceof RpcError) return error;
    if (isBroken(error)) return unavailable(error);
    switch (postgresFailure(error)) {
      case "busy":
      case "race":
      case "prepared":
        return unavailable(error);
      case "full":
        return new RpcError("STORAGE_FULL", {}, { cause: error });
      default:
        return error;
    }
  }

  #noteAway(error: unknown): void {
    if (this.#isAway) return;
    this.#isAway = true;
    this.#options.onNotice?.(
      `the database at ${this.label} cannot be reached: ${describePostgresError(error)}`,
    );
  }

  #noteBack(): void {
    if (!this.#isAway) return;
    this.#isAway = false;
    this.#options.onNotice?.(`the database at ${this.label} is reached again`);
  }
}

/** True where another connection may do. */
export function isBroken(error: unknown): boolean {
  const failure = postgresFailure(error);
  return failure === "lost" || failure === "readOnly";
}

/** The cause says why; a caller is told no more than the reason. */
export function unavailable(cause: unknown): RpcError {
  return new RpcError("STORAGE_UNAVAILABLE", {}, { cause });
}
