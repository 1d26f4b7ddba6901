// A real PgBouncer (Debian's package) in transaction mode, between Belay and a database: each transaction may be on another
// connection, so that no prepared statement, no setting and no LISTEN outlives one.
import { chownSync, mkdtempSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Client } from "pg";
import { guardedFolder } from "../postgres/guarded-folder.ts";
import { findOwner } from "../postgres/postgres-binaries.ts";
import { eventually, freePort } from "../postgres/postgres-server.ts";
import { OwnedProcess } from "./owned-process.ts";

/** Made by PgBouncer.start. */
export class PgBouncer implements AsyncDisposable {
  readonly port: number;
  readonly #config: string;
  #process: OwnedProcess | undefined;

  private constructor(port: number, config: string) {
    this.port = port;
    this.#config = config;
  }

  /** Starts one with `poolSize` connections to the server at a loopback port, and further lines of its configuration. */
  static async start(
    serverPort: number,
    { poolSize = 6, settings = [] }: { poolSize?: number; settings?: readonly string[] } = {},
  ): Promise<PgBouncer> {
    const folder = mkdtempSync(join(guardedFolder(), "pgbouncer-"));
    const port = await freePort();
    const config = join(folder, "pgbouncer.ini");
    const lines = [
      "[databases]",
      `* = host=127.0.0.1 port=${serverPort} user=postgres`,
      "[pgbouncer]",
      ...["listen_addr = 127.0.0.1", `listen_port = ${port}`, "unix_socket_dir =", "auth_type = any"],
      ...["pool_mode = transaction", `default_pool_size = ${poolSize}`, "server_login_retry = 1"],
      // Those of another life of the server are noticed when they are used.
      "server_check_delay = 0",
      ...settings,
    ];
    writeFileSync(config, `${lines.join("\n")}\n`);
    const { uid, gid } = findOwner();
    for (const path of uid === undefined ? [] : [folder, config]) chownSync(path, uid, gid);
    const bouncer = new PgBouncer(port, config);
    await bouncer.#start();
    return bouncer;
  }

  url(database: string): string {
    return `postgres://postgres@127.0.0.1:${this.port}/${database}`;
  }

  /** Kills it and starts it again: all its clients lose their connections. */
  async restart(): Promise<void> {
    await this.#process?.kill("SIGKILL");
    await this.#start();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#process?.kill("SIGKILL");
  }

  async #start(): Promise<void> {
    const started = await OwnedProcess.start("/usr/sbin/pgbouncer", [this.#config]);
    this.#process = started;
    await eventually("PgBouncer answers", async () => {
      started.assertRuns();
      const client = new Client({ connectionString: this.url("postgres") });
      client.on("error", () => {});
      try {
        await client.connect();
        await client.query("SELECT 1");
        return true;
      } catch {
        return false;
      } finally {
        await client.end().catch(() => {});
      }
    });
  }
}
