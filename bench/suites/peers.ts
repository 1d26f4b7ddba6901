// Belay, the bare reference and the peers, each measured the same way: starts, burn-down, live, idle starts, cancels.
import {
  alternate,
  bestOf,
  type Measurement,
  measured,
  percentile,
  ratios,
  roundsOf,
  type Suite,
  type SuiteOptions,
} from "../measurement.ts";
import type { CancelSeen, Latency } from "../peers/peer-drives.ts";
import {
  measureBurnDown,
  measureCancel,
  measureIdle,
  measureLive,
  measureStarts,
} from "../peers/peer-run.ts";
import { redisVersion } from "../peers/redis-server.ts";
import { type Measure, type Subject, subjects } from "../peers/subjects.ts";

/** A backlog, and the longest that a subject may work on it. */
const BACKLOG = 20_000;
const BURN_DOWN_MAX_MS = 8_000;
const IDLE_STARTS = 100;
const CANCELS = 100;
const isBelay = ({ name }: Subject): boolean => name.startsWith("belay");
const isReference = ({ name }: Subject): boolean => name.startsWith("bare");

/** The subjects of a suite: those that were asked for, without Redis's where there is none. */
function chosen(measure: Measure, options: SuiteOptions, filter: (subject: Subject) => boolean): Subject[] {
  const hasRedis = redisVersion() !== null;
  if (!hasRedis)
    console.log(
      "  redis-server is not installed: BullMQ on Redis is left out (bench/peers/install-redis.sh)",
    );
  return subjects.filter(
    (subject) =>
      subject.measures.includes(measure) &&
      filter(subject) &&
      (hasRedis || !subject.database.startsWith("redis")) &&
      (options.subjects.length === 0 || options.subjects.includes(subject.name)),
  );
}

const notSqlite = ({ database }: Subject): boolean => database !== "sqlite";
const isDefault = (subject: Subject): boolean =>
  !isBelay(subject) && !isReference(subject) && !subject.isTuned;
const isMain = (subject: Subject): boolean => notSqlite(subject) && !isDefault(subject);

/** One subject after the other, round after round. A subject that fails says so and has no value. */
function rounds<Answer>(
  chosenSubjects: readonly Subject[],
  options: SuiteOptions,
  failed: Answer,
  measure: (subject: Subject) => Promise<Answer>,
): Promise<Record<string, Answer[]>> {
  const side = (subject: Subject) => async (): Promise<Answer> => {
    try {
      return await measure(subject);
    } catch (error) {
      console.log(`  ${subject.name} failed:`, error);
      return failed;
    }
  };
  const sides = Object.fromEntries(chosenSubjects.map((subject) => [subject.name, side(subject)]));
  return alternate(sides, roundsOf(options));
}

type Rounds = Readonly<Record<string, readonly number[]>>;

function rows(prefix: string, unit: string, of: readonly Subject[], results: Rounds): Measurement[] {
  return of.map(({ name, settings }) =>
    measured(`${prefix} ${name}`, unit, results[name] ?? [], null, settings),
  );
}

const peersOf = (database: (subject: Subject) => boolean): string[] =>
  subjects
    .filter((subject) => !isBelay(subject) && !isReference(subject) && database(subject))
    .map(({ name }) => name);

/** Belay's rate against the reference's and against the best peer's. */
function rateRatios(
  prefix: string,
  results: Rounds,
  targets: { bare: number | null; postgres: number; every: number | null },
): Measurement[] {
  const belay = results["belay"];
  if (!belay) return [];
  const ratio = (
    against: { name: string; rounds: readonly number[] } | null,
    what: string,
    target: number | null,
  ): Measurement[] =>
    against
      ? [
          measured(
            `${prefix} belay / ${what}`,
            "x",
            ratios(belay, against.rounds),
            target === null ? null : [">=", target],
            what === against.name ? undefined : against.name,
          ),
        ]
      : [];
  const nodes = results["belay-nodes"];
  const processes = results["bare-processes"];
  const onPostgres = bestOf(
    results,
    peersOf(({ database }) => database === "postgres"),
    "highest",
  );
  const every = bestOf(
    results,
    peersOf(() => true),
    "highest",
  );
  const durable = bestOf(
    results,
    peersOf(({ database }) => database !== "redis"),
    "highest",
  );
  return [
    ...ratio(bestOf(results, ["bare"], "highest"), "bare", targets.bare),
    ...(nodes && processes
      ? [measured(`${prefix} belay-nodes / bare-processes`, "x", ratios(nodes, processes), null)]
      : []),
    ...ratio(onPostgres, "best PostgreSQL peer", targets.postgres),
    ...(targets.every === null
      ? []
      : [
          ...ratio(durable, "best durable peer", targets.every),
          ...ratio(every, "best peer, durable or not", targets.every),
        ]),
  ];
}

