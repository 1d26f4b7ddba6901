// A worker in a process of its own, killed with `kill -9` in the middle of a cancel that its command ignores. The command
// dies with it, by its supervisor; the operation ends when the lease has passed, for then it is certain that nothing is left.
import { type ChildProcess, spawn } from "node:child_process";
import { join } from "node:path";
import { delay } from "../../../src/base/timers.ts";
import { belayCommand, outputOf, rowOf } from "../belay-command.ts";
import type { CancelReceipt } from "../operation-watch.ts";
import { processes } from "../processes.ts";
import type { Show } from "../show.ts";
import type { StopResult } from "../stop-result.ts";
import type { TourWorld } from "../systems.ts";
import { tourEnvironment } from "../tour-server.ts";
import { lookouts, processLookout, type WorkPiece } from "../work-pieces.ts";
import { latencyOf, nativeOperation, untilDone, untilGone, untilSeen } from "./looking.ts";
import type { Scene } from "./scene.ts";

const LEASE = "3s";
const TYPE = "exec.far";
const CANCELLED_MAX_MS = 20_000;

export const killedWorker: Scene = {
  id: "worker",
  title: "a worker elsewhere, killed with kill -9 while its operation is being cancelled",
  example: null,
  missing: () => null,
  run,
};

async function run(world: TourWorld, show: Show): Promise<StopResult> {
  const { root, server, signal } = world;
  const belay = belayCommand({ root, port: server.port, signal });
  const worker = startWorker(world);
  try {
    const pid = worker.pid ?? 0;
    show.field(
      "worker",
      `belay work --exec far="sh countdown.sh 60 stubborn" --lease ${LEASE} -> process ${pid}`,
    );
    await untilServed(world);
    const name = await outputOf(belay(["start", TYPE]));
    show.field("start", `belay start ${TYPE} -> ${name}`);
    const look = lookouts(processLookout(pid, /countdown\.sh/), processLookout(pid, /^belay-supervisor/));
    const pieces = [...(await untilSeen(look, signal)), ownPiece(pid)];
    for (const { text } of pieces) show.field("work", text);
    const reason = "it takes too long";
    const answer = await outputOf(belay(["cancel", name, "--reason", reason]));
    show.field("cancel", `belay cancel ${name} --reason "${reason}"`);
    show.field("answer", answer.replace(/^\S+ /, ""));
    show.field("explain", rowOf(await outputOf(belay(["explain", name])), "summary"));
    worker.kill("SIGKILL");
    const killedMs = performance.now();
    show.field("kill -9", `process ${pid}`);
    const isGone = await untilGone(pieces, show, killedMs);
    const { state } = await nativeOperation(world, "default", name);
    show.field("", `nobody has told the server: the operation is ${state}`);
    await untilDone(world, "default", name, CANCELLED_MAX_MS);
    const receipt = await nativeOperation<CancelReceipt>(world, "default", `${name}/receipt`);
    const { outcome, evidence, mechanism } = receipt;
    const afterMs = Math.round(performance.now() - killedMs);
    show.field("operation", `${outcome}, ${afterMs} ms after the kill: the lease has passed`);
    show.field("receipt", `evidence ${evidence}, mechanism ${mechanism}: its worker was guarded`);
    const isGood = outcome === "CANCELLED" && evidence === "LEASE_EXPIRED";
    return {
      id: "worker",
      outcome,
      evidence,
      mechanism,
      latency: latencyOf(receipt),
      pieces,
      isGone,
      isGood,
    };
  } finally {
    worker.kill("SIGKILL");
  }
}

function startWorker({ root, server, folders }: TourWorld): ChildProcess {
  const script = join(root, "examples/exec/countdown.sh");
  const args = [
    "work",
    "--exec",
    `far=/bin/sh ${script} 60 stubborn`,
    "--lease",
    LEASE,
    "--name",
    "far-away",
  ];
  const worker = spawn(process.execPath, [join(root, "bin/belay.js"), ...args, "--log-level", "silent"], {
    // A process group of its own: Ctrl-C in the terminal is for the tour. It keeps its records in the tour's folder.
    detached: true,
    cwd: folders.top,
    env: tourEnvironment({ BELAY_SERVER: `127.0.0.1:${server.port}`, TMPDIR: folders.top }),
    stdio: "ignore",
  });
  process.on("exit", () => worker.kill("SIGKILL"));
  return worker;
}

/** Until the server knows the type: the worker says hello with it. */
async function untilServed(world: TourWorld): Promise<void> {
  const endMs = performance.now() + CANCELLED_MAX_MS;
  while (performance.now() < endMs) {
    const { workers = [] } = await nativeOperation<{ workers?: { types?: string[] }[] }>(
      world,
      "default",
      "workers",
    );
    if (workers.some(({ types }) => types?.includes(TYPE))) return;
    await delay(50, world.signal);
  }
  throw new Error("the worker does not connect");
}

/** The worker itself. */
function ownPiece(pid: number): WorkPiece {
  return {
    text: `process ${pid}, the worker: node belay.js work`,
    short: `process ${pid} (the worker)`,
    cpuSeconds: 0,
    isThere: () => processes().some(({ id }) => id === pid),
  };
}
