// One measure of one subject on a fresh database: makes the database, forks the processes, asks, and cleans up.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { monotonicNs } from "../../src/base/clock.ts";
import { type PostgresServer, startPostgres } from "../../tests/postgres/postgres-server.ts";
import { type Child, startChild } from "../child.ts";
import type { CancelSeen, Latency, Rate } from "./peer-drives.ts";
import type { PeerQuestion, ProcessSettings } from "./peer-process.ts";
import { startRedis } from "./redis-server.ts";
import { type Subject, subjects } from "./subjects.ts";

/** What every PostgreSQL of the benchmarks is set to; the rest is its default, fsync and synchronous_commit among it. */
export const postgresSettings: Readonly<Record<string, string | number>> = {
  shared_buffers: "512MB",
  max_connections: 200,
  max_wal_size: "4GB",
  checkpoint_timeout: "15min",
};

/** The processes of one measurement. */
export interface PeerProcesses {
  driver: Child;
  workers: readonly Child[];
  server: Child | null;
  /** Of the PostgreSQL, or null. */
  postgres: PostgresServer | null;
  ask<Answer>(question: PeerQuestion): Promise<Answer>;
  /** All that run handlers begin to. */
  work(): Promise<void>;
}

let postgres: Promise<PostgresServer> | undefined;

/** One server for the whole run of the bench; each measurement has a database of its own in it. */
export function benchPostgres(
  settings: Readonly<Record<string, string | number>> = {},
): Promise<PostgresServer> {
  postgres ??= startPostgres({ settings: { ...postgresSettings, ...settings } });
  return postgres;
}

export async function stopBenchPostgres(): Promise<void> {
  await (await postgres)?.[Symbol.asyncDispose]();
  postgres = undefined;
}

/** A fresh place for a subject's work. */
async function freshDatabase(subject: Subject, folder: string, stack: AsyncDisposableStack): Promise<string> {
  switch (subject.database) {
    case "postgres": {
      const server = await benchPostgres();
      const name = await server.createDatabase();
      stack.defer(() => server.dropDatabase(name));
      // What the last one left to be written is written now, and not on this one's time.
      await server.query("CHECKPOINT");
      return server.url(name);
    }
    case "redis":
    case "redis-always": {
      const redis = await startRedis(subject.database === "redis" ? "everysec" : "always");
      return stack.use(redis).url;
    }
    case "sqlite":
      return join(folder, "data");
  }
}

async function prepare(script: URL, subject: Subject, url: string): Promise<void> {
  const context = { url, isTuned: subject.isTuned, shape: subject.shape };
  const { child } = await startChild(new URL("peer-prepare.ts", import.meta.url), [
    JSON.stringify({ adapter: script.href, context }),
  ]);
  await child[Symbol.asyncDispose]();
}

/** Runs `measure` with the subject's processes, on a database that nobody has used. */
export async function withPeer<T>(
  subject: Subject,
  { isDetailed, execArgv = [] }: { isDetailed: boolean; execArgv?: readonly string[] },
  measure: (processes: PeerProcesses) => Promise<T>,
): Promise<T> {
  await using stack = new AsyncDisposableStack();
  const folder = mkdtempSync(join(tmpdir(), "belay-peers-"));
  stack.defer(() => rmSync(folder, { recursive: true, force: true }));
  let url = await freshDatabase(subject, folder, stack);
  const script = new URL(subject.adapter, import.meta.url);
  await prepare(script, subject, url);
  let server: Child | null = null;
  if (subject.hasServer) {
    const started = await startChild<{ address: string }>(new URL("belay-server.ts", import.meta.url), [url]);
    server = stack.use(started.child);
    url = started.ready.address;
  }
  const fork = async (role: ProcessSettings["role"]): Promise<Child> => {
    const settings: ProcessSettings = {
      adapter: script.href,
      context: { url, isTuned: subject.isTuned, shape: subject.shape },
      role,
      socket: join(folder, "notices"),
      isDetailed,
    };
    const process = new URL("peer-process.ts", import.meta.url);
    const { child } = await startChild(process, [JSON.stringify(settings)], execArgv);
    return stack.use(child);
  };
  const driver = await fork(subject.workers === 0 ? "both" : "driver");
  const workers: Child[] = [];
  for (let index = 0; index < subject.workers; index++) workers.push(await fork("worker"));
  const runners = workers.length === 0 ? [driver] : workers;
  return await measure({
    driver,
    workers,
    server,
    postgres: subject.database === "postgres" ? await benchPostgres() : null,
    ask: (question) => driver.ask(question),
    work: async () => {
      await Promise.all(runners.map((runner) => runner.ask({ ask: "work" } satisfies PeerQuestion)));
    },
  });
}

/** The rate for each number in flight, one after the other on the same database. */
export function measureStarts(subject: Subject, inFlights: readonly number[], ms: number): Promise<number[]> {
  return withPeer(subject, { isDetailed: false }, async ({ ask }) => {
    const rates: number[] = [];
    for (const inFlight of inFlights)
      rates.push((await ask<Rate>({ ask: "starts", inFlight, ms })).perSecond);
    return rates;
  });
}

export function measureLive(subject: Subject, inFlight: number, ms: number): Promise<number> {
  return withPeer(subject, { isDetailed: false }, async ({ ask, work }) => {
    await work();
    return (await ask<Rate>({ ask: "live", inFlight, ms })).perSecond;
  });
}

export function measureBurnDown(subject: Subject, count: number, capMs: number): Promise<number> {
  return withPeer(subject, { isDetailed: false }, async ({ ask, work, postgres: server }) => {
    await ask({ ask: "fill", count });
    if (server) await server.query("CHECKPOINT");
    const fromNs = String(monotonicNs());
    // A process that drives and works answers one question at a time: it begins, and then looks.
    if (subject.workers === 0) await work();
    const [rate] = await Promise.all([
      ask<Rate>({ ask: "burnDown", count, capMs, fromNs }),
      subject.workers === 0 ? undefined : work(),
    ]);
    return rate.perSecond;
  });
}

export function measureIdle(subject: Subject, count: number): Promise<Latency> {
  return withPeer(subject, { isDetailed: true }, async ({ ask, work }) => {
    await work();
    return await ask<Latency>({ ask: "idle", count });
  });
}

export function measureCancel(subject: Subject, count: number): Promise<CancelSeen> {
  return withPeer(subject, { isDetailed: true }, async ({ ask, work }) => {
    await work();
    return await ask<CancelSeen>({ ask: "cancel", count });
  });
}

/** So many Belay nodes, each with an embedded worker, on one fresh PostgreSQL database. */
export async function withNodes<T>(
  count: number,
  measure: (nodes: readonly Child[], server: PostgresServer) => Promise<T>,
): Promise<T> {
  const subject = subjects.find(({ name }) => name === "belay");
  if (!subject) throw new Error("no subject is called belay");
  await using stack = new AsyncDisposableStack();
  const url = await freshDatabase(subject, "", stack);
  const script = new URL(subject.adapter, import.meta.url);
  await prepare(script, subject, url);
  const context = { url, isTuned: false, shape: "" };
  const settings: ProcessSettings = {
    adapter: script.href,
    context,
    role: "both",
    socket: "",
    isDetailed: false,
  };
  const nodes: Child[] = [];
  for (let index = 0; index < count; index++) {
    const process = new URL("peer-process.ts", import.meta.url);
    nodes.push(stack.use((await startChild(process, [JSON.stringify(settings)])).child));
  }
  return await measure(nodes, await benchPostgres());
}
