// The PostgreSQL server that the test files of one run share. It is started when the first step needs it, handed over by an
// environment variable, and ends with this process.
import { SHARED_POSTGRES_VARIABLE } from "../../tests/postgres/shared-postgres.ts";

/** The folder whose lock file holds the server's binaries. */
export const POSTGRES_FOLDER = "tests/postgres";

/** Enough for the stores and server processes of several test files side by side. */
const MAX_CONNECTIONS = 200;

/** Starts the run's server, unless it runs or the environment names one. Throws what keeps it from starting. */
export async function startRunPostgres(): Promise<void> {
  if (process.env[SHARED_POSTGRES_VARIABLE]) return;
  // Loaded late: a run without such a step needs neither it nor its client.
  const { startPostgres } = await import("../../tests/postgres/postgres-server.ts");
  const server = await startPostgres({ settings: { max_connections: MAX_CONNECTIONS } });
  process.env[SHARED_POSTGRES_VARIABLE] = server.url().replace(/\/postgres$/, "");
}
