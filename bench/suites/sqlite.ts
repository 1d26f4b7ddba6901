// Belay on SQLite, as a library, against the bare batched store; and what its memory does in the long run.
import {
  alternate,
  type Measurement,
  measured,
  ratios,
  roundsOf,
  type Suite,
  type SuiteOptions,
} from "../measurement.ts";
import type { Rate } from "../peers/peer-drives.ts";
import { measureBurnDown, measureLive, measureStarts, withPeer } from "../peers/peer-run.ts";
import { type Subject, subjects } from "../peers/subjects.ts";

const BACKLOG = 20_000;
/** Operations of one memory measurement: the first hundred thousand fill caches, the rest must not grow. */
const FIRST = 100_000;
const SLICE = 25_000;
const SLICES = 8;

function subjectOf(name: string): Subject {
  const subject = subjects.find((one) => one.name === name);
  if (!subject) throw new Error(`no subject is called ${name}`);
  return subject;
}

async function lives(options: SuiteOptions): Promise<readonly Measurement[]> {
  const [bare, belay, grpc] = ["bare-sqlite", "belay-sqlite", "belay-sqlite-grpc"].map(subjectOf);
  const ms = options.isQuick ? 1_500 : 4_000;
  const found: Measurement[] = [];
  for (const inFlight of [50, 500]) {
    const results = await alternate(
      {
        bare: () => measureLive(bare!, inFlight, ms),
        belay: () => measureLive(belay!, inFlight, ms),
        grpc: () => measureLive(grpc!, inFlight, ms),
      },
      roundsOf(options),
    );
    const prefix = `live-${inFlight}`;
    const target = inFlight === 500 ? ([">=", 0.5] as const) : null;
    found.push(
      measured(`${prefix} bare-sqlite`, "1/s", results.bare, null, bare?.settings),
      measured(`${prefix} belay-sqlite`, "1/s", results.belay, null, belay?.settings),
      measured(`${prefix} belay-sqlite-grpc`, "1/s", results.grpc, null, grpc?.settings),
      measured(`${prefix} belay-sqlite / bare-sqlite`, "x", ratios(results.belay, results.bare), target),
    );
  }
  return found;
}

async function backlog(options: SuiteOptions): Promise<readonly Measurement[]> {
  const [bare, belay] = ["bare-sqlite", "belay-sqlite"].map(subjectOf);
  const ms = options.isQuick ? 1_000 : 2_000;
  const results = await alternate(
    {
      bareStarts: async () => (await measureStarts(bare!, [500], ms))[0] ?? Number.NaN,
      belayStarts: async () => (await measureStarts(belay!, [500], ms))[0] ?? Number.NaN,
      bare: () => measureBurnDown(bare!, BACKLOG, 15_000),
      belay: () => measureBurnDown(belay!, BACKLOG, 15_000),
    },
    roundsOf(options),
  );
  return [
    measured("starts-500 bare-sqlite", "1/s", results.bareStarts, null),
    measured("starts-500 belay-sqlite", "1/s", results.belayStarts, null),
    measured("burn-down bare-sqlite", "1/s", results.bare, null, `a backlog of ${BACKLOG}`),
    measured("burn-down belay-sqlite", "1/s", results.belay, null),
    measured("burn-down belay-sqlite / bare-sqlite", "x", ratios(results.belay, results.bare), null),
  ];
}

/** Megabytes of resident memory for each 100,000 operations, by least squares over the points from `from` operations on. */
export function slopeMb(
  points: readonly { count: number; residentBytes: number }[],
  from: number = FIRST,
): number {
  const later = points.filter(({ count }) => count >= from);
  const x = later.map(({ count }) => count / 100_000);
  const y = later.map(({ residentBytes }) => residentBytes / 1e6);
  const meanX = x.reduce((sum, value) => sum + value, 0) / x.length;
  const meanY = y.reduce((sum, value) => sum + value, 0) / y.length;
  const covariance = x.reduce((sum, value, index) => sum + (value - meanX) * ((y[index] ?? 0) - meanY), 0);
  return covariance / x.reduce((sum, value) => sum + (value - meanX) ** 2, 0);
}

async function memory(options: SuiteOptions): Promise<readonly Measurement[]> {
  const slopes: number[] = [];
  const last: number[] = [];
  for (let round = 0; round < roundsOf(options); round++) {
    await withPeer(
      subjectOf("belay-sqlite"),
      { isDetailed: false, execArgv: ["--expose-gc"] },
      async ({ ask, work }) => {
        await work();
        const points: { count: number; residentBytes: number }[] = [];
        const scale = options.isQuick ? 0.1 : 1;
        let total = 0;
        for (let slice = 0; slice <= SLICES; slice++) {
          const count = (slice === 0 ? FIRST : SLICE) * scale;
          total += count;
          await ask<Rate>({ ask: "liveCount", inFlight: 500, count });
          const { residentBytes } = await ask<{ residentBytes: number }>({ ask: "usage" });
          points.push({ count: total, residentBytes });
        }
        slopes.push(slopeMb(points, FIRST * scale));
        last.push((points.at(-1)?.residentBytes ?? Number.NaN) / 1e6);
      },
    );
  }
  return [
    measured(
      "memory-slope belay-sqlite",
      "MB",
      slopes,
      ["<", 1],
      `resident memory for each 100,000 operations, from ${FIRST} to ${FIRST + SLICES * SLICE} whole lives, after a collection`,
    ),
    measured(
      "memory-end belay-sqlite",
      "MB",
      last,
      null,
      "resident in the end, the process of the engine and its worker",
    ),
  ];
}

export const sqliteLiveSuite: Suite = {
  name: "sqlite-live",
  method:
    "Start to done on SQLite, 50 and 500 in flight, against a bare batched store on one narrow table with the same durability.",
  run: lives,
};

export const sqliteBacklogSuite: Suite = {
  name: "sqlite-backlog",
  method: `Starts at 500 in flight with nothing that runs them, and the burn-down of ${BACKLOG}, on SQLite.`,
  run: backlog,
};

export const sqliteMemorySuite: Suite = {
  name: "sqlite-memory",
  method: `Resident memory while ${FIRST + SLICES * SLICE} operations run from start to done at 500 in flight, on SQLite.`,
  run: memory,
};
