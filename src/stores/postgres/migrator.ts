// Brings the schema of a PostgreSQL database up to date, while older nodes may be at work on it. An advisory lock keeps
// two of them apart; all missing steps are one transaction, so nobody ever sees half an upgrade.
import { delay } from "../../base/timers.ts";
import { StoreOpenError } from "../store-open-error.ts";
import { knownMigrations, type Migration } from "./migration-files.ts";
import { sqlState } from "./postgres-failure.ts";
import type { PostgresConnections, Queryable, Statement } from "./queryable.ts";
import { type LiveNode, readSchemaState, type SchemaState } from "./schema-state.ts";

/** The oldest PostgreSQL that Belay is tested with. */
const SERVER_VERSION_MIN = 150_000;

/**
 * A step that waits for a table's lock makes all wait that come after it. So it waits no longer than this, gives up, and
 * tries again: old nodes feel a pause of this length at most.
 */
const LOCK_TIMEOUT_MS = 1000;
const LOCK_RETRY_MS = 500;
const LOCK_ATTEMPTS = 40;
const LOCK_NOT_AVAILABLE = "55P03";
const INSUFFICIENT_PRIVILEGE = "42501";

const takeLock: Statement = {
  name: "schema_lock",
  text: "SELECT pg_advisory_xact_lock(hashtextextended('belay_schema', 0))",
};
const takeSharedLock: Statement = {
  name: "schema_lock_shared",
  text: "SELECT pg_advisory_xact_lock_shared(hashtextextended('belay_schema', 0))",
};
const setLocal: Statement = { name: "schema_set_local", text: "SELECT set_config($1, $2, true)" };
const createSchemaTable: Statement = {
  name: "schema_create",
  text: `CREATE TABLE IF NOT EXISTS belay_schema (
    version INTEGER PRIMARY KEY,
    file TEXT NOT NULL,
    checksum TEXT NOT NULL,
    -- The oldest schema whose nodes can work on this one.
    works_with INTEGER NOT NULL,
    apply_time BIGINT NOT NULL
  )`,
};
const noteApplied: Statement = {
  name: "schema_note",
  text: `INSERT INTO belay_schema (version, file, checksum, works_with, apply_time)
    VALUES ($1, $2, $3, $4, (extract(epoch FROM clock_timestamp()) * 1000000)::BIGINT)`,
};

/** What an upgrade would do. */
export interface MigrationPlan {
  database: string;
  /** The schema that the database has; 0 for none. */
  current: number;
  /** The schema of this version of Belay. */
  target: number;
  steps: readonly Migration[];
  liveNodes: readonly LiveNode[];
  /** Live nodes that cannot work with the schema after the steps: they have to be stopped first. */
  nodesAgainst: readonly LiveNode[];
}

/**
 * Checks the schema when a node opens the database, and brings it up where that is safe: an empty database always, an
 * older one where the nodes that may be at work on it can go on. Throws a StoreOpenError of one line for all else.
 */
export async function openSchema(
  connections: PostgresConnections,
  migrations: readonly Migration[] = knownMigrations(),
): Promise<void> {
  const state = await readPlan(connections, migrations);
  if (state.steps.length === 0) return;
  await runSteps(connections, migrations, (plan) => {
    const unsafe = plan.steps.find(({ worksWith }) => plan.current > 0 && worksWith > plan.current);
    const against = plan.nodesAgainst[0];
    if (!unsafe && !against) return;
    const why = unsafe
      ? `step ${unsafe.file} is not safe while nodes of schema ${plan.current} run`
      : `node ${against?.node} of schema ${against?.schema} is at work and could not go on`;
    const name = `database ${plan.database}`;
    const needs = `has schema ${plan.current}, and this version of Belay needs ${plan.target}`;
    throw new StoreOpenError(`${name} ${needs}; ${why}: stop the nodes, and run belay migrate apply`);
  });
}

/** What `applyMigrations` would do now. Throws a StoreOpenError for a database that it would refuse. */
export function planMigrations(
  connections: PostgresConnections,
  migrations: readonly Migration[] = knownMigrations(),
): Promise<MigrationPlan> {
  return readPlan(connections, migrations);
}

/**
 * Applies all missing steps in one transaction, and answers what was done. Throws a StoreOpenError while a live node is
 * registered that could not go on.
 */
export async function applyMigrations(
  connections: PostgresConnections,
  migrations: readonly Migration[] = knownMigrations(),
): Promise<MigrationPlan> {
  return await runSteps(connections, migrations, ({ database, target, nodesAgainst }) => {
    if (nodesAgainst.length === 0) return;
    const nodes = nodesAgainst.map(
      ({ node, host, version, schema }) => `${node} on ${host} (${version}, schema ${schema})`,
    );
    throw new StoreOpenError(
      `database ${database} cannot go to schema ${target} while nodes run that cannot work with it: ${nodes.join(", ")}`,
    );
  });
}

/**
 * Runs `work` while no migration runs, after a check that the schema still suits this version: for whoever makes itself
 * known as a node. Without the lock: a node checks the schema; a breaking step sees no node, and is applied; the node
 * registers, and works on a schema that it does not know.
 */
export async function withSchemaHeld<T>(
  connections: PostgresConnections,
  work: (connection: Queryable) => Promise<T>,
  migrations: readonly Migration[] = knownMigrations(),
): Promise<T> {
  return await withLock(connections, takeSharedLock, work, migrations);
}

/** Runs `work` while nobody migrates, and no node makes itself known: for whoever fills an empty database. */
export async function withSchemaLocked<T>(
  connections: PostgresConnections,
  work: (connection: Queryable) => Promise<T>,
): Promise<T> {
  return await withLock(connections, takeLock, work, knownMigrations());
}

