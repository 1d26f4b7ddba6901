// npm run bench [suite ...]: runs the suites and writes RESULTS.md and results.json. Both sides of every ratio run in
// the same minutes, alternating; the numbers of other machines mean little, the ratios travel.
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { cpus, totalmem } from "node:os";
import { type Measurement, ROUNDS, type Suite } from "./measurement.ts";
import { cancelLatencySuite } from "./suites/cancel-latency.ts";
import { livesSuite } from "./suites/lives.ts";
import { bulkCancelSuite, heartbeatSuite, idleStartSuite, remoteCancelSuite } from "./suites/remote.ts";
import { scaleSuite } from "./suites/scale.ts";
import { startUpSuite } from "./suites/start-up.ts";
import { getGrpcSuite, getRestSuite, startGrpcSuite } from "./suites/unary.ts";
import { waitsSuite } from "./suites/waits.ts";

const suites: readonly Suite[] = [
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
];

interface Results {
  commit: string;
  date: string;
  machine: string;
  node: string;
  results: (Measurement & { suite: string })[];
}

const resultsFile = new URL("results.json", import.meta.url);

function previous(): Results | null {
  return existsSync(resultsFile) ? (JSON.parse(readFileSync(resultsFile, "utf8")) as Results) : null;
}

function show(value: number): string {
  return value >= 100 ? Math.round(value).toLocaleString("en-US") : value.toPrecision(3);
}

function page(results: Results): string {
  const lines = [
    "# Benchmark results",
    "",
    `Measured by \`npm run bench\` at commit ${results.commit}, ${results.date}, on ${results.machine}, Node ${results.node}.`,
    `Each figure is the median of ${ROUNDS} rounds; the sides of a ratio alternate within one run. Client, server and disk share the machine.`,
    "",
  ];
  for (const suite of suites) {
    const rows = results.results.filter((row) => row.suite === suite.name);
    if (rows.length === 0) continue;
    lines.push(
      `## ${suite.name}`,
      "",
      suite.method,
      "",
      "| figure | median | rounds | target | |",
      "|---|---|---|---|---|",
    );
    for (const row of rows) {
      const verdict = row.target === "-" ? "" : row.met ? "met" : "**missed**";
      const note = row.note ? `<br>${row.note}` : "";
      lines.push(
        `| ${row.name}${note} | ${show(row.value)} ${row.unit} | ${row.rounds.map(show).join(", ")} | ${row.target} | ${verdict} |`,
      );
    }
    lines.push("");
  }
  lines.push(
    "## What is not measured",
    "",
    "Several machines, a network in between, TLS, disks other than this one's. Absolute numbers vary by a factor of two from minute to",
    "minute on a shared machine; compare the ratios.",
    "",
  );
  return lines.join("\n");
}

const wanted = process.argv.slice(2);
const selected = suites.filter((suite) => wanted.length === 0 || wanted.includes(suite.name));
const results: Results = {
  commit: execFileSync("git", ["rev-parse", "--short", "HEAD"], { encoding: "utf8" }).trim(),
  date: new Date().toISOString().slice(0, 10),
  machine: `${cpus().length} cores (${cpus()[0]?.model.trim() ?? "unknown"}), ${Math.round(totalmem() / 2 ** 30)} GiB`,
  node: process.versions.node,
  results: (previous()?.results ?? []).filter((row) => !selected.some((suite) => suite.name === row.suite)),
};
for (const suite of selected) {
  console.log(`${suite.name}: ${suite.method}`);
  for (const row of await suite.run()) {
    results.results.push({ suite: suite.name, ...row });
    const verdict = row.target === "-" ? "" : row.met ? `met (${row.target})` : `MISSED (${row.target})`;
    console.log(
      `  ${row.name.padEnd(30)} ${show(row.value).padStart(9)} ${row.unit.padEnd(4)} [${row.rounds.map(show).join(", ")}] ${verdict}`,
    );
  }
  writeFileSync(resultsFile, `${JSON.stringify(results, null, 2)}\n`);
  writeFileSync(new URL("RESULTS.md", import.meta.url), page(results));
}
