// What the driver's process does to a peer, the same for every peer: starts, burn-down, live, idle, cancel.
import { monotonicNs } from "../../src/base/clock.ts";
import { delay } from "../../src/base/timers.ts";
import { percentile } from "../measurement.ts";
import type { Peer } from "./adapter.ts";
import type { NoticeBoard } from "./notices.ts";

export interface Rate {
  perSecond: number;
}

/** Milliseconds. NaN where nothing was seen. */
export interface Latency {
  p50Ms: number;
  p99Ms: number;
  count: number;
}

/** What was seen of one peer's cancel. */
export interface CancelSeen {
  /** From sending the cancel to the abort event in the handler; of those whose handler was told. */
  fromRequest: Latency;
  fromAnswer: Latency;
  tried: number;
  /** What the call answered, the first time. */
  answer: string;
  /** The store's word right after the answer, and after the handler had ended. */
  stateAfter: string;
  stateAtEnd: string;
}

const WARM_UP_MS = 700;
/** After the last start, for what is still to run. */
const DRAIN_MAX_MS = 5_000;
/** A handler that was not told within this is taken not to be told at all. */
export const ABORT_WAIT_MS = 3_000;

function latencyOf(valuesMs: readonly number[]): Latency {
  return {
    p50Ms: percentile(valuesMs, 0.5),
    p99Ms: percentile(valuesMs, 0.99),
    count: valuesMs.length,
  };
}

function sinceMs(fromNs: bigint, toNs: bigint): number {
  return Number(toNs - fromNs) / 1e6;
}

/** `inFlight` loops of `step` for `ms`; answers how many steps there were. */
async function loops(inFlight: number, ms: number, step: () => Promise<void>): Promise<number> {
  const end = performance.now() + ms;
  let count = 0;
  const loop = async (): Promise<void> => {
    while (performance.now() < end) {
      await step();
      count++;
    }
  };
  await Promise.all(Array.from({ length: inFlight }, loop));
  return count;
}

/** Starts one by one, each awaiting its durable acknowledgement; nothing runs them. */
export async function driveStarts(peer: Peer, inFlight: number, ms: number): Promise<Rate> {
  const step = async (): Promise<void> => void (await peer.start("noop"));
  await loops(inFlight, WARM_UP_MS, step);
  const began = performance.now();
  const count = await loops(inFlight, ms, step);
  return { perSecond: (count * 1000) / (performance.now() - began) };
}

/** From `fromNs`, when the workers were told to begin, until the store says that none of `count` is left. */
export async function driveBurnDown(
  peer: Peer,
  board: NoticeBoard,
  { count, capMs, fromNs }: { count: number; capMs: number; fromNs: string },
): Promise<Rate & { finished: number }> {
  const end = performance.now() + capMs;
  await board.until(() => board.ran >= count, capMs);
  let left = await peer.remaining();
  while (left > 0 && performance.now() < end) {
    await delay(2);
    left = await peer.remaining();
  }
  const finished = count - left;
  return { finished, perSecond: finished / (sinceMs(BigInt(fromNs), monotonicNs()) / 1000) };
}

/** A fixed number in flight, each from its start to its end; the clock stops when the store says that none is left. */
export async function driveLive(peer: Peer, board: NoticeBoard, inFlight: number, ms: number): Promise<Rate> {
  const step = peer.live ? () => peer.live?.() ?? Promise.resolve() : liveByNotices(peer, board);
  await loops(inFlight, WARM_UP_MS, step);
  const began = performance.now();
  const startedBefore = peer.live ? 0 : await peer.remaining();
  const count = await loops(inFlight, ms, step);
  let left = await peer.remaining();
  const end = performance.now() + DRAIN_MAX_MS;
  while (left > 0 && performance.now() < end) {
    await delay(5);
    left = await peer.remaining();
  }
  return { perSecond: ((count + startedBefore - left) * 1000) / (performance.now() - began) };
}

/** So many whole lives, by the peer's own way to wait. */
export async function driveLiveCount(peer: Peer, inFlight: number, count: number): Promise<Rate> {
  let left = count;
  const loop = async (): Promise<void> => {
    while (left-- > 0) await peer.live?.();
  };
  const began = performance.now();
  await Promise.all(Array.from({ length: inFlight }, loop));
  return { perSecond: (count * 1000) / (performance.now() - began) };
}

/** For peers without a way to wait: their handlers tell, which is before their result is durable, in their favour. */
function liveByNotices(peer: Peer, board: NoticeBoard): () => Promise<void> {
  const waiting: (() => void)[] = [];
  let seen = board.ran;
  let seenAt = performance.now();
  board.onChange(() => {
    for (; seen < board.ran; seen++) waiting.shift()?.();
    seenAt = performance.now();
  });
  // Handlers that do not run must not hold the loops: the steps end, and the store's count says what was done.
  setInterval(() => {
    if (performance.now() - seenAt > DRAIN_MAX_MS) for (const resolve of waiting.splice(0)) resolve();
  }, 500).unref();
  return async () => {
    await peer.start("noop");
    await new Promise<void>((resolve) => waiting.push(resolve));
  };
}

/** Starts one at a time at random gaps on an idle system: from sending the start to the handler's first line. */
export async function driveIdle(peer: Peer, board: NoticeBoard, count: number): Promise<Latency> {
  const sent: [string, bigint][] = [];
  await delay(300);
  for (let index = 0; index < count; index++) {
    await delay(20 + Math.random() * 60);
    const sentNs = monotonicNs();
    sent.push([await peer.start("noop"), sentNs]);
  }
  await board.until(() => sent.every(([id]) => board.times.get(id)?.beganNs), DRAIN_MAX_MS);
  const latencies = sent.flatMap(([id, sentNs]) => {
    const beganNs = board.times.get(id)?.beganNs;
    return beganNs ? [sinceMs(sentNs, beganNs)] : [];
  });
  return latencyOf(latencies);
}

/** Starts one that runs until it is told to stop, cancels it, and looks at what happens; `count` times. */
export async function driveCancel(peer: Peer, board: NoticeBoard, count: number): Promise<CancelSeen> {
  const fromRequest: number[] = [];
  const fromAnswer: number[] = [];
  const words = { answer: "", stateAfter: "", stateAtEnd: "" };
  let tried = 0;
  while (tried < count) {
    const id = await peer.start("hold");
    if (!(await board.until(() => board.times.get(id)?.beganNs !== undefined, 2 * DRAIN_MAX_MS))) break;
    await delay(5 + Math.random() * 20);
    const sentNs = monotonicNs();
    const answer = await peer.cancel(id).catch((error: unknown) => `error: ${(error as Error).message}`);
    const answeredNs = monotonicNs();
    const isFirst = tried++ === 0;
    if (isFirst) {
      words.answer = answer;
      words.stateAfter = await peer.state(id);
    }
    const isTold = await board.until(() => board.times.get(id)?.abortedNs !== undefined, ABORT_WAIT_MS);
    if (isTold) {
      const abortedNs = board.times.get(id)?.abortedNs ?? 0n;
      fromRequest.push(sinceMs(sentNs, abortedNs));
      fromAnswer.push(sinceMs(answeredNs, abortedNs));
    }
    if (!isFirst && isTold) continue;
    await board.until(() => board.times.get(id)?.endedNs !== undefined, 2 * ABORT_WAIT_MS);
    await delay(500);
    if (isFirst) words.stateAtEnd = await peer.state(id);
    if (!isTold) break;
  }
  return { ...words, tried, fromRequest: latencyOf(fromRequest), fromAnswer: latencyOf(fromAnswer) };
}
