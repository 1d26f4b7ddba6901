// RESULTS.md, from what a run measured: every figure with its rounds, the method, the versions, and what is not measured.
import { type Measurement, ROUNDS, type Suite } from "./measurement.ts";

/** What a run of the bench leaves behind: `results.json`. */
export interface Results {
  machine: string;
  /** Of everything that was measured: Node, PostgreSQL, Redis, the peers. */
  versions: Readonly<Record<string, string>>;
  results: SuiteRow[];
}

/** A figure, and of which run it is: a run of some suites keeps the others' figures. */
export type SuiteRow = Measurement & { suite: string; commit: string; date: string };

/** Three digits; `-` where there was nothing to see. */
export function showFigure(value: number | null): string {
  if (value === null || Number.isNaN(value)) return "-";
  return value >= 100 ? Math.round(value).toLocaleString("en-US") : value.toPrecision(3);
}

function rowOf(row: Measurement): string {
  const verdict = row.target === "-" ? "" : row.met ? "met" : "**missed**";
  const note = row.note ? `<br>${row.note}` : "";
  return `| ${row.name}${note} | ${showFigure(row.value)} ${row.unit} | ${row.rounds.map(showFigure).join(", ")} | ${row.target} | ${verdict} |`;
}

const method = `
## How it is measured

- Both sides of every ratio run in the same minutes, one after the other, ${ROUNDS} rounds; a figure is the median of its rounds, and
  the rounds are beside it. Client, workers, server, database and disk share one machine.
- The peers (suites \`peer-*\`) are pinned in \`bench/peers/package.json\`. Each measurement has a database that nobody has used, made
  for it, after a CHECKPOINT of what the last one left. PostgreSQL runs with fsync and synchronous_commit as they are by default,
  Redis with its append-only file: \`everysec\`, as it does by default (an acknowledged job may be lost with the machine), and
  \`always\` (\`bullmq-durable\`).
- A driver process starts operations, two forked worker processes run no-op handlers, all three on this machine's one
  monotonic clock. \`belay\` and the \`bare\` reference are libraries in one process that starts and runs. \`belay-nodes\` has the peers'
  shape: the driver's process is one node, each worker's process another. \`belay-grpc\` has a server between a client and
  remote workers.
- *Live* keeps a number in flight and stops the clock when the store says that none is left. Belay and the reference count an
  operation as done when their own durable wait says so; a peer's, when its handler has run, which is earlier, in its favour.
- *Burn-down* ends when the store, not a worker, says that none is left.
- Results are kept, except with graphile-worker, which deletes finished jobs.
- The bare reference is group commit on \`pg\` (start, claim and complete, each for a whole batch) on one narrow table; the bare store on
  SQLite does the same in batches on \`node:sqlite\` in a thread. Neither has policies, leases, retries, cancellation, events,
  receipts, lists or an API.
`;

const notMeasured = `
## What is not measured

- Several machines, a network in between, TLS, disks other than this one's.
- Large payloads (a request here is a few bytes), many types and tenants at a time, priorities, schedules, retries.
- The peers' own limits of memory, and what they do when a machine or a database fails.
- Absolute numbers vary by a factor of two from minute to minute on a shared machine; compare the ratios.
`;

/** The whole page. */
export function resultsPage(results: Results, suites: readonly Suite[]): string {
  const versions = Object.entries(results.versions).map(([name, version]) => `${name} ${version}`);
  const lines = [
    "# Benchmark results",
    "",
    `Measured by \`npm run bench\` on ${results.machine}; each suite says at which commit.`,
    `Versions: ${versions.join(", ")}.`,
    method,
  ];
  for (const suite of suites) {
    const rows = results.results.filter((row) => row.suite === suite.name);
    if (rows.length === 0) continue;
    lines.push(
      `## ${suite.name}`,
      "",
      suite.method,
      "",
      `Commit ${rows[0]?.commit}, ${rows[0]?.date}.`,
      "",
      "| figure | median | rounds | target | |",
      "|---|---|---|---|---|",
    );
    for (const row of rows) lines.push(rowOf(row));
    lines.push("");
  }
  return [...lines, notMeasured.trim(), ""].join("\n");
}
