// node bench/scale/retention.ts [operations]: how done operations leave, in bounded batches or with a dropped partition. What
// each takes in time and log, what it leaves behind, what live operations feel of it; and what the reads of a table in
// partitions by time cost, since those are the price of the drop. The numbers are in docs/internals/postgres.md.
import pg from "pg";
import { delay } from "../../src/base/timers.ts";
import { PostgresPool } from "../../src/stores/postgres/postgres-pool.ts";
import { PostgresReads } from "../../src/stores/postgres/postgres-reads.ts";
import { startChild } from "../child.ts";
import { percentile } from "../measurement.ts";
import { benchPostgres, stopBenchPostgres } from "../peers/peer-run.ts";
import { preparePeers } from "../peers/peer-versions.ts";
import { copyLives, diskUse } from "./copied-lives.ts";
import type { LiveSeen, ScaleQuestion } from "./scale-node.ts";

const COUNT = Number(process.argv[2] ?? 300_000);
const BATCH = 500;
/** As the engine pauses between two batches. */
const BREATH_MS = 20;
const LIVE_MS = 10_000;
/** Days of a month: partitions that a lookup by name would have to search. */
const PARTITIONS = 30;
const TABLES = ["operations", "payloads", "attempts", "labels", "request_keys", "child_links"];
const node = new URL("scale-node.ts", import.meta.url);

async function one(client: pg.Client, text: string): Promise<number> {
  const { rows } = await client.query<{ value: string }>(text);
  return Number(rows[0]?.value);
}

const lsn = (client: pg.Client): Promise<number> =>
  one(client, "SELECT pg_current_wal_insert_lsn() - '0/0'::pg_lsn AS value");

function show(what: string, facts: Readonly<Record<string, number | string>>): void {
  const texts = Object.entries(facts).map(
    ([name, value]) => `${name} ${typeof value === "number" ? Number(value.toPrecision(4)) : value}`,
  );
  console.log(`${what}: ${texts.join(", ")}`);
}

/** Lives at 500 in flight on one node, while `beside` goes on; what both of them saw. */
async function liveWhile<T>(url: string, beside: () => Promise<T>): Promise<{ live: LiveSeen; seen: T }> {
  const { child } = await startChild(node, [url]);
  await using process = child;
  const question: ScaleQuestion = { ask: "live", inFlight: 500, ms: LIVE_MS, hasRequestIds: false };
  await process.ask({ ...question, ms: 2_000 });
  const live = process.ask<LiveSeen>(question);
  await delay(500);
  const seen = await beside();
  return { live: await live, seen };
}

interface Left {
  seconds: number;
  operations: number;
}

/** Purges as the engine does, for as long as lives are measured or until nothing is left. */
async function inBatches(url: string, ms: number, breathMs: number): Promise<Left> {
  const pool = new PostgresPool({ url, poolSize: 2 }, 0);
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  // All that was loaded, and nothing of what runs now.
  const now = await one(
    client,
    "SELECT expire_time AS value FROM operations WHERE expire_time IS NOT NULL ORDER BY expire_time DESC LIMIT 1",
  );
  await client.end();
  const reads = new PostgresReads({ connections: pool, clock: { now: () => now } });
  const began = performance.now();
  let operations = 0;
  for (let count = BATCH; count === BATCH && performance.now() - began < ms; await delay(breathMs)) {
    count = await reads.purge(BATCH);
    operations += count;
  }
  const seconds = (performance.now() - began) / 1000;
  await pool.close();
  return { seconds, operations };
}

async function sizes(url: string): Promise<number> {
  return (await diskUse(url)).reduce((sum, { rowBytes, indexBytes }) => sum + rowBytes + indexBytes, 0) / 1e6;
}

/** The same rows as one partition would hold them, with its indexes; their own schema keeps them from Belay. */
async function makePartition(client: pg.Client): Promise<void> {
  await client.query("CREATE SCHEMA parted");
  for (const table of TABLES) {
    await client.query(`CREATE TABLE parted.${table} (LIKE public.${table} INCLUDING ALL)`);
    await client.query(
      `INSERT INTO parted.${table} OVERRIDING SYSTEM VALUE SELECT x.* FROM public.${table} x
        ${table === "operations" ? "WHERE done_time IS NOT NULL" : ""}`,
    );
  }
  await client.query("VACUUM ANALYZE");
  await client.query("CHECKPOINT");
}

