// What ignores every request to stop is gone within grace and kill window, every time: through the whole system, from a
// client's cancel over the server to a worker elsewhere, and looked at from outside.
import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { type TestContext, test } from "node:test";
import { eventually } from "../../src/testing/eventually.ts";
import { FaultWorld } from "./fault-world.ts";
import { isAlive, stateName } from "./outside.ts";
import { readTraces, tracesOf } from "./traces.ts";

const ROUNDS = 20;
const AT_ONCE = 10;
const GRACE_MS = 100;
/** What a type has if it says nothing. */
const KILL_MS = 5000;

/** Threads of a process, as the operating system counts them. */
function threadsOf(pid: number): number {
  return readdirSync(`/proc/${pid}/task`).length;
}

async function stopAll(t: TestContext, type: string, evidence: string, world: FaultWorld): Promise<void> {
  const { client } = world;
  const timesMs: number[] = [];
  const stopOne = async (): Promise<void> => {
    const payload = { ms: 600_000, deaf: true };
    const operation = await client.start(type, { payload, graceMs: GRACE_MS });
    const trace = await eventually(
      `${operation.name} runs`,
      () => {
        const [found] = tracesOf(readTraces(world.traces), operation.name);
        const isWhole = found?.kind !== "command" || found.pids.length === 2;
        return found && found.beats > 0 && isWhole && found;
      },
      { timeoutMs: 60_000 },
    );
    assert.ok(trace.pids.every(isAlive));
    const fromMs = performance.now();
    const wallMs = Date.now();
    await operation.cancel({ reason: "deaf" });
    const ended = await operation.wait({ timeoutMs: 30_000 });
    timesMs.push(performance.now() - fromMs);
    assert.deepEqual(trace.pids.filter(isAlive), [], "CANCELLED was said while a process lived");
    assert.equal(stateName(ended.state), "CANCELLED");
    assert.equal(ended.cancellation?.evidence, evidence);
    const [after] = tracesOf(readTraces(world.traces), operation.name);
    assert.ok(
      (after?.lastMs ?? 0) - wallMs < GRACE_MS + KILL_MS,
      "it went on past its grace and kill window",
    );
    assert.equal(after?.end, null);
  };
  for (let round = 0; round < ROUNDS; round++) await Promise.all(Array.from({ length: AT_ONCE }, stopOne));
  assert.equal(timesMs.length, ROUNDS * AT_ONCE);
  const longestMs = Math.max(...timesMs);
  t.diagnostic(`${timesMs.length} stopped; the longest took ${longestMs.toFixed(0)} ms`);
  assert.ok(longestMs < GRACE_MS + KILL_MS, `${longestMs} ms`);
}

test("200 threads in a busy loop are gone in time", async (t) => {
  await using world = await FaultWorld.start();
  const worker = await world.worker("one", { slots: AT_ONCE, leaseMs: 15_000, killMs: KILL_MS });
  const before = threadsOf(worker.pid);
  await stopAll(t, "trace.busy-thread", "THREAD_TERMINATED", world);
  await eventually("no thread is left", () => threadsOf(worker.pid) <= before);
});

test("200 commands that are deaf to SIGTERM, and their deaf children, are gone in time", async (t) => {
  await using world = await FaultWorld.start();
  await world.worker("one", { slots: AT_ONCE, leaseMs: 15_000, killMs: KILL_MS });
  await stopAll(t, "trace.command", "PROCESS_EXITED", world);
});