export const peerStartsSuite: Suite = {
  name: "peer-starts",
  method:
    "Starts one by one, each awaiting its durable acknowledgement, 50 and 500 in flight from one process; nothing runs them.",
  async run(options) {
    const of = chosen("starts", options, isMain);
    const inFlights = [50, 500];
    const ms = options.isQuick ? 1_000 : 2_000;
    const results = await rounds(of, options, [], (subject) => measureStarts(subject, inFlights, ms));
    return inFlights.flatMap((inFlight, index) => {
      const picked = Object.fromEntries(
        Object.entries(results).map(([name, values]) => [
          name,
          values.map((rates) => rates[index] ?? Number.NaN),
        ]),
      );
      const prefix = `starts-${inFlight}`;
      const targets = { bare: null, postgres: 1, every: null };
      return [...rows(prefix, "1/s", of, picked), ...rateRatios(prefix, picked, targets)];
    });
  },
};

export const peerBurnDownSuite: Suite = {
  name: "peer-burn-down",
  method: `${BACKLOG} no-op operations wait; from telling the workers to begin until the store says that none is left (after ${BURN_DOWN_MAX_MS / 1000} s: the rate until then).`,
  async run(options) {
    const of = chosen("burn-down", options, isMain);
    const count = options.isQuick ? BACKLOG / 4 : BACKLOG;
    const results = await rounds(of, options, Number.NaN, (subject) =>
      measureBurnDown(subject, count, BURN_DOWN_MAX_MS),
    );
    const targets = { bare: 0.6, postgres: 1, every: null };
    return [...rows("burn-down", "1/s", of, results), ...rateRatios("burn-down", results, targets)];
  },
};

function liveSuite(inFlight: number, targets: { bare: number; postgres: number; every: number }): Suite {
  const prefix = `live-${inFlight}`;
  return {
    name: `peer-${prefix}`,
    method: `Start to done, ${inFlight} in flight; the clock stops when the store says that none is left. Belay and the reference count an operation as done when their own wait says so, the others when their handler ran, which is earlier.`,
    async run(options) {
      const of = chosen("live", options, isMain);
      const ms = options.isQuick ? 1_000 : 2_500;
      const results = await rounds(of, options, Number.NaN, (subject) => measureLive(subject, inFlight, ms));
      return [...rows(prefix, "1/s", of, results), ...rateRatios(prefix, results, targets)];
    },
  };
}

export const peerLive50Suite: Suite = liveSuite(50, { bare: 0.6, postgres: 1, every: 1 });
export const peerLive500Suite: Suite = liveSuite(500, { bare: 0.6, postgres: 5, every: 1 });

const nothing: Latency = { p50Ms: Number.NaN, p99Ms: Number.NaN, count: 0 };
const numbers = (values: readonly (number | null)[]): number[] => values.map((value) => value ?? Number.NaN);

