// What it costs to have 10,000,000 operations in the database instead of 10,000: each call at both sizes, alternating, with
// all that it reads in the cache; and how much disk they take. Not part of a whole run: it takes most of an hour, and 40 GB.
import { randomInt } from "node:crypto";
import { statfsSync } from "node:fs";
import { tmpdir } from "node:os";
import { startChild } from "../child.ts";
import {
  alternate,
  type Measurement,
  measured,
  ratios,
  roundsOf,
  type Suite,
  type SuiteOptions,
} from "../measurement.ts";
import { benchPostgres } from "../peers/peer-run.ts";
import { copyLives, diskUse } from "../scale/copied-lives.ts";
import type { LiveSeen, ScaleQuestion, Timed } from "../scale/scale-node.ts";

const SMALL = 10_000;
const LARGE = 10_000_000;
const LARGE_QUICK = 200_000;
/** Operations that wait meanwhile, at both sizes. */
const BACKLOG = 1_000;
/** Measured: an operation takes 2.1 KB with all that is its own, and the log of its load as much again at most. */
const BYTES_EACH = 4_000;
const TARGET = ["<", 1.3] as const;
const script = new URL("../scale/scale-node.ts", import.meta.url);

interface Filled {
  url: string;
  database: string;
  /** Of the tenant that is asked, spread over all that it has. */
  names: readonly string[];
  /** Instants between its oldest and its newest operation. */
  instants: readonly number[];
  /** Of the feed's newest event. */
  position: number;
  facts: Measurement[];
}

async function withNode<T>(
  url: string,
  use: (ask: <A>(question: ScaleQuestion) => Promise<A>) => Promise<T>,
): Promise<T> {
  const { child } = await startChild(script, [url]);
  await using node = child;
  return await use((question) => node.ask(question));
}

function showCount(count: number): string {
  return count >= 1e6 ? `${count / 1e6}m` : `${count / 1e3}k`;
}

async function fill(count: number): Promise<Filled> {
  const server = await benchPostgres();
  const database = await server.createDatabase();
  const url = server.url(database);
  await withNode(url, (ask) => ask({ ask: "samples" }));
  let told = performance.now();
  const took = await copyLives(url, count, (copied) => {
    if (performance.now() - told < 30_000) return;
    told = performance.now();
    console.log(`  ${copied.toLocaleString("en-US")} of ${count.toLocaleString("en-US")} operations`);
  });
  await withNode(url, (ask) => ask({ ask: "backlog", count: BACKLOG }));
  const use = await diskUse(url);
  const bytes = use.reduce((sum, { rowBytes, indexBytes }) => sum + rowBytes + indexBytes, 0);
  const tables = use
    .filter(({ rowBytes, indexBytes }) => rowBytes + indexBytes > bytes / 100)
    .map(({ table, rowBytes, indexBytes }) => `${table} ${showBytes(rowBytes)} + ${showBytes(indexBytes)}`);
  const size = showCount(count);
  const facts = [
    measured(
      `load-${size}`,
      "s",
      [took.loadSeconds],
      null,
      `then ${took.settleSeconds.toFixed(0)} s of VACUUM (ANALYZE) and CHECKPOINT`,
    ),
    measured(`disk-${size}`, "GB", [bytes / 1e9], null, `rows + indexes: ${tables.join(", ")}`),
    measured(`disk-${size} each`, "B", [bytes / count], null, "of an operation with all that is its own"),
  ];
  for (const { name, value, unit, note } of facts)
    console.log(`  ${name}: ${value.toFixed(1)} ${unit}; ${note}`);
  const [range] = await server.query(
    `SELECT min(create_time) AS first, max(create_time) AS last, (SELECT feed_position FROM meta) AS position
      FROM operations WHERE service = 'default' AND tenant = 'acme' AND done_time IS NOT NULL`,
    [],
    database,
  );
  const [first, last, position] = ["first", "last", "position"].map((column) => Number(range?.[column]));
  const instants = Array.from({ length: 1000 }, () => randomInt(first ?? 0, last ?? 1));
  const rows = await server.query(
    `SELECT o.name FROM unnest($1::BIGINT[]) i (instant) CROSS JOIN LATERAL (
      SELECT name FROM operations WHERE service = 'default' AND tenant = 'acme' AND parent = '' AND done_time IS NOT NULL
        AND delete_time IS NULL AND create_time <= instant ORDER BY create_time DESC, id DESC LIMIT 1) o`,
    [instants],
    database,
  );
  return {
    url,
    database,
    names: rows.map(({ name }) => String(name)),
    instants,
    position: position ?? 0,
    facts,
  };
}

function showBytes(bytes: number): string {
  return bytes >= 1e9 ? `${(bytes / 1e9).toFixed(2)} GB` : `${(bytes / 1e6).toFixed(1)} MB`;
}

/** The calls that are timed at both sizes, with the questions that ask them. */
function questionsOf({ names, instants, position }: Filled, isQuick: boolean): Record<string, ScaleQuestion> {
  const pages = instants.slice(0, isQuick ? 50 : 200);
  const list = (filter: string, orderBy: string, from: readonly (number | null)[]): ScaleQuestion => ({
    ask: "list",
    ...{ filter, orderBy, from },
  });
  const first = pages.map(() => null);
  // Not nearer to the end than a read looks.
  const after = pages.map(() => randomInt(0, position - 15_000));
  return {
    get: { ask: "get", names: isQuick ? names.slice(0, 300) : names },
    "list first page": list("", "", first),
    "list deep page": list("", "", pages),
    "list oldest first, deep": list("", "create_time", pages),
    "list 1 of 20 matches": list("type=bench.fails", "", pages.slice(0, pages.length / 2)),
    "list done=false": list("done=false", "", first),
    "watch resume": { ask: "resume", after, names: null },
    "watch resume by name": {
      ask: "resume",
      after: after.slice(0, pages.length / 4),
      names: names.slice(0, 1),
    },
    "pending work": { ask: "counts", times: pages.length },
    "cancel running": { ask: "cancel", what: "running", count: pages.length },
    "cancel pending": { ask: "cancel", what: "pending", count: pages.length },
  };
}

