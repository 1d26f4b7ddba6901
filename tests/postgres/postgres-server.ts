// A real PostgreSQL server of this process, which tests may stop, kill, freeze, restart and copy. It listens on loopback, on a
// port of its own, syncs as in production, and is gone with its data when this process ends, killed or not.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { appendFileSync, closeSync, openSync, readdirSync, readFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { makeCluster } from "./cluster-template.ts";
import { guardedFolder } from "./guarded-folder.ts";
import { findBinaries, type PostgresBinaries } from "./postgres-binaries.ts";
import { copyCluster } from "./standby-copy.ts";
import { TestDatabases } from "./test-databases.ts";

export interface PostgresOptions {
  /** The folder of other binaries (`/usr/lib/postgresql/15/bin`); default the embedded ones. */
  binaries?: string;
  /** Lines of postgresql.conf. */
  settings?: Readonly<Record<string, string | number>>;
  /** Its own data folder instead of one that is made: for a small disk. Must be owned by the binaries' owner. */
  data?: string;
}

/** How a server goes down: waits for nobody; as if the power had failed; `kill -9` of its postmaster. */
export type StopMode = "fast" | "immediate" | "kill";

/** How long a start, with recovery, or a stop may take on a busy machine. */
const PATIENCE_MS = 60_000;

const defaults = {
  shared_buffers: "64MB",
  max_connections: 100,
  unix_socket_directories: "",
  // A stop must not wait for a checkpoint of what nobody needs any more.
  max_wal_size: "512MB",
  wal_level: "replica",
  max_wal_senders: 8,
  max_replication_slots: 8,
  log_timezone: "UTC",
  timezone: "UTC",
  jit: "off",
};

let servers = 0;

/** A port that was free a moment ago. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  if (typeof address !== "object" || address === null) throw new Error("no port is free");
  return address.port;
}

/** Made by startPostgres. */
export class PostgresServer extends TestDatabases implements AsyncDisposable {
  readonly port: number;
  /** Its data folder. */
  readonly data: string;
  readonly #binaries: PostgresBinaries;
  #child: ChildProcess | undefined;
  #exited: Promise<unknown> = Promise.resolve();

  constructor(binaries: PostgresBinaries, data: string, port: number) {
    super(`postgres://postgres@127.0.0.1:${port}`);
    this.#binaries = binaries;
    this.data = data;
    this.port = port;
  }