/** Get and the newest page, of one table and of one in partitions by time. */
async function readsOfPartitions(client: pg.Client): Promise<void> {
  await client.query("SET plan_cache_mode = force_generic_plan");
  await client.query("SET enable_seqscan = off");
  const [first, last] = [
    await one(client, "SELECT min(create_time) AS value FROM operations WHERE done_time IS NOT NULL"),
    await one(client, "SELECT max(create_time) + 1 AS value FROM operations"),
  ];
  const table = "CREATE TABLE days (LIKE operations INCLUDING DEFAULTS) PARTITION BY RANGE (create_time)";
  await client.query(table);
  for (let day = 0; day < PARTITIONS; day++) {
    const bound = (nth: number): string =>
      nth === 0
        ? "MINVALUE"
        : nth === PARTITIONS
          ? "MAXVALUE"
          : String(first + Math.floor(((last - first) * nth) / PARTITIONS));
    await client.query(
      `CREATE TABLE days_${day} PARTITION OF days FOR VALUES FROM (${bound(day)}) TO (${bound(day + 1)})`,
    );
  }
  await client.query("INSERT INTO days SELECT * FROM operations WHERE done_time IS NOT NULL");
  await client.query("CREATE INDEX ON days (service, tenant, name)");
  await client.query("CREATE INDEX ON days (service, tenant, parent, create_time DESC, id DESC)");
  await client.query("ANALYZE days");
  const { rows } = await client.query<{ service: string; tenant: string; name: string }>(
    "SELECT service, tenant, name FROM days TABLESAMPLE SYSTEM (5) LIMIT 1000",
  );
  for (const from of ["operations", "days"]) {
    const times: number[] = [];
    for (const { service, tenant, name } of [...rows, ...rows]) {
      const began = performance.now();
      const text = `SELECT * FROM ${from} WHERE service = $1 AND tenant = $2 AND name = $3`;
      await client.query({ name: `get-${from}`, text, values: [service, tenant, name] });
      times.push((performance.now() - began) * 1000);
    }
    const plan = await client.query<{ "QUERY PLAN": string }>(
      `EXPLAIN (ANALYZE, BUFFERS) EXECUTE "get-${from}" ('default', 'acme', '${rows[0]?.name ?? ""}')`,
    );
    const pages = /Buffers: shared hit=(\d+)/.exec(plan.rows.map((row) => row["QUERY PLAN"]).join("\n"))?.[1];
    show(`get of ${from === "days" ? `${PARTITIONS} partitions` : "one table"}`, {
      "p50 us": percentile(times.slice(rows.length), 0.5),
      pages: pages ?? "-",
    });
  }
  await client.query("DROP TABLE days");
}

preparePeers();
const server = await benchPostgres();
const database = await server.createDatabase();
const url = server.url(database);
try {
  const { child } = await startChild(node, [url]);
  await child.ask({ ask: "samples" });
  await child[Symbol.asyncDispose]();
  await copyLives(url, COUNT, () => undefined);
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  await readsOfPartitions(client);
  await makePartition(client);

  show("lives alone", { ...(await liveWhile(url, () => delay(LIVE_MS - 1_000))).live });
  await client.query("CHECKPOINT");

  const dropped = await liveWhile(url, async () => {
    const [before, began] = [await lsn(client), performance.now()];
    await client.query(`DROP TABLE ${TABLES.map((table) => `parted.${table}`).join(", ")}`);
    const seconds = (performance.now() - began) / 1000;
    return { seconds, "log KB": ((await lsn(client)) - before) / 1e3 };
  });
  show("drop beside lives (the log is theirs, too)", dropped.seen);
  show("lives beside the drop", { ...dropped.live });
  await client.query("CHECKPOINT");

  const purged = await liveWhile(url, () => inBatches(url, LIVE_MS - 1_000, BREATH_MS));
  show("batches beside lives", { ...purged.seen, "1/s": purged.seen.operations / purged.seen.seconds });
  show("lives beside batches", { ...purged.live });
  await client.query("CHECKPOINT");

  const before = { bytes: await sizes(url), log: await lsn(client) };
  const alone = await inBatches(url, 3_600_000, 0);
  show("batches alone", {
    ...alone,
    "1/s": alone.operations / alone.seconds,
    "log bytes each": ((await lsn(client)) - before.log) / alone.operations,
  });
  const after = await sizes(url);
  await client.query("VACUUM");
  show("disk MB", { before: before.bytes, after, "after VACUUM": await sizes(url) });
  await client.end();
} finally {
  await server.dropDatabase(database);
  await stopBenchPostgres();
}
