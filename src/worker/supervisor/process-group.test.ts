// Finding and ending real processes, seen through /proc (or ps).
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { randomBase36 } from "../../base/random.ts";
import { eventually } from "../../testing/eventually.ts";
import { temporaryFolder } from "../../testing/test-worker.ts";
import { ProcessGroup } from "./process-group.ts";
import { readProcess, readProcessTable, readPs } from "./process-table.ts";

/** A shell in its own group, with the marker; killed at the end of the test. */
function startShell(t: TestContext, script: string, marker: string): ChildProcess & { pid: number } {
  const child = spawn("sh", ["-c", script], {
    detached: true,
    stdio: "ignore",
    env: { ...process.env, BELAY_ATTEMPT: marker },
  });
  t.after(() => child.kill("SIGKILL"));
  assert.ok(child.pid !== undefined);
  return child as ChildProcess & { pid: number };
}

const busy = "while :; do sleep 0.05; done";

test("the process table knows this process as /proc and ps do", () => {
  const own = readProcess(process.pid);
  assert.deepEqual([own?.ppid, own?.isAlive], [process.ppid, true]);
  assert.deepEqual(
    readProcessTable().find(({ pid }) => pid === process.pid),
    own,
  );
  const [byPs] = readPs(["-p", String(process.pid)]);
  assert.deepEqual(
    [byPs?.pid, byPs?.ppid, byPs?.pgid, byPs?.isAlive],
    [process.pid, own?.ppid, own?.pgid, true],
  );
  assert.ok(readPs([]).some(({ pid }) => pid === process.pid));
  assert.equal(readProcess(2 ** 30), undefined);
});

for (const pgid of [0, 1, -5, 1.5, Number.NaN]) {
  test(`a group numbered ${pgid} is refused: kill would mean others`, () => {
    assert.throws(
      () => new ProcessGroup({ pgid, startTime: "1", marker: "m" }, { observed: true }),
      /is none/,
    );
  });
}

test("a number that was given again is another's group and is not touched", async (t) => {
  const stranger = startShell(t, busy, "another");
  const { startTime } = readProcess(stranger.pid)!;
  for (const observed of [true, false]) {
    // The record of a former process with the same number: it had started at another time.
    const former = new ProcessGroup(
      { pgid: stranger.pid, startTime: String(Number(startTime) - 1), marker: "m" },
      { observed },
    );
    assert.deepEqual(former.living(), []);
    assert.equal(await former.killUntilGone(100), true);
  }
  assert.equal(readProcess(stranger.pid)?.isAlive, true);
});

test("a group without its leader is ours only if a member has the marker, or we looked all the time", async (t) => {
  const marker = randomBase36(12);
  const folder = temporaryFolder(t);
  const pidFile = join(folder, "pid");
  const leader = startShell(
    t,
    `(echo > ${pidFile}; ${busy}) & while [ ! -f ${pidFile} ]; do :; done`,
    marker,
  );
  const { startTime } = readProcess(leader.pid)!;
  const identity = { pgid: leader.pid, startTime, marker };
  await eventually("the leader is gone", () => !readProcess(leader.pid));
  const stranger = new ProcessGroup({ ...identity, marker: "another" }, { observed: false });
  assert.deepEqual(stranger.living(), []);
  const observed = new ProcessGroup({ ...identity, marker: "another" }, { observed: true });
  assert.ok(observed.living().length > 0);
  const marked = new ProcessGroup(identity, { observed: false });
  assert.ok(marked.living().length > 0);
  assert.equal(await marked.killUntilGone(5000), true);
  assert.deepEqual(observed.living(), []);
});

test("with no number at all the marker alone finds the processes", async (t) => {
  const marker = randomBase36(12);
  const child = startShell(t, busy, marker);
  const group = new ProcessGroup({ pgid: null, startTime: null, marker }, { observed: false });
  await eventually("found", () => group.living().some(({ pid }) => pid === child.pid));
  assert.equal(await group.killUntilGone(5000), true);
  assert.notEqual(readProcess(child.pid)?.isAlive, true);
});

test("a zombie that nobody reaps counts as gone", async (t) => {
  const folder = temporaryFolder(t);
  const pidFile = join(folder, "pid");
  // The parent never waits for its child, which is a group of its own.
  const script = `const { pid } = require("child_process").spawn("sleep", ["100"], { detached: true, stdio: "ignore" });
    require("fs").writeFileSync(${JSON.stringify(pidFile)}, String(pid)); process.kill(process.pid, "SIGSTOP")`;
  const parent = spawn(process.execPath, ["-e", script], { stdio: "ignore" });
  t.after(() => parent.kill("SIGKILL"));
  const pid = await eventually("started", () => existsSync(pidFile) && Number(readFileSync(pidFile, "utf8")));
  const { startTime } = readProcess(pid)!;
  const group = new ProcessGroup({ pgid: pid, startTime, marker: "m" }, { observed: false });
  assert.equal(await group.killUntilGone(5000), true);
  assert.equal(readProcess(pid)?.isAlive, false); // it is there, and dead
  process.kill(-pid, 0); // the group's number is still taken: no ESRCH
});
