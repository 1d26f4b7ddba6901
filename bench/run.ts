// npm run bench [suite | group | subject ...] [--quick] [--rows=N]: runs the suites and writes RESULTS.md and results.json. Both sides of
// every ratio run in the same minutes, alternating; the numbers of other machines mean little, the ratios travel.
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { cpus, totalmem } from "node:os";
import type { Suite, SuiteOptions } from "./measurement.ts";
import { stopBenchPostgres } from "./peers/peer-run.ts";
import { findVersions, preparePeers } from "./peers/peer-versions.ts";
import { subjects } from "./peers/subjects.ts";
import { writePerformancePage } from "./performance-page.ts";
import { type Results, resultsPage, showFigure } from "./results-page.ts";
import { cancelLatencySuite } from "./suites/cancel-latency.ts";
import { livesSuite } from "./suites/lives.ts";
import { nodesSuite } from "./suites/nodes.ts";
import {
  peerBurnDownSuite,
  peerCancelSuite,
  peerDefaultsSuite,
  peerIdleSuite,
  peerLive50Suite,
  peerLive500Suite,
  peerStartsSuite,
} from "./suites/peers.ts";
import { postgresScaleSuite } from "./suites/postgres-scale.ts";
import { bulkCancelSuite, heartbeatSuite, idleStartSuite, remoteCancelSuite } from "./suites/remote.ts";
import { scaleSuite } from "./suites/scale.ts";
import { sqliteBacklogSuite, sqliteLiveSuite, sqliteMemorySuite } from "./suites/sqlite.ts";
import { startUpSuite } from "./suites/start-up.ts";
import { getGrpcSuite, getRestSuite, startGrpcSuite } from "./suites/unary.ts";
import { waitsSuite } from "./suites/waits.ts";

const groups: Readonly<Record<string, readonly Suite[]>> = {
  server: [
    getGrpcSuite,
    getRestSuite,
    startGrpcSuite,
    livesSuite,
    cancelLatencySuite,
    remoteCancelSuite,
    bulkCancelSuite,
    heartbeatSuite,
    idleStartSuite,
    startUpSuite,
    waitsSuite,
    scaleSuite,
  ],
  sqlite: [sqliteLiveSuite, sqliteBacklogSuite, sqliteMemorySuite],
  peers: [
    peerLive500Suite,
    peerLive50Suite,
    peerBurnDownSuite,
    peerStartsSuite,
    peerIdleSuite,
    peerCancelSuite,
    peerDefaultsSuite,
    nodesSuite,
  ],
  scale: [postgresScaleSuite],
};
/** Run only when they are named. */
const onRequest: ReadonlySet<Suite> = new Set([postgresScaleSuite]);

const resultsFile = new URL("results.json", import.meta.url);
const suites = Object.values(groups).flat();

function previous(): Results | null {
  return existsSync(resultsFile) ? (JSON.parse(readFileSync(resultsFile, "utf8")) as Results) : null;
}

/** The suites that the words name, by themselves or by their group; words that name subjects narrow them down. */
function select(words: readonly string[]): { selected: readonly Suite[]; options: SuiteOptions } {
  const isQuick = words.includes("--quick");
  const [rows] = words.flatMap((word) => (word.startsWith("--rows=") ? [Number(word.slice(7))] : []));
  const names = words.filter((word) => word !== "--quick" && !word.startsWith("--rows="));
  const measuredSubjects = names.filter((name) => subjects.some((subject) => subject.name === name));
  const wanted = names.filter((name) => !measuredSubjects.includes(name));
  const known = [...Object.keys(groups), ...suites.map(({ name }) => name)];
  for (const name of wanted) {
    if (known.includes(name)) continue;
    throw new Error(
      `nothing is called ${name}; there are ${known.join(", ")}; ${subjects.map((one) => one.name).join(", ")}`,
    );
  }
  const fallback =
    measuredSubjects.length > 0 ? (groups["peers"] ?? []) : suites.filter((suite) => !onRequest.has(suite));
  const selected = suites.filter(
    (suite) =>
      wanted.includes(suite.name) ||
      wanted.some((name) => groups[name]?.includes(suite)) ||
      (wanted.length === 0 && fallback.includes(suite)),
  );
  return { selected, options: { isQuick, subjects: measuredSubjects, ...(rows !== undefined && { rows }) } };
}

const { selected, options } = select(process.argv.slice(2));
const isWhole = !options.isQuick && options.subjects.length === 0 && options.rows === undefined;
const usesPeers = selected.some((suite) => !groups["server"]?.includes(suite));
if (usesPeers) preparePeers();
const before = previous();
const commit = execFileSync("git", ["rev-parse", "--short", "HEAD"], { encoding: "utf8" }).trim();
const date = new Date().toISOString().slice(0, 10);
const results: Results = {
  machine: `${cpus().length} cores (${cpus()[0]?.model.trim() ?? "unknown"}), ${Math.round(totalmem() / 2 ** 30)} GiB`,
  versions: usesPeers ? await findVersions() : { node: process.versions.node, ...before?.versions },
  results: (before?.results ?? []).filter((row) => !selected.some((suite) => suite.name === row.suite)),
};
try {
  for (const suite of selected) {
    const began = performance.now();
    console.log(`${suite.name}: ${suite.method}`);
    for (const row of await suite.run(options)) {
      results.results.push({ suite: suite.name, commit, date, ...row });
      const verdict = row.target === "-" ? "" : row.met ? `met (${row.target})` : `MISSED (${row.target})`;
      console.log(
        `  ${row.name.padEnd(44)} ${showFigure(row.value).padStart(9)} ${row.unit.padEnd(4)} [${row.rounds.map(showFigure).join(", ")}] ${verdict}`,
      );
    }
    console.log(`  took ${Math.round((performance.now() - began) / 1000)} s`);
    if (!isWhole) continue;
    writeFileSync(resultsFile, `${JSON.stringify(results, null, 2)}\n`);
    writeFileSync(new URL("RESULTS.md", import.meta.url), resultsPage(results, suites));
    writePerformancePage(results);
  }
} finally {
  await stopBenchPostgres();
}
if (!isWhole) console.log("a quick or partial run: nothing is written to bench/results.json");
