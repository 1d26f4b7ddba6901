// Two thousand operations, a few of them running and the rest waiting for a slot, cancelled by one filter.
import { belayCommand, outputOf, rowOf } from "../belay-command.ts";
import type { Show } from "../show.ts";
import type { StopResult } from "../stop-result.ts";
import type { TourWorld } from "../systems.ts";
import { processLookout } from "../work-pieces.ts";
import { nativeOperation, untilGone, untilSeen } from "./looking.ts";
import type { Scene } from "./scene.ts";

/** What one call of batchStart takes. */
const BATCH = 500;
const BATCHES = 4;
const COUNT = BATCH * BATCHES;
const FILTER = 'labels.tour = "many"';

export const many: Scene = {
  id: "many",
  title: `${COUNT} operations, cancelled by one filter`,
  example: "exec",
  missing: () => null,
  run,
};

async function run(world: TourWorld, show: Show): Promise<StopResult> {
  const { root, server, signal } = world;
  const belay = belayCommand({ root, port: server.port, signal });
  const names: string[] = [];
  for (let batch = 0; batch < BATCHES; batch++) names.push(...(await startBatch(world)));
  show.field("start", `${BATCHES} calls of POST /belay/v1/operations:batchStart with ${BATCH} starts each`);
  const pieces = await untilSeen(processLookout(server.pid, /countdown\.sh/), signal, 2);
  show.field("work", `${pieces.length} processes; the other operations wait`);
  const last = names.at(-1) ?? "";
  show.field("explain", `belay explain ${last}`);
  show.field("", rowOf(await outputOf(belay(["explain", last])), "summary"));
  const seen = processLookout(server.pid, /countdown\.sh/)();
  show.field("cancel", `belay cancel --filter '${FILTER}'`);
  const { code, stdout, stderr } = await belay(["cancel", "--filter", FILTER]);
  if (code !== 0) throw new Error(stderr || stdout);
  for (const line of stderr.split("\n").slice(1)) show.field("", line.replace(/^\S+ /, ""));
  const [matched, took] = [rowOf(stdout, "matched"), rowOf(stdout, "took")];
  const verdicts = [...stdout.matchAll(/^- (\S+) +(\d+)$/gm)].map(
    ([, verdict, count]) => `${count} ${verdict}`,
  );
  show.field("answer", `${matched} matched, in ${took}: ${verdicts.join(", ")}`);
  const isGone = await untilGone(seen, show);
  const { operations = [] } = await nativeOperation<{ operations?: object[] }>(
    world,
    "default",
    `operations?pageSize=1&filter=${encodeURIComponent(`${FILTER} AND state != "CANCELLED"`)}`,
  );
  show.field("operation", `${operations.length === 0 ? "all" : "NOT all"} of them are CANCELLED`);
  return {
    id: "many",
    outcome: "CANCELLED",
    evidence: verdicts.join(", "),
    mechanism: "",
    latency: took,
    pieces: seen,
    isGone,
    isGood: matched === String(COUNT) && operations.length === 0,
  };
}

async function startBatch({ server, signal }: TourWorld): Promise<string[]> {
  const start = { type: "exec.countdown", payload: { from: 600 }, labels: { tour: "many" } };
  const response = await fetch(`http://127.0.0.1:${server.port}/belay/v1/operations:batchStart`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ requests: Array.from({ length: BATCH }, () => start) }),
    signal,
  });
  const text = await response.text();
  if (!response.ok) throw new Error(`batchStart answered ${response.status}: ${text}`);
  return [...text.matchAll(/"name": ?"(operations\/[^"]+)"/g)].map(([, name]) => name ?? "");
}
