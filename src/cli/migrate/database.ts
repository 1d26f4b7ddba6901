// A PostgreSQL database as the commands use it: a few connections, and what fails said in one line.
import { RpcError } from "../../base/rpc-error.ts";
import { describePostgresError } from "../../stores/postgres/postgres-failure.ts";
import { PostgresPool } from "../../stores/postgres/postgres-pool.ts";
import { StoreOpenError } from "../../stores/store-open-error.ts";
import { CliError, exitCodes } from "../exit-codes.ts";

/** Runs `work` on the database of a URL. Throws a CliError; no line of it holds the password. */
export async function withDatabase<T>(url: string, work: (pool: PostgresPool) => Promise<T>): Promise<T> {
  let pool: PostgresPool;
  try {
    pool = new PostgresPool({ url, poolSize: 2, applicationName: "belay migrate" }, 0);
  } catch (error) {
    throw new CliError(error instanceof Error ? error.message : String(error));
  }
  try {
    return await work(pool);
  } catch (error) {
    throw explained(error, pool.label);
  } finally {
    await pool.close();
  }
}

/** What `work` threw in a transaction comes out as the cause of an error. */
function explained(error: unknown, label: string): unknown {
  for (let at = error; at instanceof Error; at = at.cause) {
    if (at instanceof CliError) return at;
    if (at instanceof StoreOpenError) return new CliError(at.message, exitCodes.STORAGE);
  }
  const cause = error instanceof RpcError && error.cause !== undefined ? error.cause : error;
  return new CliError(`the database at ${label} failed: ${describePostgresError(cause)}`, exitCodes.STORAGE);
}
