// One connection to a database: bursts of statements, one after the other. How many there are, and when one is made
// anew, is in postgres-pool.ts.
import pg from "pg";
import { monotonicNs } from "../../base/clock.ts";
import { durabilityColumns, requireDurable } from "./durability.ts";
import { Burst, PreparedStatements, type Rows, type Step } from "./postgres-burst.ts";
import {
  ConnectionLost,
  postgresFailure,
  ReadOnlyServer,
  sqlState,
  UnknownOutcome,
} from "./postgres-failure.ts";
import type { BindValue, ColumnValue, Queryable, Statement } from "./queryable.ts";

/** PostgreSQL's own name for the code that waits for a standby; unlike the message it is in no language. */
const STANDBY_WAIT = "SyncRepWaitForLSN";

/** How long a transaction may be open with nothing said: a stopped process must not hold its locks for ever. */
const IDLE_IN_TRANSACTION_MS = 10_000;

export const begin: Statement = { name: "begin", text: "BEGIN" };
export const commit: Statement = { name: "commit", text: "COMMIT" };
const rollback: Statement = { name: "rollback", text: "ROLLBACK" };
const limitIdle: Statement = {
  name: "limit_idle",
  text: `SELECT set_config('idle_in_transaction_session_timeout', '${IDLE_IN_TRANSACTION_MS}', true)`,
};
// Whether the settings are in force has to be asked: a pooler may be told to leave them out without a word.
const serverState: Statement = {
  name: "server_state",
  text: `SELECT current_setting('transaction_read_only') = 'on', current_setting('enable_seqscan') = 'off', ${durabilityColumns}`,
};

/** What the connections of a pool have found out, and share. */
export interface ServerHabits {
  /** False: a pooler stands between that keeps no prepared statements, or takes no settings that pin their plans. */
  keepsStatements: boolean;
  /** False: a pooler stands between that takes no settings at the start. */
  takesOptions: boolean;
}

export interface ConnectionSettings {
  config: pg.ClientConfig;
  habits: ServerHabits;
  /** Plans of prepared statements are made once, whatever the values: for statements whose plan never depends on them. */
  hasGenericPlans: boolean;
}

export class PostgresConnection implements Queryable {
  readonly #client: pg.Client;
  readonly #prepared = new PreparedStatements();
  readonly #habits: ServerHabits;
  #isBroken = false;
  /** A standby did not confirm what was committed meanwhile. */
  #isUnconfirmed = false;
  #inTransaction = false;

  private constructor(client: pg.Client, habits: ServerHabits) {
    this.#client = client;
    this.#habits = habits;
    client.on("error", () => {
      this.#isBroken = true;
    });
    client.on("end", () => {
      this.#isBroken = true;
    });
    client.on("notice", (notice) => {
      if (notice.routine === STANDBY_WAIT) this.#isUnconfirmed = true;
    });
  }

  /** Connects; throws ReadOnlyServer, UnsafeServer, and what pg throws. */
  static async open({ config, habits, hasGenericPlans }: ConnectionSettings): Promise<PostgresConnection> {
    // A timeout that an administrator set for all would break a commit off: with ours it cannot.
    const settings = {
      idle_in_transaction_session_timeout: IDLE_IN_TRANSACTION_MS,
      statement_timeout: 0,
      lock_timeout: 0,
      // A prepared statement keeps the plan of a table that was small when it was made. Measured: a Get whose plan was made
      // over 100 rows was a scan of everything, and took 3 s over 300,000, until the next ANALYZE; so would all statements
      // on a new database, under load within a minute. Every statement here has an index for its way in.
      enable_seqscan: "off",
      enable_hashjoin: "off",
      enable_mergejoin: "off",
      enable_bitmapscan: "off",
      enable_memoize: "off",
      // Where a small table has no other way in, its scan is counted as dear, and before PostgreSQL 18 would be compiled.
      jit: "off",
      ...(hasGenericPlans ? { plan_cache_mode: "force_generic_plan" } : {}),
    };
    const options = Object.entries(settings).map(([name, value]) => `-c ${name}=${value}`);
    const client = new pg.Client({
      ...config,
      ...(habits.takesOptions ? { options: [config.options, ...options].filter(Boolean).join(" ") } : {}),
    });
    const connection = new PostgresConnection(client, habits);
    try {
      await client.connect().catch((error: unknown) => {
        throw sqlState(error) === "" ? new ConnectionLost(error) : error;
      });
      const [row] = await connection.rows(serverState);
      if (row?.[0] === true) throw new ReadOnlyServer();
      requireDurable(row?.[2], row?.[3]);
      if (row?.[1] !== true) {
        habits.takesOptions = false;
        // Plans that nothing pins must fit the tables as they are: none is kept.
        habits.keepsStatements = false;
      }
      return connection;
    } catch (error) {
      connection.destroy();
      throw error;
    }
  }

