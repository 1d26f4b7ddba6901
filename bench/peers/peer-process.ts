// One process of a measurement: the driver's, a worker's, or both in one. Forked by peer-run.ts, which tells it what to do.
import { monotonicNs } from "../../src/base/clock.ts";
import { delay } from "../../src/base/timers.ts";
import { answerParent, tellReady } from "../child.ts";
import type { Peer, PeerAdapter, PeerContext, PeerHandlers } from "./adapter.ts";
import { CpuProfiler } from "./cpu-profiler.ts";
import { localNotices, NoticeBoard, type Notices, sendNotices } from "./notices.ts";
import {
  ABORT_WAIT_MS,
  driveBurnDown,
  driveCancel,
  driveIdle,
  driveLive,
  driveLiveCount,
  driveStarts,
} from "./peer-drives.ts";

export interface ProcessSettings {
  /** The module of the adapter. */
  adapter: string;
  context: PeerContext;
  role: "driver" | "worker" | "both";
  /** The driver's socket. */
  socket: string;
  /** Each handler's times are told, not only how many ran. */
  isDetailed: boolean;
}

export type PeerQuestion =
  | { ask: "work" }
  | { ask: "starts" | "live"; inFlight: number; ms: number }
  | { ask: "liveCount"; inFlight: number; count: number }
  | { ask: "fill" | "idle" | "cancel"; count: number }
  | { ask: "burnDown"; count: number; capMs: number; fromNs: string }
  | { ask: "usage" }
  | { ask: "profile" }
  | { ask: "profiled"; path: string };

const settings = JSON.parse(process.argv[2] ?? "{}") as ProcessSettings;
const { adapter } = (await import(settings.adapter)) as { adapter: PeerAdapter };
const board = new NoticeBoard();
if (settings.role === "driver") await board.listen(settings.socket);
const notices: Notices = settings.role === "worker" ? sendNotices(settings.socket) : localNotices(board);
const peer: Peer = await adapter.open(settings.context);
const profiler = new CpuProfiler();

/** Ends by itself in the end, so that what a peer does not stop does not hold the measurement. */
async function hold(id: string, signal: AbortSignal | undefined): Promise<void> {
  notices.note(id, "began");
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  signal?.addEventListener("abort", () => {
    notices.note(id, "aborted");
    reject(signal.reason);
  });
  void delay(ABORT_WAIT_MS + 1_000).then(resolve);
  await promise.finally(() => notices.note(id, "ended"));
}

const handlers: PeerHandlers = {
  noop: settings.isDetailed ? (id) => notices.note(id, "began") : () => notices.ran(),
  hold,
};

answerParent<PeerQuestion>(async (question) => {
  switch (question.ask) {
    case "work":
      await peer.work(handlers);
      return {};
    case "starts":
      return await driveStarts(peer, question.inFlight, question.ms);
    case "live":
      return await driveLive(peer, board, question.inFlight, question.ms);
    case "liveCount":
      return await driveLiveCount(peer, question.inFlight, question.count);
    case "fill":
      await peer.fill(question.count);
      return { left: await peer.remaining() };
    case "burnDown":
      return await driveBurnDown(peer, board, question);
    case "idle":
      return await driveIdle(peer, board, question.count);
    case "cancel":
      return await driveCancel(peer, board, question.count);
    case "usage": {
      globalThis.gc?.(); // only where the measurement asked for it
      const { user, system } = process.cpuUsage();
      return {
        cpuMs: (user + system) / 1000,
        residentBytes: process.memoryUsage().rss,
        atNs: String(monotonicNs()),
      };
    }
    case "profile":
      await profiler.start();
      return {};
    case "profiled":
      return { paths: await profiler.stop(question.path) };
  }
});
tellReady({});
