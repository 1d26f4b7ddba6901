// One stop of the tour: start an operation through its client, see its work from outside, cancel it, see that it is gone.
import { delay } from "../../src/base/timers.ts";
import type { BarContent } from "../../src/cli/progress-bar.ts";
import type { Client, FinalOperation } from "./clients/client.ts";
import { type CancelReceipt, OperationWatch, type WatchedOperation } from "./operation-watch.ts";
import type { Show } from "./show.ts";
import type { StopResult } from "./stop-result.ts";
import type { System, TourWorld } from "./systems.ts";
import type { Lookout, WorkPiece } from "./work-pieces.ts";

/** How long work may take to be seen, and the operation to end after its cancel. */
const VISIBLE_MAX_MS = 60_000;
const DONE_MAX_MS = 30_000;
/** How long what has stopped may still be listed: the system takes an exited thread off its list by itself. */
const GONE_MAX_MS = 1_000;
const LOOK_PERIOD_MS = 50;
const WATCH_MAX_PERCENT = 30;

const CANCELLED = 1;

export interface StopOptions {
  world: TourWorld;
  show: Show;
  /** How long the work is watched before the cancel. */
  watchMs: number;
}

/** Shows one system. Rejects when its client, or the server, does not do what it must. */
export async function showSystem(system: System, options: StopOptions): Promise<StopResult> {
  const { world, show } = options;
  const client = system.client(world);
  try {
    show.field("client", client.name + hintFor(system, client, world));
    const look = system.watch(world);
    const started = await client.start();
    show.field("start", `${started.did} -> ${started.answer}`);
    const watch = new OperationWatch(nativeUrl(world, system, started.operation), world.signal, (operation) =>
      show.progress(barContent(system, operation)),
    );
    await untilVisible(look, watch, world.signal);
    for (const { text } of look()) show.field("work", text);
    await watchWork(watch, options);
    const pieces = look();
    show.field("reached", reachedText(watch, pieces));
    const call = await client.cancel(started.operation);
    show.field("cancel", call.did);
    show.field("answer", call.answer);
    await bounded(watch.done, DONE_MAX_MS, "the operation is not done after its cancel");
    const isGone = await showAbsence(pieces, show);
    const operation = await client.get(started.operation);
    const isCancelled = isCancelledOperation(operation);
    show.field("operation", JSON.stringify(essence(operation)), isCancelled ? undefined : "red");
    const receipt = await watch.receipt();
    showReceipt(receipt, show);
    const { outcome, evidence, mechanism } = receipt;
    const latency = latencyOf(receipt);
    return { id: system.id, outcome, evidence, mechanism, latency, pieces, isGone, isGood: isCancelled };
  } finally {
    show.clear();
    client.close();
  }
}

function hintFor({ package: name }: System, client: Client, { isCurlOnly }: TourWorld): string {
  if (name === null || isCurlOnly || client.name.startsWith(name)) return "";
  return `; for ${name}: npm run demo -- --clients`;
}

/** The operation on Belay's own surface: the service's own port, or the main one. */
function nativeUrl({ server }: TourWorld, { id }: System, operation: string): string {
  const name = operation.includes("operations/") ? operation : `operations/${operation}`;
  return `http://127.0.0.1:${server.servicePorts[id] ?? server.port}/belay/v1/${name}`;
}

function barContent({ id }: System, { state, progress, createTime }: WatchedOperation): BarContent {
  return {
    name: id,
    state,
    percent: progress?.percent,
    message: progress?.message ?? "",
    elapsedMs: Date.now() - Date.parse(createTime),
  };
}

/** Waits until the work is seen from outside and has got somewhere. */
async function untilVisible(look: Lookout, watch: OperationWatch, signal: AbortSignal): Promise<void> {
  const endMs = performance.now() + VISIBLE_MAX_MS;
  while (look().length === 0 || !watch.latest?.progress?.percent) {
    if (watch.latest?.done) {
      throw new Error(`the operation ended before its work was seen: ${JSON.stringify(watch.latest)}`);
    }
    if (watch.problem) throw watch.problem;
    if (performance.now() > endMs) throw new Error("no work is seen of the operation");
    await delay(LOOK_PERIOD_MS, signal);
  }
}

