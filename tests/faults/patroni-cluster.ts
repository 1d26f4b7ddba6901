// A real cluster: three PostgreSQL members under Patroni with etcd, of Debian's packages, all on loopback. Patroni decides who
// leads; nothing here promotes anybody.
import assert from "node:assert/strict";
import { chownSync, globSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { stringify } from "yaml";
import { guardedFolder } from "../postgres/guarded-folder.ts";
import { findOwner } from "../postgres/postgres-binaries.ts";
import { eventually, freePort } from "../postgres/postgres-server.ts";
import { TestDatabases } from "../postgres/test-databases.ts";
import { isAlive } from "./outside.ts";
import { OwnedProcess } from "./owned-process.ts";

interface Member {
  name: string;
  databases: TestDatabases;
  port: number;
  restPort: number;
  data: string;
  config: string;
  process: OwnedProcess;
}

/** The newest that the system has. */
function binaryFolder(): string {
  const found = globSync("/usr/lib/postgresql/*/bin/postgres").sort();
  const newest = found.at(-1);
  assert(newest, "PostgreSQL of the system is not installed: run scripts/install-test-tools.sh");
  return dirname(newest);
}

/** A folder that the members' user owns. */
function ownedFolder(): string {
  const path = mkdtempSync(join(guardedFolder(), "patroni-"));
  const { uid, gid } = findOwner();
  if (uid !== undefined) chownSync(path, uid, gid);
  return path;
}

/** How often Patroni looks, and after what time without a sign a leader is no more: its smallest values. */
const timing = { loop_wait: 1, retry_timeout: 3, ttl: 20 };

function memberConfig(
  member: Omit<Member, "process" | "databases">,
  { etcdPort, isSynchronous }: { etcdPort: number; isSynchronous: boolean },
): unknown {
  const parameters = {
    unix_socket_directories: "",
    shared_buffers: "32MB",
    max_connections: 60,
    wal_retrieve_retry_interval: "200ms",
  };
  return {
    scope: "belay",
    name: member.name,
    restapi: { listen: `127.0.0.1:${member.restPort}`, connect_address: `127.0.0.1:${member.restPort}` },
    etcd3: { host: `127.0.0.1:${etcdPort}` },
    bootstrap: {
      dcs: {
        ...timing,
        maximum_lag_on_failover: 16 * 1024 * 1024,
        synchronous_mode: isSynchronous,
        synchronous_mode_strict: isSynchronous,
        postgresql: { use_pg_rewind: false, use_slots: true, parameters },
      },
      initdb: ["no-sync", { encoding: "UTF8" }, { locale: "C" }, { auth: "trust" }],
    },
    postgresql: {
      listen: `127.0.0.1:${member.port}`,
      connect_address: `127.0.0.1:${member.port}`,
      data_dir: member.data,
      bin_dir: binaryFolder(),
      pgpass: `${member.data}.pgpass`,
      authentication: { superuser: { username: "postgres" }, replication: { username: "replicator" } },
      parameters,
      pg_hba: ["host all all 127.0.0.1/32 trust", "host replication all 127.0.0.1/32 trust"],
    },
  };
}

/** Made by PatroniCluster.start. */
export class PatroniCluster implements AsyncDisposable {
  readonly #etcd: OwnedProcess;
  readonly #members: Member[] = [];
  /** Senders of a leader that tells its standbys nothing more. */
  readonly #stopped: number[] = [];

  private constructor(etcd: OwnedProcess) {
    this.#etcd = etcd;
  }

  /** Starts etcd and three members; resolves when one leads and two follow. */
  static async start({ isSynchronous }: { isSynchronous: boolean }): Promise<PatroniCluster> {
    const folder = ownedFolder();
    const [etcdPort, peerPort] = [await freePort(), await freePort()];
    const [client, peer] = [`http://127.0.0.1:${etcdPort}`, `http://127.0.0.1:${peerPort}`];
    const etcd = await OwnedProcess.start("etcd", [
      ...["--data-dir", join(folder, "etcd"), "--log-level", "error", "--name", "only"],
      ...["--listen-client-urls", client, "--advertise-client-urls", client],
      ...["--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer],
      ...["--initial-cluster", `only=${peer}`],
    ]);
    const cluster = new PatroniCluster(etcd);
    try {
      for (const name of ["alpha", "beta", "gamma"]) {
        await cluster.#add(name, folder, { etcdPort, isSynchronous });
        // One bootstraps; the others copy it.
        if (cluster.#members.length === 1) await cluster.leader();
      }
      await cluster.whole();
      return cluster;
    } catch (error) {
      await cluster[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** A connection string that names every member; the store uses the one that takes writes. */
  url(database: string): string {
    const hosts = this.#members.map(({ port }) => `127.0.0.1:${port}`).join(",");
    return `postgres://postgres@${hosts}/${database}`;
  }

  /** The member that takes writes, waited for. */
  async leader(): Promise<Member> {
    let leader: Member | undefined;
    await eventually("a member leads", async () => {
      for (const member of this.#members) if ((await this.#role(member)) === "primary") leader = member;
      return leader !== undefined;
    });
    assert(leader);
    return leader;
  }

  /** Resolves when both others stream from the leader; synchronously, where that is the mode. */
  async whole(): Promise<void> {
    await eventually("two members follow", async () => {
      const { databases } = await this.leader();
      const rows = await databases.query("SELECT 1 FROM pg_stat_replication WHERE state = 'streaming'");
      return rows.length === this.#members.length - 1;
    });
  }

  /** True if the leader waits for a standby. */
  async isSynchronous(): Promise<boolean> {
    const { databases } = await this.leader();
    const rows = await databases.query(
      "SELECT 1 FROM pg_stat_replication WHERE sync_state IN ('sync', 'quorum')",
    );
    return rows.length > 0;
  }

  /** The leader sends its standbys nothing more. */
  async stopSending({ databases }: Member): Promise<void> {
    for (const { pid } of await databases.query("SELECT pid FROM pg_stat_replication")) {
      process.kill(Number(pid), "SIGSTOP");
      this.#stopped.push(Number(pid));
    }
  }

  /** kill -9 of the member: its Patroni, its postmaster, and what it had started. */
  async kill({ process: patroni, data }: Member): Promise<void> {
    const postmaster = Number(readFileSync(join(data, "postmaster.pid"), "utf8").split("\n")[0]);
    await patroni.kill("SIGKILL");
    process.kill(postmaster, "SIGKILL");
    // What is stopped does not notice that its postmaster is gone, and keeps the pipes that it was started with.
    for (const pid of this.#stopped.splice(0)) process.kill(pid, "SIGKILL");
    await eventually("its postmaster is gone", async () => !isAlive(postmaster));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const member of this.#members) {
      await member.process.kill("SIGKILL");
      const [pidFile] = globSync(join(member.data, "postmaster.pid"));
      const pid = pidFile ? Number(readFileSync(pidFile, "utf8").split("\n")[0]) : 0;
      if (pid > 0 && isAlive(pid)) process.kill(pid, "SIGQUIT");
      await eventually("its postmaster is gone", async () => pid === 0 || !isAlive(pid));
    }
    await this.#etcd.kill("SIGKILL");
  }

  async #add(
    name: string,
    folder: string,
    options: { etcdPort: number; isSynchronous: boolean },
  ): Promise<void> {
    const port = await freePort();
    const facts = {
      ...{ name, port, restPort: await freePort() },
      data: join(folder, name),
      config: join(folder, `${name}.yml`),
    };
    writeFileSync(facts.config, stringify(memberConfig(facts, options)));
    const databases = new TestDatabases(`postgres://postgres@127.0.0.1:${port}`);
    this.#members.push({
      ...facts,
      databases,
      process: await OwnedProcess.start("/usr/bin/patroni", [facts.config]),
    });
  }

  async #role({ process: patroni, databases }: Member): Promise<"primary" | "standby" | "away"> {
    this.#etcd.assertRuns();
    try {
      const [row] = await databases.query("SELECT pg_is_in_recovery() AS standby");
      return row?.["standby"] === false ? "primary" : "standby";
    } catch {
      if (patroni.output.includes("Traceback")) throw new Error(patroni.output);
      return "away";
    }
  }
}
