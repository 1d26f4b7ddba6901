// docs/guide/performance.md and its charts, from results.json and nothing else. Written by a whole run of the bench; by hand:
// node bench/performance-page.ts.
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { pathToFileURL } from "node:url";
import { type Bar, drawBarChart } from "./bar-chart.ts";
import { type Results, type SuiteRow as Row, showFigure } from "./results-page.ts";

interface Chart {
  file: string;
  suite: string;
  /** The rows are called `<prefix> <subject>`. */
  prefix: string;
  title: string;
  subtitle: string;
  best: "highest" | "lowest";
}

const charts: readonly Chart[] = [
  {
    file: "live-500.svg",
    suite: "peer-live-500",
    prefix: "live-500",
    title: "Start to done, 500 in flight",
    subtitle: "operations each second, durable; more is better",
    best: "highest",
  },
  {
    file: "live-50.svg",
    suite: "peer-live-50",
    prefix: "live-50",
    title: "Start to done, 50 in flight",
    subtitle: "operations each second, durable; more is better",
    best: "highest",
  },
  {
    file: "burn-down.svg",
    suite: "peer-burn-down",
    prefix: "burn-down",
    title: "Burn-down of 20,000 waiting operations",
    subtitle: "operations each second; more is better",
    best: "highest",
  },
  {
    file: "idle.svg",
    suite: "peer-idle",
    prefix: "idle-p50",
    title: "Idle system: from the start to the handler's first line",
    subtitle: "milliseconds, median; less is better",
    best: "lowest",
  },
  {
    file: "sqlite-live.svg",
    suite: "sqlite-live",
    prefix: "live-500",
    title: "Start to done on SQLite, 500 in flight",
    subtitle: "operations each second, durable; more is better",
    best: "highest",
  },
];

function kindOf(subject: string): Bar["kind"] {
  if (subject.startsWith("belay")) return "own";
  return subject.startsWith("bare") ? "reference" : "peer";
}

/** The rows of one chart, best first; ratios are no bars. */
function barsOf(rows: readonly Row[], { suite, prefix, best }: Chart): Bar[] {
  const sign = best === "highest" ? 1 : -1;
  return rows
    .filter((row) => row.suite === suite && row.name.startsWith(`${prefix} `) && !row.name.includes(" / "))
    .flatMap(({ name, value, rounds }) => {
      const label = name.slice(prefix.length + 1);
      const seen = rounds.filter((round) => Number.isFinite(round) && round !== null);
      if (seen.length === 0) return [];
      return [{ label, value, low: Math.min(...seen), high: Math.max(...seen), kind: kindOf(label) }];
    })
    .toSorted((a, b) => sign * (b.value - a.value));
}

function tableOf(rows: readonly Row[], suite: string): string[] {
  const lines = rows
    .filter((row) => row.suite === suite)
    .map(({ name, value, unit, rounds, target, met, note = "" }) => {
      const verdict = target === "-" ? "" : `${target}: ${met ? "met" : "**missed**"}`;
      return `| ${name} | ${showFigure(value)} ${unit} | ${rounds.map(showFigure).join(", ")} | ${verdict} | ${note} |`;
    });
  if (lines.length === 0) return [];
  return ["| figure | median | rounds | target | |", "|---|---|---|---|---|", ...lines, ""];
}

const chapters: readonly { title: string; text: string; suites: readonly string[] }[] = [
  {
    title: "Against the peers on PostgreSQL",
    text: "`belay` is the library in one process, `belay-nodes` a starting node and two working nodes on one database, `belay-grpc` a client, a\nserver and remote workers. `bare` is group commit on `pg` with no API on top: what this machine and its database give.",
    suites: ["peer-live-500", "peer-live-50", "peer-burn-down", "peer-starts", "peer-idle"],
  },
  {
    title: "What a cancel does",
    text: "A running operation is cancelled from another process. The table says what was seen, not what is documented.",
    suites: ["peer-cancel"],
  },
  {
    title: "The peers without any settings",
    text: "As they come.",
    suites: ["peer-defaults"],
  },
  {
    title: "Two nodes against one",
    text: "What a second node on the same database adds on one machine, and which process keeps the cores busy.",
    suites: ["nodes"],
  },
  {
    title: "On SQLite",
    text: "The library on SQLite, against a bare batched store on one narrow table with the same durability.",
    suites: ["sqlite-live", "sqlite-backlog", "sqlite-memory"],
  },
];

/** Of the suites that are on the page. */
function commitsOf({ results }: Results): string {
  const names = new Set(chapters.flatMap(({ suites }) => suites));
  const rows = results.filter(({ suite }) => names.has(suite));
  return [...new Set(rows.map(({ commit, date }) => `${commit}, ${date}`))].join("; ");
}

/** The page's text, and the charts' by their file names. */
export function performancePage(results: Results): { page: string; images: Map<string, string> } {
  const images = new Map<string, string>();
  const versions = Object.entries(results.versions).map(([name, version]) => `${name} ${version}`);
  const lines = [
    "# Performance",
    "",
    "Every figure here comes from a run of `npm run bench`, which writes this page; none is written by hand. The method, and what is not",
    "measured, is in [the results](../../bench/RESULTS.md).",
    "",
    `Commit ${commitsOf(results)}, ${results.machine}. ${versions.join(", ")}.`,
    "",
    "Run it yourself: `npm run bench -- peers sqlite` (about half an hour), one suite by its name (`npm run bench -- peer-live-500`), some subjects",
    "only (`npm run bench -- peer-live-500 belay pg-boss-tuned`), `--quick` for one short round. `node bench/profile.ts belay live 500` shows where the",
    "time goes. BullMQ on Redis is measured where `redis-server` is installed (`bench/peers/install-redis.sh`).",
    "",
  ];
  for (const { title, text, suites } of chapters) {
    const tables = suites.map((suite) => ({ suite, lines: tableOf(results.results, suite) }));
    if (tables.every((table) => table.lines.length === 0)) continue;
    lines.push(`## ${title}`, "", text, "");
    for (const table of tables) {
      if (table.lines.length === 0) continue;
      for (const chart of charts.filter((one) => one.suite === table.suite)) {
        const bars = barsOf(results.results, chart);
        if (bars.length === 0) continue;
        images.set(chart.file, drawBarChart({ ...chart, bars }));
        lines.push(`![${chart.title}](../charts/${chart.file})`, "");
      }
      lines.push(...table.lines);
    }
  }
  return { page: lines.join("\n"), images };
}

/** Writes the page and the charts below docs/. */
export function writePerformancePage(results: Results): void {
  const { page, images } = performancePage(results);
  const folder = new URL("../docs/charts/", import.meta.url);
  mkdirSync(folder, { recursive: true });
  for (const [file, svg] of images) writeFileSync(new URL(file, folder), svg);
  writeFileSync(new URL("../docs/guide/performance.md", import.meta.url), page);
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  const text = readFileSync(new URL("results.json", import.meta.url), "utf8");
  writePerformancePage(JSON.parse(text) as Results);
}