async function withLock<T>(
  connections: PostgresConnections,
  lock: Statement,
  work: (connection: Queryable) => Promise<T>,
  migrations: readonly Migration[],
): Promise<T> {
  try {
    return await connections.transaction(async (connection) => {
      await connection.rows(lock);
      const { steps, database } = await readPlan(connection, migrations);
      if (steps.length > 0) throw new StoreOpenError(`database ${database} has lost the schema that it had`);
      return await work(connection);
    });
  } catch (error) {
    throw openErrorOf(error) ?? error;
  }
}

async function runSteps(
  connections: PostgresConnections,
  migrations: readonly Migration[],
  permit: (plan: MigrationPlan) => void,
): Promise<MigrationPlan> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await connections.transaction(async (connection) => {
        // A step may take long, and so may the other process that holds the lock.
        await connection.rows(setLocal, ["statement_timeout", "0"]);
        await connection.rows(setLocal, ["lock_timeout", "0"]);
        await connection.rows(takeLock);
        const plan = await readPlan(connection, migrations);
        if (plan.steps.length === 0) return plan;
        permit(plan);
        await connection.rows(setLocal, ["lock_timeout", `${LOCK_TIMEOUT_MS}ms`]);
        await connection.rows(createSchemaTable);
        for (const step of plan.steps) await runStep(connection, step);
        return plan;
      });
    } catch (error) {
      const refused = openErrorOf(error);
      if (refused) throw refused;
      const code = causeState(error);
      if (code === INSUFFICIENT_PRIVILEGE) throw new StoreOpenError(mayNot(error));
      if (code !== LOCK_NOT_AVAILABLE) throw error;
      if (attempt === LOCK_ATTEMPTS) throw new StoreOpenError(`${busyLine} (${String(error)})`);
      await delay(LOCK_RETRY_MS);
    }
  }
}

const busyLine = `the schema was not changed: a table stayed locked through ${LOCK_ATTEMPTS} attempts; look for long transactions`;

function mayNot(error: unknown): string {
  const problem = error instanceof Error ? error.message : String(error);
  return `the schema cannot be made or changed: ${problem}; give the role CREATE on the schema, or run belay migrate apply as its owner`;
}

/** What was thrown in a transaction may come out as the cause of an error. */
function openErrorOf(error: unknown): StoreOpenError | undefined {
  for (let at = error; at instanceof Error; at = at.cause) if (at instanceof StoreOpenError) return at;
  return undefined;
}

/** That of what pg threw, or of its cause. */
function causeState(error: unknown): string {
  for (let at = error; at instanceof Error; at = at.cause) {
    const state = sqlState(at);
    if (state !== "") return state;
  }
  return "";
}

/** A prepared statement is one command; EXECUTE takes the many of a file. */
async function runStep(
  connection: Queryable,
  { version, file, sql, checksum, worksWith }: Migration,
): Promise<void> {
  await connection.rows({
    name: `schema_step_${version}_${checksum.slice(0, 8)}`,
    text: `DO $belay_step$ BEGIN EXECUTE $belay_sql$${sql}$belay_sql$; END $belay_step$`,
  });
  await connection.rows(noteApplied, [version, file, checksum, worksWith]);
}

/** Reads the state and refuses what no upgrade can help. */
async function readPlan(connection: Queryable, migrations: readonly Migration[]): Promise<MigrationPlan> {
  const target = migrations.at(-1)?.version ?? 0;
  const state = await readSchemaState(connection, tablesOf(migrations));
  const current = state.applied.at(-1)?.version ?? 0;
  const name = `database ${state.database}`;
  if (state.serverVersion < SERVER_VERSION_MIN) {
    const [has, needs] = [state.serverVersion, SERVER_VERSION_MIN].map((version) =>
      Math.floor(version / 10_000),
    );
    throw new StoreOpenError(`${name} is on PostgreSQL ${has}; Belay needs ${needs} or later`);
  }
  if (state.foreignTables.length > 0) {
    const tables = state.foreignTables.join(", ");
    throw new StoreOpenError(
      `${name} has tables of Belay's names (${tables}), but no belay_schema: it is not one of Belay's`,
    );
  }
  if (current > target) {
    throw new StoreOpenError(
      `${name} has schema ${current}; this version of Belay knows ${target}: start the version that ran belay migrate apply on it`,
    );
  }
  requireChecksums(name, state, migrations);
  const steps = migrations.filter(({ version }) => version > current);
  const oldest = Math.max(0, ...steps.map(({ worksWith }) => worksWith));
  const nodesAgainst = state.liveNodes.filter(({ schema }) => schema < oldest);
  return { database: state.database, current, target, steps, liveNodes: state.liveNodes, nodesAgainst };
}

function requireChecksums(name: string, { applied }: SchemaState, migrations: readonly Migration[]): void {
  for (const [index, { version, file, checksum }] of applied.entries()) {
    const known = migrations[index];
    if (known?.version === version && known.checksum === checksum) continue;
    const here = known ? `${known.file} ${known.checksum.slice(0, 12)}` : "none";
    throw new StoreOpenError(
      `${name} was made by another migration ${version} than this version of Belay has: ${file} ${checksum.slice(0, 12)} there, ${here} here`,
    );
  }
}

/** The tables that the migrations make. */
function tablesOf(migrations: readonly Migration[]): string[] {
  const names = migrations.flatMap(({ sql }) =>
    [...sql.matchAll(/^CREATE TABLE (\w+)/gm)].map(([, name]) => name ?? ""),
  );
  return [...new Set(names)].sort();
}
