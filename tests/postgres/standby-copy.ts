// A base backup without pg_basebackup, which the embedded binaries lack: the low-level API
// (https://www.postgresql.org/docs/18/continuous-archiving.html#BACKUP-LOWLEVEL-BASE-BACKUP) around a copy of the files. The
// standby takes all WAL from a replication slot.
import { execFileSync } from "node:child_process";
import { appendFileSync, copyFileSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Client } from "pg";
import type { ProcessOwner } from "./postgres-binaries.ts";

/** What belongs to the running server alone. Of the folders, the content only. */
const leftOut = new Set(["postmaster.pid", "postmaster.opts"]);
const emptied = new Set(["pg_wal", "pg_replslot", "pg_dynshmem", "pg_notify", "pg_serial", "pg_snapshots"]);
const emptiedToo = new Set(["pg_stat_tmp", "pg_subtrans"]);

/** Copies files that the server changes and removes meanwhile: WAL mends the first, and the second are not missed. */
function copyLive(from: string, to: string): void {
  mkdirSync(to, { recursive: true });
  for (const entry of readdirSync(from, { withFileTypes: true })) {
    const [source, target] = [join(from, entry.name), join(to, entry.name)];
    if (leftOut.has(entry.name)) continue;
    if (emptied.has(entry.name) || emptiedToo.has(entry.name)) mkdirSync(target);
    else if (entry.isDirectory()) copyLive(source, target);
    else {
      try {
        copyFileSync(source, target);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
      }
    }
  }
}

/** Makes `data` a standby of the server, which streams under `name`. */
export async function copyCluster(
  primary: { data: string; port: number; url(database?: string): string },
  data: string,
  name: string,
  owner: ProcessOwner,
): Promise<void> {
  const slot = name.replaceAll(/\W/g, "_");
  // One session from start to stop, as the API wants it.
  const client = new Client({ connectionString: primary.url() });
  await client.connect();
  try {
    await client.query("SELECT pg_create_physical_replication_slot($1, true)", [slot]);
    await client.query("SELECT pg_backup_start('standby', true)");
    copyLive(primary.data, data);
    const stop = await client.query<{ labelfile: string }>("SELECT labelfile FROM pg_backup_stop(false)");
    writeFileSync(join(data, "backup_label"), stop.rows[0]?.labelfile ?? "");
  } finally {
    await client.end();
  }
  mkdirSync(join(data, "pg_wal", "archive_status"), { recursive: true });
  const source = `host=127.0.0.1 port=${primary.port} user=postgres application_name=${name}`;
  appendFileSync(
    join(data, "postgresql.auto.conf"),
    `primary_conninfo = '${source}'\nprimary_slot_name = '${slot}'\nhot_standby = on\nwal_retrieve_retry_interval = 100ms\n`,
  );
  writeFileSync(join(data, "standby.signal"), "");
  execFileSync("chmod", ["-R", "u=rwX,go=", data]);
  if (owner.uid !== undefined) execFileSync("chown", ["-R", `${owner.uid}:${owner.gid}`, data]);
}
