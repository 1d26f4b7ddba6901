// Makes a server process known in the database while it runs: `belay migrate` looks there before it takes a step that a
// running node could not work with, and nodes see whether they are alone.
import { startInterval, type Timer } from "../../base/timers.ts";
import { knownMigrations, type Migration } from "./migration-files.ts";
import { withSchemaHeld } from "./migrator.ts";
import type { PostgresConnections, Statement } from "./queryable.ts";

/** NODE_TIMEOUT_MS allows three to be lost. */
const HEARTBEAT_MS = 10_000;

const register: Statement = {
  name: "node_register",
  text: `INSERT INTO nodes (node, version, schema_min, schema_max, host, start_time, heartbeat_time)
    SELECT $1, $2, $3, $3, $4, at, at FROM (SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::BIGINT AS at) AS now
    ON CONFLICT (node) DO UPDATE SET version = excluded.version, schema_min = excluded.schema_min,
      schema_max = excluded.schema_max, host = excluded.host, start_time = excluded.start_time,
      heartbeat_time = excluded.heartbeat_time`,
};
/** Of nodes that were killed: long after anybody asks for them. */
const forgetOld: Statement = {
  name: "node_forget_old",
  text: `DELETE FROM nodes
    WHERE heartbeat_time < (extract(epoch FROM clock_timestamp()) * 1000000)::BIGINT - 86400000000`,
};
// A node that was paused longer than the timeout comes back with a heartbeat: its row may be gone.
const beat: Statement = {
  name: "node_beat",
  text: `WITH beaten AS (
      INSERT INTO nodes (node, version, schema_min, schema_max, host, start_time, heartbeat_time)
      SELECT $1, $2, $3, $3, $4, at, at FROM (SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::BIGINT AS at) AS now
      ON CONFLICT (node) DO UPDATE SET heartbeat_time = excluded.heartbeat_time)
    SELECT max(works_with), max(version) FROM belay_schema`,
};
const leave: Statement = { name: "node_leave", text: "DELETE FROM nodes WHERE node = $1" };

export interface NodeFacts {
  /** Unique among the processes that run. */
  node: string;
  /** The version of Belay. */
  version: string;
  host: string;
}

export interface NodeRegistryOptions extends NodeFacts {
  connections: PostgresConnections;
  /** A step was applied that this process cannot work with: it has to end. Called once, with a line for the operator. */
  onOutdated(line: string): void;
  /** Only for tests. */
  migrations?: readonly Migration[];
}

export class NodeRegistry {
  readonly #options: NodeRegistryOptions;
  readonly #schema: number;
  readonly #timer: Timer;
  #beating: Promise<void> | null = null;
  #isOutdated = false;

  private constructor(options: NodeRegistryOptions, schema: number) {
    this.#options = options;
    this.#schema = schema;
    this.#timer = startInterval(HEARTBEAT_MS, () => this.beat(), { unref: true });
  }

  /** Registers; throws a StoreOpenError where the schema does not suit this version any more. */
  static async open(options: NodeRegistryOptions): Promise<NodeRegistry> {
    const { connections, node, version, host, migrations = knownMigrations() } = options;
    const schema = migrations.at(-1)?.version ?? 0;
    await withSchemaHeld(
      connections,
      async (connection) => {
        await connection.rows(forgetOld);
        await connection.rows(register, [node, version, schema, host]);
      },
      migrations,
    );
    return new NodeRegistry(options, schema);
  }

  /** Says that this process lives, and looks whether the schema still suits it. Called each 10 s. */
  beat(): void {
    this.#beating ??= this.#beat()
      .catch(() => undefined)
      .finally(() => {
        this.#beating = null;
      });
  }

  /** Signs off: the others need not wait for the timeout. */
  async close(): Promise<void> {
    this.#timer.cancel();
    await this.#beating;
    // Where the database cannot be reached, the timeout says the same.
    await this.#options.connections.rows(leave, [this.#options.node]).catch(() => undefined);
  }

  async #beat(): Promise<void> {
    const { connections, node, version, host, onOutdated } = this.#options;
    const [row] = await connections.rows<[number, number]>(beat, [node, version, this.#schema, host]);
    if (!row || row[0] <= this.#schema || this.#isOutdated) return;
    this.#isOutdated = true;
    onOutdated(
      `the database went to schema ${row[1]}; this version of Belay knows ${this.#schema}, and cannot go on with it`,
    );
  }
}