/** Lets it work for a while; less on a fast machine, lest it be finished when the cancel comes. */
async function watchWork(watch: OperationWatch, { world, watchMs }: StopOptions): Promise<void> {
  const endMs = performance.now() + watchMs;
  while (performance.now() < endMs && (watch.latest?.progress?.percent ?? 0) < WATCH_MAX_PERCENT) {
    if (watch.problem) throw watch.problem;
    await delay(LOOK_PERIOD_MS, world.signal);
  }
}

function reachedText({ latest }: OperationWatch, pieces: readonly WorkPiece[]): string {
  const { percent = 0, message = "" } = latest?.progress ?? {};
  const cpuSeconds = pieces.reduce((sum, piece) => sum + piece.cpuSeconds, 0);
  const cpu = cpuSeconds > 0 ? `; ${cpuSeconds.toFixed(1)} s of CPU used` : "";
  return `${Math.floor(percent)}% ${message}${cpu}`;
}

async function bounded(promise: Promise<void>, maxMs: number, problem: string): Promise<void> {
  const ended = new AbortController();
  const late = delay(maxMs, ended.signal).then(() => {
    throw new Error(`${problem} (${maxMs / 1000} s)`);
  });
  late.catch(() => undefined);
  await Promise.race([promise, late]).finally(() => ended.abort(new Error("no longer waited for")));
}

/** Looks for every piece again. */
async function showAbsence(pieces: readonly WorkPiece[], show: Show): Promise<boolean> {
  const endMs = performance.now() + GONE_MAX_MS;
  while (pieces.some((piece) => piece.isThere()) && performance.now() < endMs) await delay(LOOK_PERIOD_MS);
  const left = pieces.filter((piece) => piece.isThere());
  const gone = pieces.filter((piece) => !left.includes(piece)).map(({ short }) => short);
  if (gone.length > 0) show.field("gone", gone.join(", "), "green");
  if (left.length > 0) show.field("LEFT", left.map(({ text }) => text).join(", "), "red");
  return pieces.length > 0 && left.length === 0;
}

function isCancelledOperation({ done, error }: FinalOperation): boolean {
  return done === true && error?.code === CANCELLED;
}

/** The fields that say how it ended. */
function essence(operation: object): object {
  const kept = ["name", "id", "done", "error", "response"];
  return Object.fromEntries(Object.entries(operation).filter(([key]) => kept.includes(key)));
}

function showReceipt(receipt: CancelReceipt, show: Show): void {
  const { outcome, evidence, mechanism, requestedBy, reason, origin, checkpoint } = receipt;
  const why = reason ? ` (${reason})` : "";
  show.field("receipt", `${outcome}, by ${requestedBy}${why} through ${origin}`);
  show.field("", `evidence ${evidence}, mechanism ${mechanism}, ${latencyOf(receipt)} after the request`);
  if (checkpoint) show.field("", `kept as checkpoint: ${checkpointText(checkpoint)}`);
}

/** `0.126498s` as `126 ms`. */
export function latencyOf({ latency }: CancelReceipt): string {
  const ms = Number.parseFloat(latency) * 1_000;
  return ms < 1_000 ? `${Math.round(ms)} ms` : `${(ms / 1_000).toFixed(1)} s`;
}

/** The short fields of a checkpoint; the weights of a model are not for reading. */
function checkpointText(checkpoint: Record<string, unknown>): string {
  const fields = Object.entries(checkpoint).map(([key, value]) => {
    const text = typeof value === "number" ? String(Number(value.toFixed(3))) : JSON.stringify(value);
    return `${key} ${text.length <= 40 ? text : `(${text.length} characters)`}`;
  });
  return fields.join(", ");
}