export const peerIdleSuite: Suite = {
  name: "peer-idle",
  method: `${IDLE_STARTS} starts at random gaps of 20-80 ms on an idle system: from sending the start to the handler's first line.`,
  async run(options) {
    const of = chosen("idle", options, isMain);
    const count = options.isQuick ? 20 : IDLE_STARTS;
    const results = await rounds(of, options, nothing, (subject) => measureIdle(subject, count));
    const pick = (field: "p50Ms" | "p99Ms"): Record<string, number[]> =>
      Object.fromEntries(
        Object.entries(results).map(([name, values]) => [name, numbers(values.map((value) => value[field]))]),
      );
    const p50 = pick("p50Ms");
    const fastest = bestOf(
      p50,
      peersOf(({ database }) => database === "postgres"),
      "lowest",
    );
    const against = (name: string): Measurement[] =>
      fastest && p50[name]
        ? [
            measured(
              `idle-p50 fastest PostgreSQL peer / ${name}`,
              "x",
              ratios(fastest.rounds, p50[name]),
              [">=", 1],
              fastest.name,
            ),
          ]
        : [];
    return [
      ...rows("idle-p50", "ms", of, p50),
      ...rows("idle-p99", "ms", of, pick("p99Ms")),
      ...against("belay"),
      ...against("belay-nodes"),
    ];
  },
};

/** In words: what one peer did with a running operation. */
function wordsOf(seen: CancelSeen, settings: string): string {
  const told =
    seen.fromRequest.count > 0
      ? `handler told in ${seen.fromRequest.count} of ${seen.tried}`
      : "handler never told";
  return `${settings}<br>${seen.answer}; then the store says ${seen.stateAfter}; ${told}; in the end the store says ${seen.stateAtEnd}`;
}

export const peerCancelSuite: Suite = {
  name: "peer-cancel",
  method: `A running operation is cancelled from the driver's process, ${CANCELS} times: from sending the cancel to the abort event in the handler, which runs in another process (in \`belay\` in the same). What each peer does is observed: the handler listens to the signal that the peer gives it.`,
  async run(options) {
    const of = chosen("cancel", options, (subject) => isMain(subject));
    const count = options.isQuick ? 10 : CANCELS;
    const seen = new Map(of.map(({ name }) => [name, [] as CancelSeen[]]));
    for (let round = 0; round < roundsOf(options); round++) {
      // What a peer does with a cancel does not change from round to round: its latency is no race.
      for (const subject of of.filter((one) => round === 0 || isBelay(one))) {
        const times = isBelay(subject) ? count : 5;
        seen.get(subject.name)?.push(await measureCancel(subject, times));
      }
    }
    return of.flatMap((subject) => {
      const all = seen.get(subject.name) ?? [];
      const [first] = all;
      const targets = subject.name === "belay-nodes" || subject.name === "belay-grpc";
      const pick = (field: "p50Ms" | "p99Ms"): number[] => numbers(all.map((one) => one.fromRequest[field]));
      return [
        measured(
          `cancel-p50 ${subject.name}`,
          "ms",
          pick("p50Ms"),
          targets ? ["<", 5] : null,
          first && wordsOf(first, subject.settings),
        ),
        measured(`cancel-p99 ${subject.name}`, "ms", pick("p99Ms"), targets ? ["<", 40] : null),
      ];
    });
  },
};

export const peerDefaultsSuite: Suite = {
  name: "peer-defaults",
  method: `The peers as they are without any settings: the burn-down of ${BACKLOG} (the rate of the first 5 s), live at 50 in flight, 20 idle starts.`,
  async run(options) {
    const only = (measure: Measure): Subject[] => chosen(measure, options, isDefault);
    const of = only("live");
    const burnDown = await rounds(only("burn-down"), options, Number.NaN, (subject) =>
      measureBurnDown(subject, options.isQuick ? BACKLOG / 4 : BACKLOG, 5_000),
    );
    const live = await rounds(of, options, Number.NaN, (subject) => measureLive(subject, 50, 2_000));
    const idle = await rounds(only("idle"), options, nothing, (subject) => measureIdle(subject, 20));
    const p50 = Object.fromEntries(
      Object.entries(idle).map(([name, values]) => [
        name,
        [percentile(numbers(values.map((one) => one.p50Ms)), 0.5)],
      ]),
    );
    return [
      ...rows("burn-down", "1/s", of, burnDown),
      ...rows("live-50", "1/s", of, live),
      ...rows("idle-p50", "ms", of, p50),
    ];
  },
};
