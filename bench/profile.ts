// node bench/profile.ts SUBJECT [live|starts|burn-down] [in flight] [seconds]: runs one measure of one subject with a CPU profile
// of each thread of its processes, prints where the time went, and how much of a core each process and the database used.
import { mkdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { monotonicNs } from "../src/base/clock.ts";
import type { PostgresServer } from "../tests/postgres/postgres-server.ts";
import type { Child } from "./child.ts";
import type { Rate } from "./peers/peer-drives.ts";
import { benchPostgres, type PeerProcesses, stopBenchPostgres, withPeer } from "./peers/peer-run.ts";
import { preparePeers } from "./peers/peer-versions.ts";
import { subjects } from "./peers/subjects.ts";
import { threadCpuMs, treeCpuMs } from "./process-cpu.ts";
import { type CpuProfile, showProfile, summarise } from "./profile-summary.ts";

const [name = "belay", measure = "live", inFlight = "500", seconds = "5"] = process.argv.slice(2);
const subject = subjects.find((one) => one.name === name);
if (!subject) throw new Error(`no subject is called ${name}`);
const folder = new URL("profiles/", import.meta.url);
mkdirSync(folder, { recursive: true });
preparePeers();

/** Threads that were busy for less are only named. */
const THREAD_MS_MIN = 100;

/** What the database spent on each statement, the longest first. */
async function showStatements(server: PostgresServer): Promise<void> {
  const text = `SELECT calls, total_exec_time + total_plan_time AS ms, rows, wal_bytes, wal_records,
      shared_blks_hit AS hits, regexp_replace(query, '\\s+', ' ', 'g') AS query
    FROM pg_stat_statements ORDER BY ms DESC LIMIT 20`;
  for (const row of await server.query(text)) {
    const { calls, ms, rows, wal_bytes: wal, hits, query } = row;
    const mean = Number(ms) / Number(calls);
    console.log(
      `${Number(ms).toFixed(0).padStart(8)} ms ${String(calls).padStart(6)} calls ${mean.toFixed(2).padStart(8)} ms each, ${rows} rows, ${wal} bytes of WAL, ${hits} pages: ${String(query).slice(0, 140)}`,
    );
  }
}

/** The measure itself; burn-down takes a backlog of 2,000 for each second. */
async function drive({ ask, work }: PeerProcesses): Promise<Rate> {
  const ms = Number(seconds) * 1000;
  if (measure !== "burn-down") {
    return await ask<Rate>({ ask: measure === "starts" ? "starts" : "live", inFlight: Number(inFlight), ms });
  }
  const count = 2 * ms;
  await ask({ ask: "fill", count });
  const fromNs = String(monotonicNs());
  await work();
  return await ask<Rate>({ ask: "burnDown", count, capMs: 60_000, fromNs });
}

/** One thread: what it spent on each operation, and where. */
function showThread(path: string, operations: number): void {
  const profile = JSON.parse(readFileSync(path, "utf8")) as CpuProfile;
  const { busyMs } = summarise(profile);
  console.log(`\n${path}: ${((busyMs * 1000) / operations).toFixed(1)} us for each operation`);
  if (busyMs > THREAD_MS_MIN) showProfile(profile, 40);
}

async function profiled(processes: PeerProcesses): Promise<void> {
  const { driver, workers, server, postgres, work } = processes;
  if (measure === "live") await work();
  const parts: [string, Child][] = [["driver", driver]];
  if (server) parts.push(["server", server]);
  for (const [index, worker] of workers.entries()) parts.push([`worker-${index + 1}`, worker]);
  for (const [, child] of parts) await child.ask({ ask: "profile" });
  await postgres?.query("SELECT pg_stat_statements_reset()");
  const began = performance.now();
  const cpu = (): number[] => [...parts.map(([, { pid }]) => pid), postgres?.pid ?? 0].map(treeCpuMs);
  const threads = (): Map<string, number>[] => parts.map(([, { pid }]) => threadCpuMs(pid));
  const before = cpu();
  const threadsBefore = threads();
  const { perSecond } = await drive(processes);
  const elapsedMs = performance.now() - began;
  const after = cpu();
  const threadsAfter = threads();
  for (const [part, child] of parts) {
    const path = fileURLToPath(new URL(`${name}-${measure}-${part}.cpuprofile`, folder));
    const { paths } = await child.ask<{ paths: readonly string[] }>({ ask: "profiled", path });
    for (const one of paths) showThread(one, perSecond * (elapsedMs / 1000));
  }
  console.log(`\n${name} ${measure} ${inFlight}: ${Math.round(perSecond)} a second, while profiled`);
  for (const [index, part] of [...parts.map(([one]) => one), "PostgreSQL"].entries()) {
    const share = ((after[index] ?? 0) - (before[index] ?? 0)) / elapsedMs;
    const usEach = (((after[index] ?? 0) - (before[index] ?? 0)) * 1000) / (perSecond * (elapsedMs / 1000));
    console.log(
      `  ${part}: ${(share * 100).toFixed(0)} % of a core, ${usEach.toFixed(0)} us for each operation`,
    );
  }
  for (const [index, [part]] of parts.entries()) {
    for (const [thread, ms] of threadsAfter[index] ?? []) {
      const usEach =
        ((ms - (threadsBefore[index]?.get(thread) ?? 0)) * 1000) / (perSecond * (elapsedMs / 1000));
      if (usEach >= 0.5) console.log(`    ${part}, ${thread}: ${usEach.toFixed(1)} us for each operation`);
    }
  }
  if (postgres) await showStatements(postgres);
}

try {
  const server = await benchPostgres({ shared_preload_libraries: "pg_stat_statements" });
  await server.query("CREATE EXTENSION pg_stat_statements");
  await withPeer(subject, { isDetailed: false }, profiled);
} finally {
  await stopBenchPostgres();
}
