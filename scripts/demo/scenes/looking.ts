// What scenes look at: operations on Belay's own surface, and work from outside, until it is there or gone.
import { delay } from "../../../src/base/timers.ts";
import type { WatchedOperation } from "../operation-watch.ts";
import type { Show } from "../show.ts";
import type { TourWorld } from "../systems.ts";
import type { Lookout, WorkPiece } from "../work-pieces.ts";

const SEEN_MAX_MS = 30_000;
const GONE_MAX_MS = 10_000;
const LOOK_PERIOD_MS = 20;

export { latencyOf } from "../show-system.ts";

/** GET /belay/v1/{path} of a service. */
export async function nativeOperation<Body = WatchedOperation>(
  { server, signal }: TourWorld,
  service: string,
  path: string,
): Promise<Body> {
  const port = server.servicePorts[service] ?? server.port;
  const response = await fetch(`http://127.0.0.1:${port}/belay/v1/${path}`, { signal });
  const text = await response.text();
  if (!response.ok) throw new Error(`GET /belay/v1/${path} answered ${response.status}: ${text}`);
  return JSON.parse(text) as Body;
}

/** Waits until the operation is done. */
export async function untilDone(
  world: TourWorld,
  service: string,
  name: string,
  maxMs: number,
): Promise<void> {
  const endMs = performance.now() + maxMs;
  while (!(await nativeOperation(world, service, name)).done) {
    if (performance.now() > endMs) throw new Error(`${name} is not done (${maxMs / 1000} s)`);
    await delay(LOOK_PERIOD_MS, world.signal);
  }
}

/** Waits until at least so many pieces of work are seen. */
export async function untilSeen(look: Lookout, signal: AbortSignal, count = 1): Promise<WorkPiece[]> {
  const endMs = performance.now() + SEEN_MAX_MS;
  for (;;) {
    const pieces = look();
    if (pieces.length >= count) return pieces;
    if (performance.now() > endMs) throw new Error(`${pieces.length} of ${count} pieces of work are seen`);
    await delay(LOOK_PERIOD_MS, signal);
  }
}

/** Looks until every piece is gone, and tells how long that took from `fromMs` on. */
export async function untilGone(
  pieces: readonly WorkPiece[],
  show: Show,
  fromMs: number = performance.now(),
): Promise<boolean> {
  const endMs = performance.now() + GONE_MAX_MS;
  while (pieces.some((piece) => piece.isThere()) && performance.now() < endMs) await delay(LOOK_PERIOD_MS);
  const tookMs = Math.round(performance.now() - fromMs);
  const left = pieces.filter((piece) => piece.isThere());
  const gone = pieces.filter((piece) => !left.includes(piece)).map(({ short }) => short);
  if (gone.length > 0) show.field("gone", `${inShort(gone)}, ${tookMs} ms later`, "green");
  if (left.length > 0) show.field("LEFT", left.map(({ text }) => text).join(", "), "red");
  return pieces.length > 0 && left.length === 0;
}

/** The first few, and how many more. */
function inShort(names: readonly string[]): string {
  const shown = names.slice(0, 4).join(", ");
  return names.length <= 4 ? shown : `${shown} and ${names.length - 4} more`;
}