function compared(
  what: string,
  unit: string,
  sides: { small: readonly number[]; large: readonly number[] },
  large: string,
  isRate = false,
): Measurement[] {
  const ratio = isRate ? ratios(sides.small, sides.large) : ratios(sides.large, sides.small);
  return [
    measured(`${what} 10k`, unit, sides.small, null),
    measured(`${what} ${large}`, unit, sides.large, null),
    measured(`${what} ratio`, "x", ratio, TARGET),
  ];
}

async function timeCalls(
  small: Filled,
  large: Filled,
  size: string,
  options: SuiteOptions,
): Promise<Measurement[]> {
  const found: Measurement[] = [];
  await withNode(small.url, (askSmall) =>
    withNode(large.url, async (askLarge) => {
      const ofSmall = questionsOf(small, options.isQuick);
      const ofLarge = questionsOf(large, options.isQuick);
      for (const what of Object.keys(ofSmall)) {
        const side =
          (ask: typeof askSmall, question: ScaleQuestion | undefined) => async (): Promise<number> => {
            if (!question) throw new Error(`nobody asks ${what}`);
            return (await ask<Timed>(question)).p50Us;
          };
        const sides = { small: side(askSmall, ofSmall[what]), large: side(askLarge, ofLarge[what]) };
        // The same calls before: what they read is in the cache at both sizes.
        for (const run of Object.values(sides)) await run();
        found.push(...compared(what, "us", await alternate(sides, 2 * roundsOf(options) + 1), size));
        console.log(
          `  ${what}: ${found
            .at(-1)
            ?.rounds.map((each) => each.toFixed(2))
            .join(", ")}`,
        );
      }
    }),
  );
  return found;
}

/** Each round on a copy of the small database as it was filled: what lives leave behind must not make it a large one. */
async function onCopy<T>(small: Filled, use: (url: string) => Promise<T>): Promise<T> {
  const server = await benchPostgres();
  const copy = await server.createDatabase({ template: small.database });
  try {
    return await use(server.url(copy));
  } finally {
    await server.dropDatabase(copy);
  }
}

async function live(url: string, hasRequestIds: boolean, { isQuick }: SuiteOptions): Promise<number> {
  await (await benchPostgres()).query("CHECKPOINT");
  return await withNode(url, async (ask) => {
    const question = { ask: "live", inFlight: 500, hasRequestIds } as const;
    await ask({ ...question, ms: 2_000 });
    return (await ask<LiveSeen>({ ...question, ms: isQuick ? 2_000 : 6_000 })).perSecond;
  });
}

/** Ten batches each, the oldest first. */
async function purge(url: string, database: string): Promise<number> {
  const server = await benchPostgres();
  const [row] = await server.query(
    "SELECT expire_time FROM operations WHERE expire_time IS NOT NULL ORDER BY expire_time OFFSET 5500 LIMIT 1",
    [],
    database,
  );
  const now = Number(row?.["expire_time"]);
  return await withNode(
    url,
    async (ask) => (await ask<Timed>({ ask: "purge", batches: 10, now })).p50Us / 1000,
  );
}

async function compare(options: SuiteOptions): Promise<readonly Measurement[]> {
  const count = options.rows ?? (options.isQuick ? LARGE_QUICK : LARGE);
  requireDisk(count * BYTES_EACH);
  const server = await benchPostgres();
  // Only while it is filled: nobody's data.
  await server.set({ autovacuum: "off", full_page_writes: "off" });
  const small = await fill(SMALL);
  const large = await fill(count);
  await server.set({ autovacuum: "on", full_page_writes: "on" });
  const size = showCount(count);
  try {
    const calls = await timeCalls(small, large, size, options);
    const rates: Measurement[] = [];
    for (const hasRequestIds of [false, true]) {
      const sides = await alternate(
        {
          small: () => onCopy(small, (url) => live(url, hasRequestIds, options)),
          large: () => live(large.url, hasRequestIds, options),
        },
        roundsOf(options),
      );
      const what = hasRequestIds ? "live-500 with request ids" : "live-500";
      rates.push(...compared(what, "1/s", sides, size, true));
    }
    const purges = await alternate(
      {
        small: () => onCopy(small, (url) => purge(url, new URL(url).pathname.slice(1))),
        large: () => purge(large.url, large.database),
      },
      roundsOf(options),
    );
    return [
      ...[...small.facts, ...large.facts],
      ...calls,
      ...rates,
      ...compared("retention batch of 500", "ms", purges, size),
    ];
  } finally {
    for (const { database } of [small, large]) await server.dropDatabase(database);
  }
}

function requireDisk(bytes: number): void {
  const { bavail, bsize } = statfsSync(tmpdir());
  const free = bavail * bsize;
  if (free > bytes + 5e9) return;
  throw new Error(
    `the load takes up to ${showBytes(bytes)} of disk in ${tmpdir()}, which has ${showBytes(free)}`,
  );
}

export const postgresScaleSuite: Suite = {
  name: "postgres-scale",
  method: `The same calls on PostgreSQL with ${SMALL} and with ${LARGE} stored operations (copies of what the engine has made and ended, of four types and three tenants, with payloads, labels, request ids, attempts, receipts and feed), ${BACKLOG} more waiting; as a library, one call at a time, p50, after the same calls have filled the cache.`,
  run: compare,
};
