// Whether the database has the connections that the nodes want: asked once at the start and told as a warning, since what is
// missing shows only under load, as calls that wait for a connection.
import type { Queryable, Statement } from "./queryable.ts";

/** What a node opens beside its pool: the connection that listens to other nodes. */
const BESIDE_POOL = 1;

/**
 * max_connections; those reserved for administrators; in use now; the limits of the role and of the database (-1: none); the
 * nodes that run. PostgreSQL before 16 has no reserved_connections. What is in use is read without any privilege.
 */
const readBudget: Statement = {
  name: "connection_budget",
  text: `SELECT current_setting('max_connections')::INTEGER,
      current_setting('superuser_reserved_connections')::INTEGER
        + coalesce(nullif(current_setting('reserved_connections', true), ''), '0')::INTEGER,
      (SELECT coalesce(sum(numbackends), 0)::INTEGER FROM pg_stat_database),
      (SELECT rolconnlimit FROM pg_roles WHERE rolname = current_user),
      (SELECT datconnlimit FROM pg_database WHERE datname = current_database()),
      (SELECT count(*)::INTEGER FROM nodes)`,
};

/** The connections of a database, and who wants them. */
export interface ConnectionBudget {
  /** For everybody, administrators not counted; the smallest of the limits that apply. */
  available: number;
  /** By whomever, at this moment. */
  inUse: number;
  /** Nodes that run, this one included. */
  nodes: number;
  /** Of each of them. */
  perNode: number;
}

/** Reads the budget; `isRegistered`: this node is among those that the database knows. */
export async function readConnectionBudget(
  connections: Queryable,
  { poolSize, isRegistered }: { poolSize: number; isRegistered: boolean },
): Promise<ConnectionBudget> {
  const [row] = await connections.rows<[number, number, number, number, number, number]>(readBudget);
  const [max, reserved, inUse, ofRole, ofDatabase, nodes] = row ?? [0, 0, 0, -1, -1, 0];
  const limits = [max - reserved, ofRole, ofDatabase].filter((limit) => limit >= 0);
  return {
    available: Math.min(...limits),
    inUse,
    nodes: Math.max(1, isRegistered ? nodes : nodes + 1),
    perNode: poolSize + BESIDE_POOL,
  };
}

/** Tells a store's operator at its start; a database that does not let itself be asked is no reason not to start. */
export async function tellConnectionBudget(
  connections: Queryable,
  facts: { poolSize: number; isRegistered: boolean },
  onNotice: (line: string) => void,
): Promise<void> {
  try {
    const warning = budgetWarning(await readConnectionBudget(connections, facts));
    if (warning !== null) onNotice(warning);
  } catch {
    // What it says of itself is not open to this role.
  }
}

/** What an operator should know of a budget; null: it is enough for one node more, as a rolling restart starts it. */
export function budgetWarning({ available, inUse, nodes, perNode }: ConnectionBudget): string | null {
  const wanted = nodes * perNode;
  const atRestart = wanted + perNode;
  if (atRestart <= available) return null;
  const have = `the database has ${available} for everybody (${inUse} in use)`;
  const advice = "make max_connections larger, store.poolSize smaller, or put PgBouncer between";
  if (wanted > available) {
    return `${nodes} nodes with ${perNode} connections each want ${wanted}, and ${have}: calls will wait; ${advice}`;
  }
  return `${nodes} nodes with ${perNode} connections each have room, but not for one more while they are replaced: ${have}; ${advice}`;
}
