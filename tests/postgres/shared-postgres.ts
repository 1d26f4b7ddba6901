// The PostgreSQL server of a test run: the one that scripts/test.ts has started, or, where a test file runs alone, one of its own.
import { type PostgresServer, startPostgres } from "./postgres-server.ts";
import { TestDatabases } from "./test-databases.ts";

/** Holds `postgres://user@host:port` of the run's server. */
export const SHARED_POSTGRES_VARIABLE = "BELAY_TEST_POSTGRES";

let own: Promise<PostgresServer> | undefined;

/**
 * The server that the test files of a run share: each makes databases of its own, stops nothing, and changes no setting of
 * the server. Needs no end: it goes with the run.
 */
export async function sharedPostgres(): Promise<TestDatabases> {
  const url = process.env[SHARED_POSTGRES_VARIABLE];
  if (url !== undefined && url !== "") return new TestDatabases(url);
  own ??= startPostgres();
  return own;
}