  /** Of the postmaster. Throws where none runs. */
  get pid(): number {
    if (this.#child?.pid === undefined) throw new Error("the server does not run");
    return this.#child.pid;
  }

  /** What the server has logged. */
  get log(): string {
    return readFileSync(`${this.data}.log`, "utf8");
  }

  /** Starts the server, after recovery where it is needed; resolves when it answers. */
  async start(): Promise<void> {
    const end = performance.now() + PATIENCE_MS;
    this.#spawn();
    for (;;) {
      try {
        await this.query("SELECT 1");
        return;
      } catch (error) {
        // The backends of a killed postmaster hold its shared memory for a moment.
        if (this.#child === undefined && performance.now() < end) this.#spawn();
        if (performance.now() > end)
          throw new Error(`PostgreSQL does not start: ${this.log}`, { cause: error });
      }
      await delay(20);
    }
  }

  async stop(mode: StopMode = "fast"): Promise<void> {
    if (this.#child === undefined) return;
    this.#child.ref(); // what waits for its exit must not end before
    this.signalAll("SIGCONT");
    this.kill(mode === "fast" ? "SIGINT" : mode === "immediate" ? "SIGQUIT" : "SIGKILL");
    await this.#exited;
  }

  /** Stops and starts it, on the same port and data. */
  async restart(mode: StopMode = "fast"): Promise<void> {
    await this.stop(mode);
    await this.start();
  }

  /** Sends a signal to the postmaster. SIGSTOP lets open connections work on, and new ones hang: see `freeze`. */
  kill(signal: NodeJS.Signals): void {
    process.kill(this.pid, signal);
  }

  /** Sends a signal to every process of the server. */
  signalAll(signal: NodeJS.Signals): void {
    for (const pid of [this.pid, ...childrenOf(this.pid)]) {
      try {
        process.kill(pid, signal);
      } catch {
        // it has ended meanwhile
      }
    }
  }

  /** Stops every process of the server where it stands: connections stay open, and nothing answers, until `thaw`. */
  freeze(): void {
    // The postmaster first: it starts no more processes then.
    this.signalAll("SIGSTOP");
    this.signalAll("SIGSTOP");
  }

  thaw(): void {
    this.signalAll("SIGCONT");
  }

  /** Changes settings of the running server, and reloads them; some need a restart. */
  async set(settings: Readonly<Record<string, string | number>>): Promise<void> {
    for (const [name, value] of Object.entries(settings)) {
      await this.query(`ALTER SYSTEM SET ${name} = '${value}'`);
    }
    const loaded = "SELECT pg_conf_load_time()::text AS time";
    const [before] = await this.query(loaded);
    await this.query("SELECT pg_reload_conf()");
    // A new connection has what the postmaster has loaded when it began.
    await eventually("the settings are loaded", async () => {
      const [now] = await this.query(loaded);
      return now?.["time"] !== before?.["time"];
    });
  }

  /** A streaming standby of this server, caught up. Asynchronous, until the primary's synchronous_standby_names names it. */
  async standby(name = "standby"): Promise<PostgresServer> {
    const standby = new PostgresServer(this.#binaries, newDataFolder(), await freePort());
    await copyCluster(this, standby.data, name, this.#binaries.owner);
    await standby.start();
    const streaming = "SELECT 1 FROM pg_stat_replication WHERE application_name = $1 AND state = 'streaming'";
    await eventually(`${name} streams`, async () => (await this.query(streaming, [name])).length > 0);
    return standby;
  }

  /** Resolves when this standby has replayed all that the primary has now. */
  async caughtUp(primary: PostgresServer): Promise<void> {
    const [row] = await primary.query("SELECT pg_current_wal_flush_lsn()::text AS lsn");
    const sql = "SELECT pg_last_wal_replay_lsn() >= $1::pg_lsn AS reached";
    await eventually("the standby has caught up", async () => {
      const [reached] = await this.query(sql, [row?.["lsn"]]);
      return reached?.["reached"] === true;
    });
  }

  /** Makes a standby a primary; resolves when it takes writes. */
  async promote(): Promise<void> {
    await this.query("SELECT pg_promote(true, 60)");
    await eventually("the promoted server takes writes", async () => {
      const [row] = await this.query("SELECT pg_is_in_recovery() AS standby");
      return row?.["standby"] === false;
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop("immediate");
  }

  #spawn(): void {
    const log = openSync(`${this.data}.log`, "a");
    const args = ["-D", this.data, "-p", String(this.port), "-c", "listen_addresses=127.0.0.1"];
    const child = spawn(join(this.#binaries.folder, "postgres"), args, {
      ...this.#binaries.owner,
      cwd: "/",
      // A group of its own: a test that is killed takes no server with it that others use; the guard ends it.
      detached: true,
      stdio: ["ignore", log, log],
      env: { PATH: process.env["PATH"], TZ: "UTC" },
    });
    closeSync(log);
    child.unref();
    this.#child = child;
    this.#exited = once(child, "exit").then(() => {
      if (this.#child === child) this.#child = undefined;
    });
  }
}

function newDataFolder(): string {
  servers++;
  return join(guardedFolder(), `server-${servers}`);
}

/** Starts a server with an empty cluster. */
export async function startPostgres(options: PostgresOptions = {}): Promise<PostgresServer> {
  const binaries = await findBinaries(guardedFolder(), options.binaries);
  const data = options.data ?? newDataFolder();
  makeCluster(data, binaries, guardedFolder());
  const lines = Object.entries({ ...defaults, ...options.settings });
  appendFileSync(
    join(data, "postgresql.conf"),
    lines.map(([name, value]) => `${name} = '${value}'\n`).join(""),
  );
  const server = new PostgresServer(binaries, data, await freePort());
  await server.start();
  return server;
}

/** Waits until `holds`, asked each 20 ms; throws what did not come true after a minute. */
export async function eventually(what: string, holds: () => Promise<boolean>): Promise<void> {
  const end = performance.now() + PATIENCE_MS;
  while (!(await holds())) {
    if (performance.now() > end) throw new Error(`not within a minute: ${what}`);
    await delay(20);
  }
}

function childrenOf(parent: number): number[] {
  const pids = readdirSync("/proc").filter((name) => /^\d+$/.test(name));
  return pids.filter((pid) => parentOf(pid) === parent).map(Number);
}

/** From /proc/PID/stat, whose second field, in brackets, may hold anything. */
function parentOf(pid: string): number {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    return Number(
      stat
        .slice(stat.lastIndexOf(")") + 1)
        .trim()
        .split(" ")[1],
    );
  } catch {
    return 0;
  }
}