  /** True once it is of no use any more. */
  get isBroken(): boolean {
    return this.#isBroken;
  }

  /** Whether a transaction is open. */
  get inTransaction(): boolean {
    return this.#inTransaction;
  }

  async rows<Row extends readonly ColumnValue[]>(
    statement: Statement,
    values: readonly BindValue[] = [],
  ): Promise<Row[]> {
    const [rows = []] = await this.burst([{ statement, values }]);
    return rows as unknown as Row[];
  }

  /**
   * Sends all steps at once, and answers the rows of each. Outside of a transaction they are one by themselves. Throws
   * UnknownOutcome where they may have been committed; what pg throws where nothing was.
   */
  async burst(steps: readonly Step[]): Promise<Rows[]> {
    try {
      return await this.#send(steps);
    } catch (error) {
      if (postgresFailure(error) !== "prepared") throw error;
      this.#habits.keepsStatements = false;
      if (this.#inTransaction) throw error;
      return await this.#send(steps);
    }
  }

  /** Opens a transaction with the first steps of it. */
  async begin(steps: readonly Step[]): Promise<Rows[]> {
    const before = this.#habits.takesOptions
      ? [{ statement: begin }]
      : [{ statement: begin }, { statement: limitIdle }];
    this.#inTransaction = true;
    const rows = await this.burst([...before, ...steps]);
    return rows.slice(before.length);
  }

  /** Sends the last steps of the transaction and its COMMIT. */
  async commit(steps: readonly Step[]): Promise<Rows[]> {
    const rows = await this.burst([...steps, { statement: commit }]);
    this.#inTransaction = false;
    return rows;
  }

  /** Ends a transaction that failed; a connection that cannot even do that is given up. */
  async rollback(): Promise<void> {
    if (!this.#inTransaction) return;
    this.#inTransaction = false;
    try {
      await this.#send([{ statement: rollback }]);
    } catch {
      this.destroy();
    }
  }

  /** How long the server takes to answer, and what it answers, in nanoseconds of this process's monotonic clock. */
  async timed(steps: readonly Step[]): Promise<{ rows: Rows[]; sentNs: bigint; receivedNs: bigint }> {
    const sentNs = monotonicNs();
    const rows = await this.burst(steps);
    return { rows, sentNs, receivedNs: monotonicNs() };
  }

  destroy(): void {
    this.#isBroken = true;
    this.#client.end().catch(() => undefined);
  }

  async close(): Promise<void> {
    this.#isBroken = true;
    await this.#client.end().catch(() => undefined);
  }

  #send(steps: readonly Step[]): Promise<Rows[]> {
    this.#prepared.isKept = this.#habits.keepsStatements;
    this.#isUnconfirmed = false;
    return new Promise((resolve, reject) => {
      const failed = (cause: unknown): void => {
        const error = sqlState(cause) === "" ? new ConnectionLost(cause) : cause;
        const failure = postgresFailure(error);
        if (failure === "lost" || failure === "readOnly") this.#isBroken = true;
        // Inside of a transaction nothing counts before its COMMIT.
        const mayCount = !this.#inTransaction || steps.at(-1)?.statement === commit;
        reject(failure === "lost" && burst.isSent && mayCount ? new UnknownOutcome(error) : error);
      };
      const done = (results: Rows[]): void => {
        if (this.#isUnconfirmed) failed(new Error("the wait for a standby was cancelled"));
        else resolve(results);
      };
      const burst = new Burst(steps, this.#prepared, done, failed);
      try {
        this.#client.query(burst);
      } catch (error) {
        // A value that cannot be bound: nothing was written.
        reject(error);
      }
    });
  }
}
