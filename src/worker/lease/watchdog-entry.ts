// The watchdog thread (G2): at the end of the lease it kills the whole process if anything is still running. It has an
// event loop of its own that it never returns to, asks nobody, and needs nothing of the main thread, which may be in a
// busy loop; a process that was stopped and continued dies at once if its lease has passed meanwhile.
import { write } from "node:fs";
import { parentPort, workerData } from "node:worker_threads";
import { monotonicNs } from "../../base/clock.ts";
import { WatchdogMemory } from "./watchdog-memory.ts";

const LAST_WORDS_MS = 5;
const LATE_NS = 100_000_000n;
const LAST_WORDS =
  "belay: the lease has passed and work is still running; the worker kills itself, so that the work cannot go on\n";

const memory = new WatchdogMemory(workerData as SharedArrayBuffer);
parentPort?.postMessage("watching");
while (!memory.isOver) {
  // Read first: a change after this is a new version, and the wait below returns at once.
  const { version } = memory;
  const { endNs } = memory;
  const leftNs = endNs - monotonicNs();
  const hasPassed = endNs !== 0n && leftNs <= 0n;
  // Supervisors are told nothing: their pipes end with this process, and they kill what they run.
  if (hasPassed && memory.running > 0n) {
    // By a thread of the pool: the main one, through which console and streams go, may be stuck, and so may the write
    // itself where nobody reads a full pipe.
    write(2, LAST_WORDS, () => {});
    // A process that was stopped and goes on has no time for that: each millisecond its handlers may do something.
    if (-leftNs < LATE_NS) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, LAST_WORDS_MS);
    process.kill(process.pid, "SIGKILL");
  }
  const isWaiting = endNs !== 0n && !hasPassed;
  memory.wait(version, isWaiting ? Number(leftNs) / 1e6 : Number.POSITIVE_INFINITY);
}
