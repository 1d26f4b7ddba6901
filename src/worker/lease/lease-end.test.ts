// Work does not outlive its lease (G2), whatever state the worker's process is in. Real processes, looked at from outside.
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { suite, type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";
import { monotonicNs } from "../../base/clock.ts";
import { eventually } from "../../testing/eventually.ts";
import { temporaryFolder } from "../../testing/test-worker.ts";
import { readProcess } from "../supervisor/process-table.ts";

const program = fileURLToPath(new URL("../../testing/leased-worker.fixture.ts", import.meta.url));

interface Leased {
  child: ChildProcess;
  folder: string;
  /** On this machine's monotonic clock. */
  leaseEndNs: bigint;
  exited: Promise<{ signal: string | null; atNs: bigint }>;
}

/** Resolves when the work runs. */
async function startLeased(t: TestContext, leaseMs: number, what: string, guarded = true): Promise<Leased> {
  let started: ChildProcess | undefined;
  t.after(() => started?.kill("SIGKILL")); // before its folder goes
  const folder = temporaryFolder(t);
  const words = [program, String(leaseMs), what, folder, guarded ? "guarded" : "unguarded"];
  const child = spawn(process.execPath, words, { stdio: ["ignore", "pipe", "inherit"] });
  started = child;
  const exited = once(child, "exit").then(([, signal]) => ({ signal, atNs: monotonicNs() }));
  let leaseEndNs = 0n;
  for await (const line of createInterface({ input: child.stdout! })) {
    if (line.startsWith("ends ")) leaseEndNs = BigInt(line.slice(5));
    if (line === "running" || what === "command") break;
  }
  return { child, folder, leaseEndNs, exited };
}

async function untilPassed(ns: bigint): Promise<void> {
  await eventually("the time has come", () => monotonicNs() > ns);
}

function sizeOf(file: string): number {
  return existsSync(file) ? statSync(file).size : 0;
}

// They wait for leases to end most of the time, so side by side.
suite("at the end of a lease", { concurrency: true, timeout: 20_000 }, () => {
  test("a worker in a busy loop dies with its lease, by its watchdog", async (t) => {
    const { leaseEndNs, exited } = await startLeased(t, 1000, "spin");
    const { signal, atNs } = await exited;
    assert.equal(signal, "SIGKILL");
    const lateMs = Number(atNs - leaseEndNs) / 1e6;
    t.diagnostic(`${lateMs.toFixed(1)} ms after the end of the lease`);
    assert.ok(lateMs > -60 && lateMs < 500, `${lateMs} ms after the end of the lease`);
  });

  test("a worker that was stopped, and continued after its lease, dies before its handlers do much", async (t) => {
    const { child, folder, leaseEndNs, exited } = await startLeased(t, 1500, "write");
    const file = join(folder, "written");
    await eventually("it writes", () => sizeOf(file) > 0);
    child.kill("SIGSTOP");
    await untilPassed(leaseEndNs + 300_000_000n);
    const before = sizeOf(file);
    assert.equal(readProcess(child.pid!)?.isAlive, true);
    child.kill("SIGCONT");
    const { signal } = await exited;
    assert.equal(signal, "SIGKILL");
    assert.ok(sizeOf(file) - before <= 20, `${sizeOf(file) - before} writes after the lease`);
  });

  test("with nothing running a worker outlives its lease", async (t) => {
    const { child, leaseEndNs } = await startLeased(t, 300, "nothing");
    await untilPassed(leaseEndNs + 300_000_000n);
    assert.equal(readProcess(child.pid!)?.isAlive, true);
  });

  test("a worker that asked not to be guarded outlives its lease, whatever runs", async (t) => {
    const { child, leaseEndNs } = await startLeased(t, 500, "write", false);
    await untilPassed(leaseEndNs + 300_000_000n);
    assert.equal(readProcess(child.pid!)?.isAlive, true);
  });

  test("the commands of a stopped worker die with its lease, by their supervisor's own clock", async (t) => {
    const { child, folder, leaseEndNs, exited } = await startLeased(t, 2500, "command");
    const pidFile = join(folder, "command.pid");
    const pid = await eventually(
      "the command runs",
      () => sizeOf(pidFile) > 0 && Number(readFileSync(pidFile, "utf8")),
    );
    child.kill("SIGSTOP");
    assert.equal(readProcess(pid)?.isAlive, true);
    await eventually("the command is gone", () => readProcess(pid)?.isAlive !== true);
    const lateMs = Number(monotonicNs() - leaseEndNs) / 1e6;
    t.diagnostic(`${lateMs.toFixed(1)} ms after the end of the lease`);
    assert.ok(lateMs > -60 && lateMs < 500, `${lateMs} ms after the end of the lease`);
    child.kill("SIGCONT");
    const { signal } = await exited;
    assert.equal(signal, "SIGKILL");
  });
});
