// The tour: a server of its own, one stop for each system, some for what else a cancel must stand, a summary, and nothing
// left behind.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { makeCorpus } from "../../examples/vault-count/make-corpus.ts";
import { startConnectProxy } from "../../tests/interop/connect-proxy.ts";
import { curlVersion } from "./clients/curl-client.ts";
import { campaign } from "./scenes/campaign.ts";
import { killedWorker } from "./scenes/killed-worker.ts";
import { many } from "./scenes/many.ts";
import { receipts } from "./scenes/receipts.ts";
import { Show } from "./show.ts";
import { showSystem } from "./show-system.ts";
import type { StopResult } from "./stop-result.ts";
import { makePageRequest, systems, type TourWorld } from "./systems.ts";
import { makeFolders, removeAtExit, type TourFolders, TourServerProcess } from "./tour-server.ts";

/** Enough mail for a count that is cancelled: a megabyte a second is read. */
const MAIL_BYTES = 24_000_000;

/** A stop of the tour. */
interface Stop {
  id: string;
  title: string;
  example: string | null;
  missing(root: string): string | null;
  show(world: TourWorld, show: Show, watchMs: number): Promise<StopResult>;
}

/** In the order of the tour. */
const stops: readonly Stop[] = [
  ...systems.map((system) => ({
    ...system,
    show: (world: TourWorld, show: Show, watchMs: number) => showSystem(system, { world, show, watchMs }),
  })),
  ...[killedWorker, campaign, many, receipts].map((scene) => ({ ...scene, show: scene.run })),
];

export interface TourOptions {
  /** The repository. */
  root: string;
  /** The ids of the stops to show; all of them if it is empty. */
  only: readonly string[];
  isCurlOnly: boolean;
  watchMs: number;
  signal: AbortSignal;
}

/** Shows it all. True if everything ended as it should, and all work is gone. */
export async function runTour(options: TourOptions): Promise<boolean> {
  const { root, signal } = options;
  const show = new Show();
  const beginMs = performance.now();
  const chosen = choose(options, show);
  const curl = await curlVersion();
  if (curl === null) throw new Error("curl is not installed, and the tour needs it");
  const folders = makeFolders();
  const removeFolders = removeAtExit(folders.top);
  await using stack = new AsyncDisposableStack();
  stack.defer(removeFolders);
  if (chosen.length === 0) return false;
  show.line(`Belay's tour, ${chosen.length === 1 ? "one stop" : `${chosen.length} stops`}. Ctrl-C ends it.`);
  const server = stack.adopt(await startServer(options, folders, chosen), (started) => started.stop());
  const { address } = server;
  const proxy = stack.adopt(await startConnectProxy({ host: "127.0.0.1", port: address.port }), (started) =>
    started.stop(),
  );
  const ports = Object.entries(address.servicePorts).map(([id, port]) => `${id} ${port}`);
  show.field("server", `process ${address.pid}, port ${address.port} for all, by host; ${ports.join(", ")}`);
  show.field("folder", folders.top);
  const pageFile = await prepareInputs(chosen, folders, options);
  const world: TourWorld = {
    ...{ root, server: address, folders, proxyUrl: proxy.url, pageFile, curl, signal },
    isCurlOnly: options.isCurlOnly,
  };
  const results: StopResult[] = [];
  for (const [index, stop] of chosen.entries()) {
    show.heading(`${index + 1}/${chosen.length} ${stop.id}: ${stop.title}`);
    try {
      results.push(await stop.show(world, show, options.watchMs));
    } catch (error) {
      signal.throwIfAborted();
      show.field("FAILED", error instanceof Error ? error.message : String(error), "red");
    }
  }
  await stack.disposeAsync();
  return showSummary({ results, count: chosen.length, tookMs: performance.now() - beginMs }, show);
}

/** The stops that were asked for and can be shown; what is left out is told in one line each. */
function choose({ only, root }: TourOptions, show: Show): Stop[] {
  const known = stops.map(({ id }) => id);
  const unknown = only.find((id) => !known.includes(id));
  if (unknown !== undefined)
    throw new TypeError(`there is no stop ${unknown}; there are: ${known.join(", ")}`);
  return stops.filter((stop) => {
    if (only.length > 0 && !only.includes(stop.id)) return false;
    const problem = stop.missing(root);
    if (problem !== null)
      show.line(`${stop.id} is left out: ${problem.replace(/^.* is left out: /, "")}`, "yellow");
    return problem === null;
  });
}

async function startServer(
  { root, signal }: TourOptions,
  folders: TourFolders,
  chosen: readonly Stop[],
): Promise<TourServerProcess> {
  const used = new Set(chosen.flatMap(({ example }) => example ?? []));
  const operationFiles = [...used].map((example) => join(root, "examples", example, "operations.ts"));
  return await TourServerProcess.start(folders, { root, operationFiles, signal });
}

/** The mail and the pages that the examples work on. Answers the file of the recognition request. */
async function prepareInputs(
  chosen: readonly Stop[],
  { top, mail }: TourFolders,
  { root, signal }: TourOptions,
): Promise<string> {
  const pageFile = join(top, "letter.json");
  const wanted = chosen.map(({ id }) => id);
  if (wanted.includes("yandex")) writeFileSync(pageFile, makePageRequest(root));
  if (wanted.includes("vault")) await makeCorpus(mail, { bytes: MAIL_BYTES, signal });
  return pageFile;
}

interface Summary {
  results: readonly StopResult[];
  /** How many there should be. */
  count: number;
  tookMs: number;
}

function showSummary({ results, count, tookMs }: Summary, show: Show): boolean {
  if (results.length > 0) showTable(results, show);
  const left = results.flatMap(({ pieces }) => pieces).filter((piece) => piece.isThere());
  const good = results.filter(({ isGone, isGood }) => isGone && isGood);
  const isGood = good.length === count && count > 0 && left.length === 0;
  const seconds = `${(tookMs / 1_000).toFixed(0)} s`;
  show.line("");
  show.line(
    `${good.length} of ${count} ended as they should, with their work gone. The server is stopped, its folder removed. ${seconds}`,
    isGood ? "green" : "red",
  );
  return isGood;
}

function showTable(results: readonly StopResult[], show: Show): void {
  show.line("");
  show.table(
    ["STOP", "OUTCOME", "EVIDENCE", "MECHANISM", "LATENCY", "WORK"],
    results.map(({ id, outcome, evidence, mechanism, latency, pieces, isGone, isGood }) => [
      { text: id },
      { text: outcome, style: isGood ? "green" : "red" },
      { text: evidence },
      { text: mechanism },
      { text: latency },
      isGone ? { text: pieces.length > 0 ? "gone" : "", style: "green" } : { text: "LEFT", style: "red" },
    ]),
  );
}
